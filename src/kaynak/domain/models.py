"""What passes between us and a language model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a model. Retrieved text is data: it goes into a user message, never into a system one."""

    role: Role
    content: str


class Reasoning(StrEnum):
    """How much a model is to think before it answers."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a caller may set; None leaves it to the provider. What a model refuses is dropped with a warning.

    Attributes:
        temperature: From 0.
        max_tokens: Most tokens of the answer.
        reasoning: Effort before the answer.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens as the provider counted them. ``cached`` is part of ``input``."""

    input: int
    output: int
    cached: int = 0

    def __add__(self, other: TokenUsage) -> TokenUsage:
        """Returns the sum."""
        return TokenUsage(self.input + other.input, self.output + other.output, self.cached + other.cached)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next characters of the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelWarning:
    """Something the person should know, such as a setting that was dropped."""

    message: str


@dataclass(frozen=True, slots=True)
class ModelWaiting:
    """The model is asked again in a while; nothing of the answer has come yet.

    Attributes:
        reason: Why, for people.
        seconds: Until it is asked again.
    """

    reason: str
    seconds: float


class FinishReason(StrEnum):
    """Why a model stopped by itself."""

    STOP = "stop"
    LENGTH = "length"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """Last event, always: the provider said that this is the end.

    Attributes:
        reason: Why.
        model: The model that answered, as ``provider:model``; with fallbacks not always the one that was asked.
        usage: None if the provider did not say.
        cost: US dollars; None where the price is not known.
    """

    reason: FinishReason
    model: str
    usage: TokenUsage | None = None
    cost: float | None = None


ModelEvent: TypeAlias = TextDelta | ModelWarning | ModelWaiting | ModelFinished
