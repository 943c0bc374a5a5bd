"""What goes through the server: a chat as it was asked, an answer in parts, and what turns one into the other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from kaynak.domain import Message, TokenUsage

KEY = "test-key"
"""The key that every provider of the server takes."""

Reply: TypeAlias = str | Callable[[Sequence[Message]], str | Awaitable[str]]
"""What is answered: a text, or a function of the messages."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A request for an answer, whatever its format.

    Attributes:
        model: Name of the model, without the provider.
        messages: With the system message, where the format keeps that apart, first.
        streamed: Whether the answer is wanted as it comes.
        wants_usage: Whether the stream is to end with the count of tokens.
        settings: What was set, by our names: ``temperature``, ``max_tokens``, ``reasoning``.
    """

    model: str
    messages: tuple[Message, ...]
    streamed: bool
    wants_usage: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ReceivedRequest:
    """A request as it came, and what became of it.

    Attributes:
        provider: Whose address it came to.
        path: With its query.
        headers: By lower-case name.
        body: Decoded JSON; empty for GET.
        chat: None if it was not a request for an answer.
        abandoned: Whether the caller closed the connection before the answer was complete.
        ended: Set when the server is done with it.
    """

    provider: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    chat: Chat | None = None
    abandoned: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Refused(Exception):
    """The request is answered with an error of the provider.

    Args:
        status: HTTP status.
        message: For people.
        code: The provider's own name for the kind of error; by default one that goes with the status.
        setting: The setting of ours that is not taken.
    """

    def __init__(self, status: int, message: str, *, code: str | None = None, setting: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.setting = setting


@dataclass(frozen=True, slots=True)
class Script:
    """A streamed answer in its parts, each a frame ready for the wire.

    Attributes:
        opening: Before the first word.
        words: The text.
        closing: After the last word, before the mark of the end.
        end: The mark without which the answer is not whole.
        nothing: A frame that says nothing; harmless.
        alive: A sign of life that is no frame: a comment, a ping, a blank line.
    """

    opening: Sequence[bytes]
    words: Sequence[bytes]
    closing: Sequence[bytes]
    end: Sequence[bytes]
    nothing: bytes
    alive: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer before it has a format.

    Attributes:
        words: Pieces whose concatenation is the text.
        usage: None if tokens are not counted.
        reason: ``stop``, ``length`` or ``filtered``.
    """

    words: Sequence[str]
    usage: TokenUsage | None
    reason: str = "stop"

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.words)


class Format(Protocol):
    """One wire format: what is read, and how answers and errors look."""

    media_type: str

    def read(self, path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> Chat:
        """Returns the chat.

        Raises:
            Refused: The provider would not take it.
        """
        ...

    def script(self, chat: Chat, answered: Answered) -> Script:
        """Returns the answer as a stream."""
        ...

    def plain(self, chat: Chat, answered: Answered) -> dict[str, Any]:
        """Returns the answer as one document."""
        ...

    def error(self, refused: Refused) -> dict[str, Any]:
        """Returns the error as a document."""
        ...

    def error_frame(self, refused: Refused) -> bytes:
        """Returns the error as a frame of a stream."""
        ...

    def headers(self, refused: Refused) -> dict[str, str]:
        """Returns the headers that come with the error."""
        ...


def words_of(text: str) -> list[str]:
    """Returns ``text`` in pieces of a word with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def usage_of(messages: Sequence[Message], words: Sequence[str]) -> TokenUsage:
    """Returns the count of tokens that the server reports: one for every word."""
    return TokenUsage(sum(len(message.content.split()) for message in messages), len(words))


def check_fields(body: Mapping[str, Any], known: frozenset[str], required: Sequence[str]) -> None:
    """Raises `Refused` for a field that the provider does not know, or one that is missing."""
    for name in required:
        if name not in body:
            raise Refused(400, f"Missing required parameter: '{name}'.")
    if strange := sorted(body.keys() - known):
        raise Refused(400, f"Unknown parameter: '{strange[0]}'.")
