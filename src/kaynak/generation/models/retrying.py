from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from kaynak.domain import Message, ModelEvent, ModelSettings, ModelUnavailable, ModelWaiting, ModelWarning, TextDelta
from kaynak.generation.models.failures import CircuitOpen, TooSlow
from kaynak.generation.models.protocol import LanguageModel

_log = structlog.get_logger(__name__)

_LONGEST_WAIT = 8.0


class Retrying:
    """Asks again while nothing of the answer has come, after the time the provider names. See `LanguageModel`.

    Args:
        inner: Asks.
        retries: Further tries after the first.
        first_wait: Seconds before the second try, where the provider does not say; doubled each time.
        seconds: Most time spent waiting, all together; a provider that wants more is not waited for.
    """

    def __init__(self, inner: LanguageModel, *, retries: int, first_wait: float, seconds: float) -> None:
        self.name = inner.name
        self.context_tokens = inner.context_tokens
        self._inner = inner
        self._retries = retries
        self._first_wait = first_wait
        self._seconds = seconds

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """See `LanguageModel`."""
        left = self._seconds
        said: set[ModelEvent] = set()
        for attempt in range(self._retries + 1):
            started = False
            try:
                async with aclosing(self._inner.stream(messages, settings)) as events:
                    async for event in events:
                        started = started or isinstance(event, TextDelta)
                        if isinstance(event, ModelWarning):
                            if event in said:  # each try warns anew
                                continue
                            said.add(event)
                        yield event
                return
            except ModelUnavailable as exc:
                wait = self._wait(exc, attempt)
                if started or attempt == self._retries or wait > left or isinstance(exc, TooSlow | CircuitOpen):
                    raise
                reason = exc.message
                _log.warning("model_retried", model=self.name, error=exc.type, attempt=attempt + 1, wait=round(wait, 3))
            left -= wait
            yield ModelWaiting(reason, wait)
            await asyncio.sleep(wait)

    def _wait(self, error: ModelUnavailable, attempt: int) -> float:
        """Returns seconds: what the provider asks for, and a little at random, so that many do not return at once."""
        if error.retry_after is not None:
            return error.retry_after * random.uniform(1, 1.1)  # noqa: S311 - not a secret
        longest = min(_LONGEST_WAIT, self._first_wait * 2**attempt)
        return random.uniform(longest / 2, longest)  # noqa: S311
