"""Conversations: questions and their answers as a tree, so that any of them can be asked again otherwise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from kaynak.domain.answers import Answer
from kaynak.domain.asking import Answering
from kaynak.domain.errors import InvalidRequest
from kaynak.domain.models import Role
from kaynak.domain.parsed import Json

TITLE_CHARS = 200
"""Longest title of a conversation."""

_MADE_TITLE_CHARS = 80
_WORD = re.compile(r"\w+")
# Scripts without spaces between words: each character is a word of its own.
_UNSPACED = re.compile("([\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\u0e00-\u0eff])")
_DOTLESS = str.maketrans({"ı": "i", "İ": "i"})
_LONGEST_WORD = 64


class MessageState(StrEnum):
    """How far a message is."""

    WRITING = "writing"
    """The answer is being written now, by a process that is alive."""
    COMPLETE = "complete"
    PARTIAL = "partial"
    """It was stopped, or broke off: what is there is not the whole answer."""
    FAILED = "failed"
    """It broke off before there was anything."""


class ExportFormat(StrEnum):
    """What a conversation is exported as."""

    JSON = "json"
    MARKDOWN = "markdown"

    @property
    def ending(self) -> str:
        """Of file names."""
        return "md" if self is ExportFormat.MARKDOWN else "json"


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions and answers that follow from each other.

    Attributes:
        id: Identity.
        title: For people; made from the first question unless someone gave one.
        collections: Names of what is asked.
        answering: How its answers are written; what it leaves open is up to the collections.
        filter: Condition on the metadata of what may be cited, as it was given; None for none.
        created_at: UTC.
        updated_at: UTC, of the latest question.
    """

    id: UUID
    title: str
    collections: tuple[str, ...]
    answering: Answering
    filter: Mapping[str, Json] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationMessage:
    """A question, or the answer to the question that is its parent.

    Attributes:
        id: Identity.
        conversation_id: Its conversation.
        parent_id: What it follows: an answer follows its question, a question the answer before it; None for a
            first question. Several messages with one parent are branches.
        role: ``user`` for questions, ``assistant`` for answers.
        state: How far it is. Questions are complete.
        content: The question, or the text of the answer with its markers.
        asked: Of an answer: the question as it stands alone, which the index was asked.
        answer: The answer with its citations, without its ``hits``; None until it is there.
        error: Why it is not complete, for people.
        created_at: UTC.
        updated_at: UTC; while it is being written, of the last sign of life.
        withheld: Whether it is shown without what it says, as it rests on what may not be read any more.
    """

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: Role
    state: MessageState
    content: str
    asked: str | None
    answer: Answer | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """First event of a turn: question and answer are kept, and the answer is being written.

    Attributes:
        conversation: Where.
        question: The question, as it was asked.
        answer: The answer, empty yet.
    """

    conversation: Conversation
    question: ConversationMessage
    answer: ConversationMessage


@dataclass(frozen=True, slots=True)
class ConversationMatch:
    """A conversation that has all the words looked for.

    Attributes:
        conversation: The conversation.
        message_id: Its newest message that has them; None if only the title does.
        snippet: A stretch of that message around the words, or the title.
    """

    conversation: Conversation
    message_id: UUID | None
    snippet: str


def validate_title(title: str) -> str:
    """Returns ``title`` with its white space in order.

    Raises:
        InvalidRequest: It is blank or too long.
    """
    title = " ".join(title.split())
    if not title:
        raise InvalidRequest("The title is empty.", hint="Give the conversation a name.")
    if len(title) > TITLE_CHARS:
        raise InvalidRequest(f"The title is longer than {TITLE_CHARS} characters.", hint="Choose a shorter one.")
    return title


def title_from(question: str) -> str:
    """Returns a title made from the first question: its beginning, cut between words."""
    text = " ".join(question.split())
    if len(text) <= _MADE_TITLE_CHARS:
        return text
    cut = text[: _MADE_TITLE_CHARS - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > _MADE_TITLE_CHARS // 2 else cut).rstrip(" ,;:.-–") + "…"


def search_words(text: str) -> list[str]:
    """Returns the words that ``text`` is found by, each once, in order.

    Case, accents and the dots of ``i`` do not matter: ``ISPARTA``, ``Isparta`` and ``ısparta`` are one word, and
    so are ``şirket`` and ``SIRKET``.
    """
    words = dict.fromkeys(_WORD.findall(_UNSPACED.sub(r" \1 ", fold(text))))
    return [word[:_LONGEST_WORD] for word in words]


def snippet_of(text: str, words: Sequence[str], width: int = 160) -> str:
    """Returns a stretch of ``text`` of about ``width`` characters around the first of ``words`` that it has.

    Args:
        text: Of the message.
        words: As `search_words` returns them; a word of the text may be longer.
        width: Most characters, ellipses aside.
    """
    flat = " ".join(text.split())
    at = next((word.start() for word in _WORD.finditer(flat) if _begins(word[0], words)), 0)
    start = max(0, at - width // 3)
    if start:
        start = flat.find(" ", start, at) + 1 or at
    end = len(flat) if len(flat) - start <= width else flat.rfind(" ", start + 1, start + width)
    if end <= at:
        end = start + width
    return ("…" if start else "") + flat[start:end] + ("…" if end < len(flat) else "")


def fold(text: str) -> str:
    """Returns ``text`` without case, accents and the dots of ``i``: what people leave out when they type."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_DOTLESS).casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", plain)


def _begins(word: str, words: Iterable[str]) -> bool:
    folded = fold(word)
    return any(folded.startswith(wanted) for wanted in words)
