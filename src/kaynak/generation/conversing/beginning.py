"""How a turn begins: the question and its empty answer are put into the tree, in one transaction."""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias
from uuid import UUID

from kaynak.catalog import Unit
from kaynak.domain import (
    Conflict,
    Conversation,
    ConversationMessage,
    InvalidRequest,
    MessageState,
    Role,
    Scope,
    TurnBegun,
    title_from,
)

CUT_OFF = "It broke off: the process that wrote it ended."


class _Newest(Enum):
    NEWEST = "newest"


NEWEST = _Newest.NEWEST
"""The newest answer of a conversation, whichever that is."""
Newest: TypeAlias = Literal[_Newest.NEWEST]


async def begin_question(
    unit: Unit, scope: Scope, conversation_id: UUID, question: str, parent: UUID | Newest | None, lease: float
) -> TurnBegun:
    """Adds ``question`` below ``parent``, and its empty answer.

    Questions to one conversation begin one after the other. One that follows an answer waits for that answer to be
    whole or stopped; with a parent of its own it becomes a branch, and both are written at once.

    Raises:
        ConversationNotFound: There is none, or it is someone else's.
        MessageNotFound: It has no such parent.
        Conflict: The parent is still being written.
        InvalidRequest: The parent is a question.
    """
    conversation = await unit.conversations.get(scope, conversation_id, lock=True)
    await settle(unit, conversation_id, lease)
    if parent is NEWEST:
        before = await unit.messages.newest(scope, conversation_id)
    else:
        before = None if parent is None else await unit.messages.get(scope, conversation_id, parent)
    if before is not None:
        _check_parent(before)
    above = None if before is None else before.id
    asked = await unit.messages.add(conversation_id, above, Role.USER, MessageState.COMPLETE, question)
    if not conversation.title:
        await unit.conversations.update(conversation_id, title=title_from(question))
    return await _begun(unit, scope, conversation, asked)


async def begin_again(unit: Unit, scope: Scope, conversation_id: UUID, message_id: UUID) -> TurnBegun:
    """Adds another empty answer to a question, or to the question that ``message_id`` answers.

    Raises:
        ConversationNotFound: There is none, or it is someone else's.
        MessageNotFound: It has no such message.
    """
    conversation = await unit.conversations.get(scope, conversation_id, lock=True)
    message = await unit.messages.get(scope, conversation_id, message_id)
    if message.role is not Role.USER and message.parent_id is not None:
        message = await unit.messages.get(scope, conversation_id, message.parent_id)
    return await _begun(unit, scope, conversation, message)


async def settle(unit: Unit, conversation_id: UUID, lease: float) -> None:
    """Makes partial what nobody writes any more: its process was killed, or has been silent for ``lease`` seconds."""
    for message in await unit.messages.stale(conversation_id, lease):
        state = MessageState.PARTIAL if message.content else MessageState.FAILED
        await unit.messages.finish(message.id, state, message.content, error=CUT_OFF)


async def _begun(unit: Unit, scope: Scope, conversation: Conversation, question: ConversationMessage) -> TurnBegun:
    answer = await unit.messages.add(conversation.id, question.id, Role.ASSISTANT, MessageState.WRITING)
    await unit.conversations.touch(conversation.id)
    return TurnBegun(await unit.conversations.get(scope, conversation.id), question, answer)


def _check_parent(before: ConversationMessage) -> None:
    if before.role is Role.USER:
        raise InvalidRequest(
            "A question follows an answer, and the parent is a question.",
            hint="Give the parent of that question to ask something else instead, or have it answered again.",
        )
    if before.state is MessageState.WRITING:
        raise Conflict(
            "The answer that the question follows is still being written.",
            hint="Wait for its end, stop it, or give another answer as parent: the question becomes a branch.",
        )
