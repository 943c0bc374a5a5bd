# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.answering import answering_of, stored_answering
from kaynak.catalog.sql import WITHHELD, scope_values
from kaynak.domain import (
    Answering,
    Conversation,
    ConversationMatch,
    ConversationNotFound,
    Json,
    Scope,
    new_id,
    search_words,
    snippet_of,
)

Position = tuple[datetime, UUID]
"""Where a page of a list ended: time of the latest question, and id."""

_COLUMNS = "c.id, c.title, c.collections, c.answering, c.filter, c.created_at, c.updated_at"
_AFTER = """(CAST(:after_id AS uuid) IS NULL
    OR (c.updated_at, c.id) < (CAST(:after_time AS timestamptz), CAST(:after_id AS uuid)))"""
_LIST = text(
    f"SELECT {_COLUMNS} FROM kaynak.conversations c WHERE c.owner = :owner AND {_AFTER} "
    "ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit"
)
# The index of words finds the messages; their texts are read for the page only.
_SEARCH = text(
    f"""
    WITH hits AS MATERIALIZED (
        SELECT DISTINCT ON (m.conversation_id) m.conversation_id, m.id
        FROM kaynak.messages m JOIN kaynak.conversations o ON o.id = m.conversation_id AND o.owner = :owner
        WHERE m.words @@ CAST(:query AS tsquery) AND NOT {WITHHELD}
        ORDER BY m.conversation_id, m.created_at DESC, m.id DESC
    ), page AS (
        SELECT {_COLUMNS}, h.id AS message_id
        FROM kaynak.conversations c LEFT JOIN hits h ON h.conversation_id = c.id
        WHERE c.owner = :owner AND (h.id IS NOT NULL OR c.words @@ CAST(:query AS tsquery)) AND {_AFTER}
        ORDER BY c.updated_at DESC, c.id DESC LIMIT :limit
    )
    SELECT page.*, coalesce(m.content, page.title) AS found
    FROM page LEFT JOIN kaynak.messages m ON m.id = page.message_id
    ORDER BY page.updated_at DESC, page.id DESC
    """
)


class Conversations:
    """Conversations. Each belongs to the subject of a scope; for all others it does not exist."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        scope: Scope,
        collections: Sequence[str],
        *,
        title: str = "",
        answering: Answering | None = None,
        condition: Mapping[str, Json] | None = None,
    ) -> Conversation:
        """Makes a conversation without messages and returns it.

        Args:
            scope: Whose it is.
            collections: Names of what will be asked.
            title: Empty: made from the first question.
            answering: How its answers are written.
            condition: On the metadata of what may be cited, as the caller gave it.
        """
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.conversations AS c (id, owner, title, collections, answering, filter, words) "
                "VALUES (:id, :owner, :title, :collections, CAST(:answering AS jsonb), CAST(:filter AS jsonb), "
                f"array_to_tsvector(CAST(:words AS text[]))) RETURNING {_COLUMNS}"
            ),
            {
                "id": new_id(),
                "owner": scope.subject,
                "title": title,
                "collections": list(collections),
                "answering": stored_answering(answering or Answering()),
                "filter": None if condition is None else json.dumps(condition),
                "words": search_words(title),
            },
        )
        return _conversation(made.mappings().one())

    async def get(self, scope: Scope, conversation_id: UUID, *, lock: bool = False) -> Conversation:
        """Returns the conversation, locked until the transaction ends if asked.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
        """
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.conversations c WHERE c.id = :id AND c.owner = :owner"
                + (" FOR NO KEY UPDATE" if lock else "")
            ),
            {"id": conversation_id, "owner": scope.subject},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise _missing()
        return _conversation(row)

    async def list(self, scope: Scope, *, after: Position | None = None, limit: int = 100) -> list[Conversation]:
        """Returns at most ``limit`` conversations, those with the newest questions first, those after ``after``."""
        found = await self._connection.execute(_LIST, {"owner": scope.subject, "limit": limit, **_position(after)})
        return [_conversation(row) for row in found.mappings()]

    async def search(
        self, scope: Scope, words: Sequence[str], *, after: Position | None = None, limit: int = 100
    ) -> Sequence[ConversationMatch]:
        """Returns conversations of whose title or of one of whose messages all ``words`` begin a word.

        Args:
            scope: Whose conversations.
            words: As `search_words` returns them; at least one.
            after: The end of the page before.
            limit: Most of them; in the order of `list`.
        """
        # Words are letters, digits and underscores only, so quotes hold them.
        query = " & ".join(f"'{word}':*" for word in words)
        found = await self._connection.execute(
            _SEARCH, {"owner": scope.subject, "query": query, "limit": limit, **_position(after), **scope_values(scope)}
        )
        return [
            ConversationMatch(_conversation(row), row["message_id"], snippet_of(row["found"], words))
            for row in found.mappings()
        ]

    async def update(
        self,
        conversation_id: UUID,
        *,
        title: str | None = None,
        collections: Sequence[str] | None = None,
        answering: Answering | None = None,
        condition: Mapping[str, Json] | None = None,
        clear_filter: bool = False,
    ) -> None:
        """Changes what is given; None leaves a field as it is.

        Args:
            conversation_id: The conversation.
            title: New title.
            collections: Names of what is asked from now on.
            answering: How answers are written from now on, as a whole.
            condition: New condition.
            clear_filter: Whether there is to be no condition any more.
        """
        await self._connection.execute(
            text(
                "UPDATE kaynak.conversations SET title = coalesce(:title, title), "
                "words = CASE WHEN CAST(:title AS text) IS NULL THEN words "
                "ELSE array_to_tsvector(CAST(:words AS text[])) END, "
                "collections = coalesce(CAST(:collections AS text[]), collections), "
                "answering = coalesce(CAST(:answering AS jsonb), answering), "
                "filter = CASE WHEN :clear THEN NULL ELSE coalesce(CAST(:filter AS jsonb), filter) END "
                "WHERE id = :id"
            ),
            {
                "id": conversation_id,
                "title": title,
                "words": search_words(title or ""),
                "collections": None if collections is None else list(collections),
                "answering": None if answering is None else stored_answering(answering),
                "filter": None if condition is None else json.dumps(condition),
                "clear": clear_filter,
            },
        )

    async def touch(self, conversation_id: UUID) -> None:
        """Notes that a question was asked, so that the conversation stands first."""
        await self._connection.execute(
            text("UPDATE kaynak.conversations SET updated_at = clock_timestamp() WHERE id = :id"),
            {"id": conversation_id},
        )

    async def summary(self, conversation_id: UUID) -> tuple[str, UUID] | None:
        """Returns the summary of the older part, and the last message that it covers; None if there is none."""
        found = await self._connection.execute(
            text("SELECT summary, summary_of FROM kaynak.conversations WHERE id = :id AND summary_of IS NOT NULL"),
            {"id": conversation_id},
        )
        row = found.one_or_none()
        return None if row is None else (row.summary, row.summary_of)

    async def summarise(self, conversation_id: UUID, summary: str, summary_of: UUID) -> None:
        """Keeps a summary of the messages that lead to ``summary_of``."""
        await self._connection.execute(
            text("UPDATE kaynak.conversations SET summary = :summary, summary_of = :of WHERE id = :id"),
            {"id": conversation_id, "summary": summary, "of": summary_of},
        )

    async def delete(self, scope: Scope, conversation_id: UUID) -> None:
        """Removes the conversation with its messages.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
        """
        gone = await self._connection.execute(
            text("DELETE FROM kaynak.conversations WHERE id = :id AND owner = :owner"),
            {"id": conversation_id, "owner": scope.subject},
        )
        if gone.rowcount == 0:
            raise _missing()


def _missing() -> ConversationNotFound:
    return ConversationNotFound("There is no such conversation.", hint="List the conversations to see their ids.")


def _position(after: Position | None) -> dict[str, object]:
    return {"after_time": None, "after_id": None} if after is None else {"after_time": after[0], "after_id": after[1]}


def _conversation(row: Mapping[Any, Any]) -> Conversation:
    return Conversation(
        id=row["id"],
        title=row["title"],
        collections=tuple(row["collections"]),
        answering=answering_of(row["answering"]),
        filter=row["filter"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
