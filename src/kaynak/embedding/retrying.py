from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, KaynakError
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.protocol import Embedder, Kind

_log = structlog.get_logger(__name__)


class Retrying:
    """Tries again after transient errors, waiting longer each time. See `Embedder`.

    Args:
        inner: Embeds.
        attempts: In all.
        first_wait: Seconds before the second attempt, where the provider does not say; doubled each time, and up to
            half as much again at random, so that many callers do not return at once.
        seconds: After which documents are not tried again, the time that the provider wants to be waited included.
        query_seconds: The same for queries: somebody waits for a search.
        rest: Seconds for which queries are refused at once after a query failed for good: a search that has another
            side does not wait for a model that is away.
    """

    def __init__(
        self,
        inner: Embedder,
        *,
        attempts: int = 3,
        first_wait: float = 0.1,
        seconds: float = 30.0,
        query_seconds: float = 2.0,
        rest: float = 0.0,
    ) -> None:
        self.fingerprint = inner.fingerprint
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokenizer: TokenCounter = inner.tokenizer
        self._inner = inner
        self._attempts = attempts
        self._first_wait = first_wait
        self._seconds: dict[Kind, float] = {"document": seconds, "query": query_seconds}
        self._rest = rest
        self._resting: tuple[float, EmbedderUnavailable] | None = None

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """See `Embedder`."""
        if kind == "query" and self._resting is not None and time.monotonic() < self._resting[0]:
            error = self._resting[1]
            raise EmbedderUnavailable(error.message, hint=error.hint)
        until = time.monotonic() + self._seconds[kind]
        for attempt in range(1, self._attempts + 1):
            try:
                vectors = await self._inner.embed(texts, kind)
            except KaynakError as exc:
                wait = self._wait(exc, attempt)
                if not exc.transient or attempt == self._attempts or time.monotonic() + wait > until:
                    self._note(exc, kind)
                    raise
                _log.warning("embedding_retried", attempt=attempt, error=exc.type, wait=round(wait, 3))
            else:
                self._resting = None
                return vectors
            await asyncio.sleep(wait)
        raise AssertionError

    async def close(self) -> None:
        """See `Embedder`."""
        await self._inner.close()

    def _wait(self, error: KaynakError, attempt: int) -> float:
        asked = getattr(error, "retry_after", None)
        if asked is not None:
            return float(asked) * random.uniform(1, 1.1)  # noqa: S311 - not a secret
        return self._first_wait * float(2 ** (attempt - 1)) * random.uniform(1, 1.5)  # noqa: S311

    def _note(self, error: KaynakError, kind: Kind) -> None:
        if self._rest and kind == "query" and isinstance(error, EmbedderUnavailable):
            self._resting = (time.monotonic() + self._rest, error)
