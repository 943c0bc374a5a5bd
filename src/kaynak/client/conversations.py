from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from kaynak.client import conversation_calls as calls
from kaynak.client.transports import AsyncTransport, Transport
from kaynak.domain import (
    AnswerEvent,
    Answering,
    Conversation,
    ConversationMatch,
    ConversationMessage,
    Json,
)


class ConversationCalls(Transport):
    """What `Client` can do with conversations."""

    def begin_conversation(
        self,
        collections: str | Sequence[str],
        *,
        title: str | None = None,
        answering: Answering | None = None,
        filter: Mapping[str, Json] | None = None,  # noqa: A002
    ) -> Conversation:
        """Begins a conversation with one or more collections.

        Args:
            collections: Names.
            title: Default: made from the first question.
            answering: How its answers are written.
            filter: Condition on the metadata of what may be cited.

        Raises:
            CollectionNotFound: One of the collections does not exist.
        """
        return self._run(calls.begin(collections, title, answering, filter))

    def conversations(self) -> Iterator[Conversation]:
        """Yields all conversations, those with the newest questions first."""
        return self._all(calls.listed)

    def find_conversations(self, words: str) -> Iterator[ConversationMatch]:
        """Yields conversations whose title, or one of whose messages, has all the words, in any case."""
        return self._all(lambda after: calls.found(words, after))

    def conversation(self, conversation: UUID) -> Conversation:
        """Returns the conversation.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        return self._run(calls.shown(conversation))

    def update_conversation(
        self,
        conversation: UUID,
        *,
        title: str | None = None,
        collections: Sequence[str] | None = None,
        answering: Answering | None = None,
        filter: Mapping[str, Json] | None = None,  # noqa: A002
    ) -> Conversation:
        """Renames the conversation, or changes what its next questions are asked of and how they are answered."""
        return self._run(calls.changed(conversation, title, collections, answering, filter))

    def delete_conversation(self, conversation: UUID) -> None:
        """Deletes the conversation with its messages."""
        self._run(calls.deleted(conversation))

    def messages(self, conversation: UUID) -> Iterator[ConversationMessage]:
        """Yields the messages of all branches, oldest first; ``parent_id`` makes them a tree."""
        return self._all(lambda after: calls.messages(conversation, after))

    def message(self, conversation: UUID, message: UUID) -> ConversationMessage:
        """Returns a message.

        Raises:
            MessageNotFound: The conversation has none of that id.
        """
        return self._run(calls.message(conversation, message))

    def ask_in(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = calls.NEWEST, **options: Any
    ) -> ConversationMessage:
        """Asks in a conversation, and returns the answer as it was kept.

        Args:
            conversation: Where.
            question: It may point back at what was said.
            parent: The answer it follows: an older one begins a branch. Default: the newest; None: it is a first one.
            options: Of this answer: ``model``, ``policy``, ``depth``, ``limit``.

        Raises:
            Conflict: The answer that it follows is still being written.
        """
        return self._run(calls.asked(conversation, question, parent, options))

    def ask_in_stream(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = calls.NEWEST, **options: Any
    ) -> Iterator[AnswerEvent]:
        """As `ask_in`; yields the answer as it comes into being, and `AnswerCompleted` last.

        A lost connection is made again, and the stream goes on where it was.
        """
        call = calls.asked(conversation, question, parent, options)
        yield from self._answer(call)

    def answer_again(self, conversation: UUID, message: UUID, **options: Any) -> ConversationMessage:
        """Has a question (or the question of an answer) answered once more, beside the answers it has."""
        return self._run(calls.asked_again(conversation, message, options))

    def stop_answer(self, conversation: UUID, message: UUID) -> ConversationMessage:
        """Stops the writing of an answer, and returns it as it was kept."""
        return self._run(calls.stopped(conversation, message))

    def export_conversation(self, conversation: UUID, *, leaf: UUID | None = None) -> str:
        """Returns the branch that ends in ``leaf`` (default: the newest) as Markdown with citations."""
        return (self._send(calls.exported(conversation, leaf))).text


class AsyncConversationCalls(AsyncTransport):
    """What `AsyncClient` can do with conversations."""

    async def begin_conversation(
        self,
        collections: str | Sequence[str],
        *,
        title: str | None = None,
        answering: Answering | None = None,
        filter: Mapping[str, Json] | None = None,  # noqa: A002
    ) -> Conversation:
        """Begins a conversation with one or more collections.

        Args:
            collections: Names.
            title: Default: made from the first question.
            answering: How its answers are written.
            filter: Condition on the metadata of what may be cited.

        Raises:
            CollectionNotFound: One of the collections does not exist.
        """
        return await self._run(calls.begin(collections, title, answering, filter))

    def conversations(self) -> AsyncIterator[Conversation]:
        """Yields all conversations, those with the newest questions first."""
        return self._all(calls.listed)

    def find_conversations(self, words: str) -> AsyncIterator[ConversationMatch]:
        """Yields conversations whose title, or one of whose messages, has all the words, in any case."""
        return self._all(lambda after: calls.found(words, after))

    async def conversation(self, conversation: UUID) -> Conversation:
        """Returns the conversation.

        Raises:
            ConversationNotFound: There is none of that id.
        """
        return await self._run(calls.shown(conversation))

    async def update_conversation(
        self,
        conversation: UUID,
        *,
        title: str | None = None,
        collections: Sequence[str] | None = None,
        answering: Answering | None = None,
        filter: Mapping[str, Json] | None = None,  # noqa: A002
    ) -> Conversation:
        """Renames the conversation, or changes what its next questions are asked of and how they are answered."""
        return await self._run(calls.changed(conversation, title, collections, answering, filter))

    async def delete_conversation(self, conversation: UUID) -> None:
        """Deletes the conversation with its messages."""
        await self._run(calls.deleted(conversation))

    def messages(self, conversation: UUID) -> AsyncIterator[ConversationMessage]:
        """Yields the messages of all branches, oldest first; ``parent_id`` makes them a tree."""
        return self._all(lambda after: calls.messages(conversation, after))

    async def message(self, conversation: UUID, message: UUID) -> ConversationMessage:
        """Returns a message.

        Raises:
            MessageNotFound: The conversation has none of that id.
        """
        return await self._run(calls.message(conversation, message))

    async def ask_in(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = calls.NEWEST, **options: Any
    ) -> ConversationMessage:
        """Asks in a conversation, and returns the answer as it was kept.

        Args:
            conversation: Where.
            question: It may point back at what was said.
            parent: The answer it follows: an older one begins a branch. Default: the newest; None: it is a first one.
            options: Of this answer: ``model``, ``policy``, ``depth``, ``limit``.

        Raises:
            Conflict: The answer that it follows is still being written.
        """
        return await self._run(calls.asked(conversation, question, parent, options))

    async def ask_in_stream(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = calls.NEWEST, **options: Any
    ) -> AsyncIterator[AnswerEvent]:
        """As `ask_in`; yields the answer as it comes into being, and `AnswerCompleted` last.

        A lost connection is made again, and the stream goes on where it was.
        """
        call = calls.asked(conversation, question, parent, options)
        async for event in self._answer(call):
            yield event

    async def answer_again(self, conversation: UUID, message: UUID, **options: Any) -> ConversationMessage:
        """Has a question (or the question of an answer) answered once more, beside the answers it has."""
        return await self._run(calls.asked_again(conversation, message, options))

    async def stop_answer(self, conversation: UUID, message: UUID) -> ConversationMessage:
        """Stops the writing of an answer, and returns it as it was kept."""
        return await self._run(calls.stopped(conversation, message))

    async def export_conversation(self, conversation: UUID, *, leaf: UUID | None = None) -> str:
        """Returns the branch that ends in ``leaf`` (default: the newest) as Markdown with citations."""
        return (await self._send(calls.exported(conversation, leaf))).text
