from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson

from kaynak.domain import FinishReason, Message, ModelSettings, Role, TokenUsage
from kaynak.generation.models.failures import Said, said
from kaynak.generation.models.frames import Frame, FrameReader
from kaynak.generation.models.providers import Provider

_MOST_TOKENS = 1_000_000_000
TEMPERATURE, MAX_TOKENS, REASONING, STREAM_OPTIONS = "temperature", "max_tokens", "reasoning", "stream_options"


@dataclass(frozen=True, slots=True)
class Call:
    """One request for an answer.

    Attributes:
        provider: Of whom.
        model: Of which, by the provider's name for it.
        messages: The prompt.
        settings: As wished.
        without: Names of settings that are left out because the model refuses them.
        context_tokens: Most tokens that prompt and answer have together.
        thinking: Degrees of thinking that the model knows, where that is known beforehand.
    """

    provider: Provider
    model: str
    messages: tuple[Message, ...]
    settings: ModelSettings
    without: frozenset[str] = frozenset()
    context_tokens: int = 0
    thinking: tuple[str | bool, ...] | None = None

    @property
    def temperature(self) -> float | None:
        """As it is to be sent."""
        return None if TEMPERATURE in self.without else self.settings.temperature

    @property
    def max_tokens(self) -> int | None:
        """As it is to be sent."""
        return None if MAX_TOKENS in self.without else self.settings.max_tokens

    @property
    def reasoning(self) -> str | None:
        """As it is to be sent."""
        effort = self.settings.reasoning
        return None if REASONING in self.without or effort is None else effort.value

    def system(self) -> str:
        """Returns the system messages as one."""
        return "\n\n".join(message.content for message in self.messages if message.role is Role.SYSTEM)

    def turns(self) -> list[Message]:
        """Returns the other messages; neighbours of one role are joined, since some providers refuse them."""
        turns: list[Message] = []
        for message in self.messages:
            if message.role is Role.SYSTEM:
                continue
            if turns and turns[-1].role is message.role:
                turns[-1] = Message(message.role, f"{turns[-1].content}\n\n{message.content}")
            else:
                turns.append(message)
        return turns


@dataclass(frozen=True, slots=True)
class WireRequest:
    """What is posted.

    Attributes:
        path: Below the provider's base address, with its query.
        body: To be sent as JSON.
    """

    path: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that a provider lists.

    Attributes:
        name: The provider's.
        context_tokens: If the list says so.
        price: US dollars per million tokens of prompt and answer, if the list says so.
    """

    name: str
    context_tokens: int | None = None
    price: tuple[float, float] | None = None


class StreamError(Exception):
    """The stream says that something went wrong.

    Attributes:
        said: What.
    """

    def __init__(self, error: Said) -> None:
        super().__init__(error.message)
        self.said = error


class NotAFrame(Exception):
    """A frame is not what the format has."""


@dataclass(slots=True)
class Decoder(ABC):
    """Reads one streamed answer, frame by frame; a subclass per format.

    Attributes:
        ended: Whether the provider's own mark of the end was seen.
        reason: Why it ended.
        usage: Tokens, as far as they are known.
        cost: US dollars, where the provider says so.
        model: The model that answers, in the provider's words.
        blocked: Why the provider will not answer at all.
        last: Whether more may follow the mark of the end.
    """

    ended: bool = False
    reason: FinishReason | None = None
    usage: TokenUsage | None = None
    cost: float | None = None
    model: str | None = None
    blocked: str | None = None
    _seen: dict[str, Any] = field(default_factory=dict)

    def feed(self, frame: Frame) -> str | None:
        """Returns the text of ``frame``.

        Empty: the model works, but has said nothing. None: not even that; a ping says nothing of the model.

        Raises:
            StreamError: The frame is an error.
            NotAFrame: It is not of this format.
        """
        try:
            document = orjson.loads(frame.data)
            if not isinstance(document, dict):
                raise NotAFrame
            if (error := said(document)) is not None:
                raise StreamError(error)
            return self._read(document, frame.event)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            # Not JSON, or of another shape than the format has: what a provider sends is not ours to trust.
            raise NotAFrame from exc

    @abstractmethod
    def _read(self, document: dict[str, Any], event: str) -> str | None:
        """Returns the text of a frame that is no error."""


class Wire(ABC):
    """One wire format. Holds no state.

    Attributes:
        words: What names settings in the provider's messages.
        frames: Takes a body apart.
        decoding: Reads an answer.
        models: Path of the list of models.
    """

    words: ClassVar[Mapping[str, tuple[str, ...]]]
    frames: ClassVar[Callable[[], FrameReader]]
    decoding: ClassVar[Callable[[], Decoder]]
    models: ClassVar[str]

    @abstractmethod
    def request(self, call: Call) -> WireRequest:
        """Returns what is to be posted for a streamed answer."""

    @abstractmethod
    def listed(self, document: Mapping[str, Any]) -> Sequence[ListedModel]:
        """Returns the models of the list that write text."""

    def reader(self) -> FrameReader:
        """Returns a reader for one body."""
        return type(self).frames()

    def decoder(self, provider: Provider) -> Decoder:
        """Returns a decoder for one answer."""
        return type(self).decoding()

    def settings(self, call: Call) -> dict[str, tuple[str, ...]]:
        """Returns the settings that ``call`` sends, with the words that name them."""
        values = {TEMPERATURE: call.temperature, MAX_TOKENS: call.max_tokens, REASONING: call.reasoning}
        return {name: words for name, words in self.words.items() if values.get(name) is not None}

    def listing(self, provider: Provider) -> str:
        """Returns the path of the list of models."""
        return self.models


def count(value: object) -> int:
    """Returns a count of tokens as it came; 0 for what is no count, or none that can be believed."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST_TOKENS else 0


def named(value: object, before: str | None = None) -> str | None:
    """Returns the name of a model as it came; ``before`` for what is no name."""
    return value if isinstance(value, str) and value else before
