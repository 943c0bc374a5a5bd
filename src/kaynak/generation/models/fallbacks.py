from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from kaynak.domain import (
    KaynakError,
    Message,
    ModelEvent,
    ModelRefused,
    ModelSettings,
    ModelUnavailable,
    ModelWarning,
    TextDelta,
)
from kaynak.generation.models.protocol import LanguageModel

_log = structlog.get_logger(__name__)


class Fallbacks:
    """Several models, of which the first that begins to answer does. See `LanguageModel`.

    Once a word has come there is no going over to another: two halves of two answers are not one.

    Args:
        models: In order; at least one.
    """

    def __init__(self, models: Sequence[LanguageModel]) -> None:
        self.name = models[0].name
        self.context_tokens = min(model.context_tokens for model in models)
        self._models = tuple(models)

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """See `LanguageModel`."""
        for model, following in zip(self._models, [*self._models[1:], None], strict=True):
            started = False
            try:
                async with aclosing(model.stream(messages, settings)) as events:
                    async for event in events:
                        started = started or isinstance(event, TextDelta)
                        yield event
                return
            except (ModelUnavailable, ModelRefused) as exc:
                if started or following is None:
                    raise
                reason = exc.message
                _log.warning("model_fell_back", model=model.name, to=following.name, error=exc.type)
            yield ModelWarning(f"{following.name} answers in place of {model.name}: {reason}")


class Unusable:
    """A model that cannot be asked as things are set up; so that those after it can stand in. See `LanguageModel`.

    Args:
        name: Of the model.
        error: Why it cannot.
    """

    context_tokens = 2**31

    def __init__(self, name: str, error: KaynakError) -> None:
        self.name = name
        self._error = error

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[ModelEvent, None]:
        """Raises the error when it is iterated."""
        for event in self._nothing():
            yield event

    def _nothing(self) -> Sequence[ModelEvent]:
        raise self._error
