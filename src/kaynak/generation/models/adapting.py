from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kaynak.domain import Message, ModelSettings, ModelWarning
from kaynak.generation.models.events import CallEvent
from kaynak.generation.models.failures import SettingRefused
from kaynak.generation.models.providers import ModelName
from kaynak.generation.models.wires.protocol import MAX_TOKENS, REASONING, STREAM_OPTIONS, TEMPERATURE

if TYPE_CHECKING:
    from kaynak.generation.models.calling import ModelCall

_SAID = {
    TEMPERATURE: "takes no temperature",
    MAX_TOKENS: "does not take so many tokens of answer",
    REASONING: "takes no effort of reasoning",
}


@dataclass(slots=True)
class Refusals:
    """What models have refused, for the life of the process.

    Attributes:
        flat: Settings that a model never takes.
        lengths: The smallest length of answer that was too much for a model.
    """

    flat: dict[ModelName, set[str]] = field(default_factory=dict)
    lengths: dict[ModelName, int] = field(default_factory=dict)

    def note(self, name: ModelName, refused: frozenset[str], settings: ModelSettings) -> None:
        """Remembers. A length is refused for its size, so it says nothing of smaller ones."""
        self.flat.setdefault(name, set()).update(refused - {MAX_TOKENS})
        if MAX_TOKENS in refused and settings.max_tokens is not None:
            self.lengths[name] = min(settings.max_tokens, self.lengths.get(name, settings.max_tokens))

    def of(self, name: ModelName, settings: ModelSettings) -> frozenset[str]:
        """Returns what is to be left out of ``settings``."""
        refused = set(self.flat.get(name, ()))
        if settings.max_tokens is not None and settings.max_tokens >= self.lengths.get(name, settings.max_tokens + 1):
            refused.add(MAX_TOKENS)
        return frozenset(refused)


class Adapting:
    """Leaves out settings that the model refuses, and says so. See `Caller`.

    Args:
        inner: Asks.
        name: Of the model.
        refusals: What is known of it; shared by all who ask it.
    """

    def __init__(self, inner: ModelCall, name: ModelName, refusals: Refusals) -> None:
        self._inner = inner
        self._name = name
        self._refusals = refusals

    async def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[CallEvent, None]:
        """See `Caller`."""
        without = self._refusals.of(self._name, settings)
        for warning in self._warnings(without, settings):
            yield warning
        while True:
            try:
                async with aclosing(self._inner.stream(messages, settings, without)) as events:
                    async for event in events:
                        yield event
                return
            except SettingRefused as exc:
                fresh = exc.settings - without
                if not fresh:
                    raise
                self._refusals.note(self._name, fresh, settings)
                without |= fresh
            for warning in self._warnings(fresh, settings):
                yield warning

    def _warnings(self, names: frozenset[str], settings: ModelSettings) -> list[ModelWarning]:
        """Returns a warning for each setting that was wished; the count of tokens is our own wish."""
        wished: Mapping[str, object] = {
            TEMPERATURE: settings.temperature,
            MAX_TOKENS: settings.max_tokens,
            REASONING: settings.reasoning,
        }
        return [
            ModelWarning(f"{self._name} {_SAID[name]}; the setting was left out.")
            for name in sorted(names - {STREAM_OPTIONS})
            if wished.get(name) is not None
        ]
