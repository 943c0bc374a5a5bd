# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import WITHHELD, scope_values
from kaynak.domain import (
    Answer,
    ConversationMessage,
    MessageNotFound,
    MessageState,
    Role,
    Scope,
    new_id,
    search_words,
)

_COLUMNS = """m.id, m.conversation_id, m.parent_id, m.role, m.state, m.content, m.asked, m.answer, m.error,
    m.created_at, m.updated_at"""
_READ = f"{_COLUMNS}, {WITHHELD} AS withheld"
_PATH = text(
    f"""
    WITH RECURSIVE path AS (
        SELECT m.id, m.parent_id, 0 AS depth FROM kaynak.messages m
        WHERE m.id = :leaf AND m.conversation_id = :conversation
        UNION ALL
        SELECT m.id, m.parent_id, path.depth + 1 FROM kaynak.messages m JOIN path ON m.id = path.parent_id
    )
    SELECT {_READ} FROM path JOIN kaynak.messages m ON m.id = path.id ORDER BY path.depth DESC
    """
)
_LIST = text(
    f"""
    SELECT {_READ} FROM kaynak.messages m
    WHERE m.conversation_id = :conversation AND (CAST(:after_id AS uuid) IS NULL
        OR (m.created_at, m.id) > (CAST(:after_time AS timestamptz), CAST(:after_id AS uuid)))
    ORDER BY m.created_at, m.id LIMIT :limit
    """
)
_STALE = text(
    f"""
    SELECT {_COLUMNS}, FALSE AS withheld FROM kaynak.messages m
    WHERE m.conversation_id = :conversation AND m.state = 'writing'
        AND m.updated_at < clock_timestamp() - make_interval(secs => :seconds)
    FOR UPDATE
    """
)
_SOURCES = """sources = CASE WHEN CAST(:sources AS uuid[]) <@ sources THEN sources
    ELSE ARRAY(SELECT DISTINCT unnest(sources || CAST(:sources AS uuid[]))) END"""


class Messages:
    """The messages of conversations. Ask `Conversations` first whether the caller may see the conversation.

    An answer that rests on a document that the caller may not read any more is withheld: it is there, without what it
    says. So is one that rests on a document that is gone, but not from who reads everything.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self, conversation_id: UUID, parent_id: UUID | None, role: Role, state: MessageState, content: str = ""
    ) -> ConversationMessage:
        """Adds a message below ``parent_id`` and returns it."""
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.messages AS m "
                "(id, conversation_id, parent_id, role, state, content, words, created_at, updated_at) "
                "VALUES (:id, :conversation, :parent, :role, :state, :content, "
                # Of several messages of one transaction each has its own time, so that they have an order.
                "array_to_tsvector(CAST(:words AS text[])), clock_timestamp(), clock_timestamp()) "
                f"RETURNING {_COLUMNS}, FALSE AS withheld"
            ),
            {
                "id": new_id(),
                "conversation": conversation_id,
                "parent": parent_id,
                "role": role,
                "state": state,
                "content": content,
                "words": search_words(content),
            },
        )
        return _message(made.mappings().one())

    async def get(self, scope: Scope, conversation_id: UUID, message_id: UUID) -> ConversationMessage:
        """Returns the message.

        Raises:
            MessageNotFound: The conversation has none of that id.
        """
        found = await self._connection.execute(
            text(f"SELECT {_READ} FROM kaynak.messages m WHERE m.id = :id AND m.conversation_id = :conversation"),
            {"id": message_id, "conversation": conversation_id, **scope_values(scope)},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise MessageNotFound("The conversation has no such message.", hint="List its messages to see their ids.")
        return _message(row)

    async def list(
        self,
        scope: Scope,
        conversation_id: UUID,
        *,
        after: tuple[datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[ConversationMessage]:
        """Returns at most ``limit`` messages of all branches, oldest first, those after ``after``."""
        time, last = after or (None, None)
        found = await self._connection.execute(
            _LIST,
            {
                "conversation": conversation_id,
                "after_time": time,
                "after_id": last,
                "limit": limit,
                **scope_values(scope),
            },
        )
        return [_message(row) for row in found.mappings()]

    async def newest(self, scope: Scope, conversation_id: UUID) -> ConversationMessage | None:
        """Returns the newest message: the end of the branch that was last worked on."""
        found = await self._connection.execute(
            text(
                f"SELECT {_READ} FROM kaynak.messages m WHERE m.conversation_id = :conversation "
                "ORDER BY m.created_at DESC, m.id DESC LIMIT 1"
            ),
            {"conversation": conversation_id, **scope_values(scope)},
        )
        row = found.mappings().one_or_none()
        return None if row is None else _message(row)

    async def path(self, scope: Scope, conversation_id: UUID, leaf: UUID) -> Sequence[ConversationMessage]:
        """Returns the messages from the first question to ``leaf``; empty if there is no such message."""
        values = {"conversation": conversation_id, "leaf": leaf, **scope_values(scope)}
        return [_message(row) for row in (await self._connection.execute(_PATH, values)).mappings()]

    async def sources(self, message_ids: Iterable[UUID]) -> set[UUID]:
        """Returns the documents that messages rest on."""
        found = await self._connection.execute(
            text("SELECT DISTINCT unnest(sources) FROM kaynak.messages WHERE id = ANY(CAST(:ids AS uuid[]))"),
            {"ids": list(message_ids)},
        )
        return set(found.scalars())

    async def finish(
        self,
        message_id: UUID,
        state: MessageState,
        content: str,
        *,
        asked: str | None = None,
        answer: Answer | None = None,
        error: str | None = None,
        sources: Collection[UUID] = (),
    ) -> bool:
        """Ends the writing of a message; returns False if it is not the writer's any more, see `Drafts.save`.

        Args:
            message_id: The message.
            state: Complete, partial or failed.
            content: The text.
            asked: The question as it stands alone.
            answer: The answer; its hits are not kept. None leaves what was saved.
            error: Why it is not complete, for people.
            sources: Documents that it rests on, besides those that are known already.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.messages SET state = :state, content = :content, asked = coalesce(:asked, asked), "
                f"answer = coalesce(CAST(:answer AS jsonb), answer), {_SOURCES}, error = :error, "
                "words = array_to_tsvector(CAST(:words AS text[])), updated_at = clock_timestamp() "
                "WHERE id = :id AND state = 'writing'"
            ),
            {
                "id": message_id,
                "state": state,
                "content": content,
                "asked": asked,
                "answer": None if answer is None else stored(answer),
                "sources": list(sources),
                "error": error,
                "words": search_words(content),
            },
        )
        return done.rowcount > 0

    async def request_stop(self, message_id: UUID) -> None:
        """Asks the writer, wherever it is, to stop; it looks at every sign of life."""
        await self._connection.execute(
            text("UPDATE kaynak.messages SET stop_requested = TRUE WHERE id = :id AND state = 'writing'"),
            {"id": message_id},
        )

    async def writing(self, conversation_id: UUID) -> bool:
        """Returns whether an answer of the conversation is being written."""
        found = await self._connection.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM kaynak.messages "
                "WHERE conversation_id = :conversation AND state = 'writing')"
            ),
            {"conversation": conversation_id},
        )
        return bool(found.scalar_one())

    async def stale(self, conversation_id: UUID, seconds: float) -> Sequence[ConversationMessage]:
        """Returns, locked, the messages whose writer has given no sign of life for ``seconds``."""
        found = await self._connection.execute(_STALE, {"conversation": conversation_id, "seconds": seconds})
        return [_message(row) for row in found.mappings()]


@cache
def _answers() -> TypeAdapter[Answer]:
    adapter = TypeAdapter(Answer)
    # Json, which refers to itself, is met in hits only, and those are not kept.
    adapter.rebuild(_types_namespace={"Json": Any, "JsonScalar": Any})
    return adapter


def stored(answer: Answer) -> str:
    """Returns the answer as it is kept, without its hits."""
    return _answers().dump_json(replace(answer, hits=())).decode()


def _message(row: Mapping[Any, Any]) -> ConversationMessage:
    withheld = row["withheld"]
    stored = None if withheld else row["answer"]
    return ConversationMessage(
        id=row["id"],
        conversation_id=row["conversation_id"],
        parent_id=row["parent_id"],
        role=Role(row["role"]),
        state=MessageState(row["state"]),
        content="" if withheld else row["content"],
        asked=None if withheld else row["asked"],
        answer=None if stored is None else _answers().validate_python(stored),
        error=row["error"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        withheld=withheld,
    )
