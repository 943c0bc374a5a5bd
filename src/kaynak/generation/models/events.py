"""What passes between the layers under the budget: model events, and what is known of the tokens so far."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from kaynak.domain import Message, ModelEvent, ModelSettings, TokenUsage


@dataclass(frozen=True, slots=True)
class Reported:
    """What the provider has said of the tokens; first when it accepted the request.

    Attributes:
        usage: As far as it is known.
        cost: US dollars, where the provider says so.
        model: The model that answers, in the provider's words.
    """

    usage: TokenUsage | None = None
    cost: float | None = None
    model: str | None = None


CallEvent: TypeAlias = ModelEvent | Reported


class Caller(Protocol):
    """Asks one model of one provider once. See `LanguageModel.stream` for what it yields and raises."""

    def stream(self, messages: Sequence[Message], settings: ModelSettings) -> AsyncGenerator[CallEvent, None]:
        """Yields the answer, and what becomes known of the tokens."""
        ...
