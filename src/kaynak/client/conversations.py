from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from kaynak.client.async_transport import AsyncTransport
from kaynak.client.both import Both, Listed
from kaynak.client.calls import Call, Page, answering_of, as_, given, names_of, nothing, pages
from kaynak.client.transport import Transport
from kaynak.domain import AnswerEvent, Answering, Conversation, ConversationMatch, ConversationMessage, Json

NEWEST = object()
"""In the place of a parent: the newest answer of the conversation."""


def _begin_conversation(
    collections: str | Sequence[str],
    *,
    title: str | None = None,
    answering: Answering | None = None,
    filter: Mapping[str, Json] | None = None,  # noqa: A002 - the name callers see
) -> Call[Conversation]:
    """Begins a conversation with one or more collections.

    Args:
        collections: Names.
        title: Default: made from the first question.
        answering: How its answers are written.
        filter: Condition on the metadata of what may be cited.

    Raises:
        CollectionNotFound: One of the collections does not exist.
    """
    body = given(collections=names_of(collections), title=title, answering=answering_of(answering), filter=filter)
    return Call("POST", "/v1/conversations", as_(Conversation), body=body, safe=False)


def _conversations(after: str | None) -> Call[Page[Conversation]]:
    """Yields all conversations, those with the newest questions first."""
    return pages("/v1/conversations", Conversation, after, {})


def _find_conversations(after: str | None, words: str) -> Call[Page[ConversationMatch]]:
    """Yields conversations whose title, or one of whose messages, has all the words, in any case."""
    return pages("/v1/conversations/search", ConversationMatch, after, {"q": words})


def _conversation(conversation: UUID) -> Call[Conversation]:
    """Returns the conversation.

    Raises:
        ConversationNotFound: There is none of that id.
    """
    return Call("GET", _path(conversation), as_(Conversation))


def _update_conversation(
    conversation: UUID,
    *,
    title: str | None = None,
    collections: Sequence[str] | None = None,
    answering: Answering | None = None,
    filter: Mapping[str, Json] | None = None,  # noqa: A002 - the name callers see
) -> Call[Conversation]:
    """Renames the conversation, or changes what its next questions are asked of and how they are answered."""
    names = None if collections is None else list(collections)
    body = given(title=title, collections=names, answering=answering_of(answering), filter=filter)
    return Call("PATCH", _path(conversation), as_(Conversation), body=body)


def _delete_conversation(conversation: UUID) -> Call[None]:
    """Deletes the conversation with its messages."""
    return Call("DELETE", _path(conversation), nothing, safe=False)


def _messages(after: str | None, conversation: UUID) -> Call[Page[ConversationMessage]]:
    """Yields the messages of all branches, oldest first; ``parent_id`` makes them a tree."""
    return pages(_path(conversation, "messages"), ConversationMessage, after, {})


def _message(conversation: UUID, message: UUID) -> Call[ConversationMessage]:
    """Returns a message.

    Raises:
        MessageNotFound: The conversation has none of that id.
    """
    return Call("GET", _path(conversation, "messages", message), as_(ConversationMessage))


def _ask_in(
    conversation: UUID, question: str, *, parent: UUID | object | None = NEWEST, **options: Any
) -> Call[ConversationMessage]:
    """Asks in a conversation, and returns the answer as it was kept.

    Args:
        conversation: Where.
        question: It may point back at what was said.
        parent: The answer it follows: an older one begins a branch. Default: the newest; None: it is a first one.
        options: Of this answer: ``model``, ``policy``, ``depth``, ``limit``.

    Raises:
        Conflict: The answer that it follows is still being written.
    """
    body = given(question=question, **options)
    if parent is not NEWEST:
        body["parent"] = None if parent is None else str(parent)
    # Asking twice would keep two questions, so it is not repeated.
    return Call("POST", _path(conversation, "messages"), as_(ConversationMessage), body=body, safe=False)


def _answer_again(conversation: UUID, message: UUID, **options: Any) -> Call[ConversationMessage]:
    """Has a question (or the question of an answer) answered once more, beside the answers it has."""
    path = _path(conversation, "messages", message, "regenerate")
    return Call("POST", path, as_(ConversationMessage), body=given(**options), safe=False)


def _stop_answer(conversation: UUID, message: UUID) -> Call[ConversationMessage]:
    """Stops the writing of an answer, and returns it as it was kept."""
    return Call("POST", _path(conversation, "messages", message, "stop"), as_(ConversationMessage))


def _export_conversation(conversation: UUID, *, leaf: UUID | None = None) -> Call[str]:
    """Returns the branch that ends in ``leaf`` (default: the newest) as Markdown with citations."""
    params = {"format": "markdown", **given(leaf=None if leaf is None else str(leaf))}
    return Call("GET", _path(conversation, "export"), bytes.decode, params=params, binary=True)


class _ConversationCalls:
    begin_conversation = Both(_begin_conversation)
    conversations = Listed(_conversations)
    find_conversations = Listed(_find_conversations)
    conversation = Both(_conversation)
    update_conversation = Both(_update_conversation)
    delete_conversation = Both(_delete_conversation)
    messages = Listed(_messages)
    message = Both(_message)
    ask_in = Both(_ask_in)
    answer_again = Both(_answer_again)
    stop_answer = Both(_stop_answer)
    export_conversation = Both(_export_conversation)


class ConversationCalls(_ConversationCalls, Transport):
    """What `Client` can do with conversations."""

    def ask_in_stream(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = NEWEST, **options: Any
    ) -> Iterator[AnswerEvent]:
        """As `ask_in`; yields the answer as it comes into being, and `AnswerCompleted` last.

        A lost connection is made again, and the stream goes on where it was.
        """
        yield from self._answer(_ask_in(conversation, question, parent=parent, **options))


class AsyncConversationCalls(_ConversationCalls, AsyncTransport):
    """What `AsyncClient` can do with conversations."""

    async def ask_in_stream(
        self, conversation: UUID, question: str, *, parent: UUID | object | None = NEWEST, **options: Any
    ) -> AsyncIterator[AnswerEvent]:
        """As `ask_in`; yields the answer as it comes into being, and `AnswerCompleted` last.

        A lost connection is made again, and the stream goes on where it was.
        """
        async for event in self._answer(_ask_in(conversation, question, parent=parent, **options)):
            yield event


def _path(conversation: UUID, *more: UUID | str) -> str:
    return "/".join(["/v1/conversations", str(conversation), *map(str, more)])
