from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kaynak.catalog import Catalog, Unit
from kaynak.domain import (
    Action,
    Answering,
    Conversation,
    ConversationMatch,
    ConversationMessage,
    InvalidQuery,
    Json,
    MessageState,
    Scope,
    parse_filter,
    search_words,
    validate_title,
)
from kaynak.generation.conversing.beginning import settle
from kaynak.generation.conversing.turns import Turns

Position = tuple[datetime, UUID]
_STOP_SECONDS = 5.0


class Conversations:
    """Conversations as people list, read, change and delete them. Each belongs to who began it.

    Args:
        catalog: Where they are kept.
        turns: Writes their answers.
        lease: Seconds without a sign of life after which the writer of an answer is taken for dead.
    """

    def __init__(self, catalog: Catalog, turns: Turns, *, lease: float = 10.0) -> None:
        self._catalog = catalog
        self._turns = turns
        self._lease = lease

    async def create(
        self,
        scope: Scope,
        collections: Sequence[str],
        *,
        title: str = "",
        answering: Answering | None = None,
        condition: Mapping[str, Json] | None = None,
    ) -> Conversation:
        """Begins a conversation.

        Args:
            scope: Whose it is.
            collections: Names of what will be asked; at least one.
            title: Empty: made from the first question.
            answering: How its answers are written.
            condition: On the metadata of what may be cited, as the caller gave it.

        Raises:
            CollectionNotFound: One of them does not exist, or not for this caller.
            InvalidRequest: The title is too long.
            InvalidFilter: The condition is malformed.
        """
        title = validate_title(title) if title else ""
        if condition is not None:
            parse_filter(condition)
        async with self._catalog.begin() as unit:
            await _check_collections(unit, scope, collections)
            return await unit.conversations.create(
                scope, collections, title=title, answering=answering, condition=condition
            )

    async def get(self, scope: Scope, conversation_id: UUID) -> Conversation:
        """Returns the conversation.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
        """
        async with self._catalog.read() as unit:
            return await unit.conversations.get(scope, conversation_id)

    async def list(self, scope: Scope, *, after: Position | None = None, limit: int = 100) -> Sequence[Conversation]:
        """Returns at most ``limit`` conversations, those with the newest questions first."""
        async with self._catalog.read() as unit:
            return await unit.conversations.list(scope, after=after, limit=limit)

    async def search(
        self, scope: Scope, query: str, *, after: Position | None = None, limit: int = 100
    ) -> Sequence[ConversationMatch]:
        """Returns conversations of whose title or of one of whose messages all words of ``query`` begin a word.

        Case, accents and the dots of ``i`` do not matter. The order is that of `list`.

        Raises:
            InvalidQuery: It has no word.
        """
        words = search_words(query)[:32]
        if not words:
            raise InvalidQuery("The query has no word.", hint="Give a word of a title, a question or an answer.")
        async with self._catalog.read() as unit:
            return await unit.conversations.search(scope, words, after=after, limit=limit)

    async def update(
        self,
        scope: Scope,
        conversation_id: UUID,
        *,
        title: str | None = None,
        collections: Sequence[str] | None = None,
        answering: Answering | None = None,
        condition: Mapping[str, Json] | None = None,
        clear_filter: bool = False,
    ) -> Conversation:
        """Changes what is given, for the questions to come, and returns the conversation.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
            CollectionNotFound: A collection does not exist, or not for this caller.
            InvalidRequest: The title is blank or too long.
            InvalidFilter: The condition is malformed.
        """
        title = None if title is None else validate_title(title)
        if condition is not None:
            parse_filter(condition)
        async with self._catalog.begin() as unit:
            await unit.conversations.get(scope, conversation_id, lock=True)
            await _check_collections(unit, scope, collections or ())
            await unit.conversations.update(
                conversation_id,
                title=title,
                collections=collections,
                answering=answering,
                condition=condition,
                clear_filter=clear_filter,
            )
            return await unit.conversations.get(scope, conversation_id)

    async def delete(self, scope: Scope, conversation_id: UUID) -> None:
        """Deletes the conversation with its messages. There is no way back.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
        """
        async with self._catalog.begin() as unit:
            await unit.conversations.delete(scope, conversation_id)
            unit.audit.record(scope, Action.CONVERSATION_DELETED, f"conversation:{conversation_id}")

    async def note_export(self, scope: Scope, conversation_id: UUID, kind: str) -> None:
        """Writes down that a conversation leaves as a file."""
        await self._catalog.audit.record(
            scope, Action.CONVERSATION_EXPORTED, f"conversation:{conversation_id}", format=kind
        )

    async def messages(
        self, scope: Scope, conversation_id: UUID, *, after: Position | None = None, limit: int = 100
    ) -> Sequence[ConversationMessage]:
        """Returns at most ``limit`` messages of all branches, oldest first.

        Raises:
            ConversationNotFound: There is none, or it is someone else's.
        """
        await self._settle(scope, conversation_id)
        async with self._catalog.read() as unit:
            return await unit.messages.list(scope, conversation_id, after=after, limit=limit)

    async def message(self, scope: Scope, conversation_id: UUID, message_id: UUID) -> ConversationMessage:
        """Returns the message.

        Raises:
            ConversationNotFound: There is no such conversation, or it is someone else's.
            MessageNotFound: It has no such message.
        """
        await self._settle(scope, conversation_id)
        async with self._catalog.read() as unit:
            return await unit.messages.get(scope, conversation_id, message_id)

    async def branch(
        self, scope: Scope, conversation_id: UUID, leaf: UUID | None = None
    ) -> Sequence[ConversationMessage]:
        """Returns the messages from the first question to ``leaf``; default: to the newest one.

        Raises:
            ConversationNotFound: There is no such conversation, or it is someone else's.
            MessageNotFound: It has no such message.
        """
        await self._settle(scope, conversation_id)
        async with self._catalog.read() as unit:
            if leaf is None:
                newest = await unit.messages.newest(scope, conversation_id)
                return await unit.messages.path(scope, conversation_id, newest.id) if newest else ()
            await unit.messages.get(scope, conversation_id, leaf)
            return await unit.messages.path(scope, conversation_id, leaf)

    async def stop(self, scope: Scope, conversation_id: UUID, message_id: UUID) -> ConversationMessage:
        """Has the writing of an answer stopped, wherever it is written, and returns it as it is then.

        It is still ``writing`` if its writer has not heard of it within some seconds. What is not being written
        stays as it is.

        Raises:
            ConversationNotFound: There is no such conversation, or it is someone else's.
            MessageNotFound: It has no such message.
        """
        async with self._catalog.begin() as unit:
            await unit.conversations.get(scope, conversation_id)
            await unit.messages.get(scope, conversation_id, message_id)
            await unit.messages.request_stop(message_id)
        self._turns.stop(message_id)
        loop = asyncio.get_running_loop()
        until = loop.time() + _STOP_SECONDS
        while True:
            message = await self.message(scope, conversation_id, message_id)
            if message.state is not MessageState.WRITING or loop.time() >= until:
                return message
            await asyncio.sleep(0.05)

    async def _settle(self, scope: Scope, conversation_id: UUID) -> None:
        """Makes partial what nobody writes any more, before it is read."""
        async with self._catalog.read() as unit:
            await unit.conversations.get(scope, conversation_id)
            writing = await unit.messages.writing(conversation_id)
        if writing:
            async with self._catalog.begin() as unit:
                await settle(unit, conversation_id, self._lease)


async def _check_collections(unit: Unit, scope: Scope, names: Sequence[str]) -> None:
    for name in names:
        await unit.collections.get(scope, name)
