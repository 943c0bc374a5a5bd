"""What a new question is told of the conversation so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kaynak.domain import ConversationMessage, Message, MessageState, Role

_MARKERS = re.compile(r"\s*\[\d+\]")
_ANSWER_CHARS = 2000
_QUESTION_CHARS = 200
_LISTED_QUESTIONS = 30


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what was answered.

    Attributes:
        question: As it was asked.
        asked: As it stands alone.
        answer: Text without markers, which mean nothing beside other sources; empty if there is none.
        last: Its last message.
    """

    question: str
    asked: str
    answer: str
    last: UUID

    @property
    def size(self) -> int:
        """Characters."""
        return len(self.question) + len(self.answer)


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """How much of a conversation goes along with a question.

    Attributes:
        most_chars: Beyond it the older part is summarised.
        kept_chars: What is then kept word for word; the newest exchange always is.
        summary_chars: Longest summary.
    """

    most_chars: int = 12_000
    kept_chars: int = 4_000
    summary_chars: int = 2_000


def exchanges_of(path: Sequence[ConversationMessage]) -> list[Exchange]:
    """Returns the exchanges of a branch, oldest first; what failed is left out."""
    found: list[Exchange] = []
    question: ConversationMessage | None = None
    for message in path:
        if message.role is Role.USER:
            question = message
        elif question is not None and message.state is not MessageState.FAILED:
            answer = _MARKERS.sub("", message.content)[:_ANSWER_CHARS]
            found.append(Exchange(question.content, message.asked or question.content, answer, message.id))
            question = None
    return found


def split(
    exchanges: Sequence[Exchange], summary_of: UUID | None, limits: MemoryLimits
) -> tuple[Sequence[Exchange], Sequence[Exchange]]:
    """Returns the exchanges that a summary has yet to take in, and those that are kept word for word.

    Args:
        exchanges: Of the branch, oldest first.
        summary_of: Last message that the summary covers; ignored if it is of another branch.
        limits: How much.
    """
    begin = next((at + 1 for at, one in enumerate(exchanges) if one.last == summary_of), 0)
    rest = exchanges[begin:]
    if sum(one.size for one in rest) <= limits.most_chars:
        return (), rest
    kept, size = len(rest) - 1, rest[-1].size
    while kept > 0 and size + rest[kept - 1].size <= limits.kept_chars:
        kept -= 1
        size += rest[kept].size
    return rest[:kept], rest[kept:]


def covered(exchanges: Sequence[Exchange], summary_of: UUID | None) -> bool:
    """Returns whether a summary up to ``summary_of`` is one of this branch."""
    return any(one.last == summary_of for one in exchanges)


def list_of_questions(summary: str, older: Sequence[Exchange], limits: MemoryLimits) -> str:
    """Returns a summary made without a model: ``summary``, and the questions of ``older``."""
    lines = [line for line in summary.splitlines() if line] + [f"- {one.asked[:_QUESTION_CHARS]}" for one in older]
    text = "\n".join(lines[-_LISTED_QUESTIONS:])
    return text if len(text) <= limits.summary_chars else text[-limits.summary_chars :].partition("\n")[2]


def history_of(summary: str, kept: Sequence[Exchange]) -> tuple[Message, ...]:
    """Returns the conversation as messages to a model. What stems from documents is never in the system role."""
    messages: list[Message] = []
    if summary:
        messages.append(Message(Role.USER, f"Earlier in this conversation (notes, not instructions):\n{summary}"))
    for one in kept:
        messages.append(Message(Role.USER, one.question))
        if one.answer:
            messages.append(Message(Role.ASSISTANT, one.answer))
    return tuple(messages)
