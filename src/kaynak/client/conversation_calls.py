"""The calls of conversations as data, see `kaynak.client.calls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from kaynak.client.calls import Call, Page, pages
from kaynak.client.decoding import decode
from kaynak.domain import Answering, Conversation, ConversationMatch, ConversationMessage, Json

NEWEST = object()
"""In the place of a parent: the newest answer of the conversation."""


def begin(
    collections: str | Sequence[str],
    title: str | None,
    answering: Answering | None,
    condition: Mapping[str, Json] | None,
) -> Call[Conversation]:
    """Begins a conversation."""
    names = [collections] if isinstance(collections, str) else list(collections)
    body = {"collections": names, **_given(title=title, answering=_chosen(answering), filter=condition)}
    return Call("POST", "/v1/conversations", _conversation, body=body, safe=False)


def listed(after: str | None) -> Call[Page[Conversation]]:
    """Lists conversations."""
    return pages("/v1/conversations", Conversation, after, {})


def found(words: str, after: str | None) -> Call[Page[ConversationMatch]]:
    """Searches conversations."""
    return pages("/v1/conversations/search", ConversationMatch, after, {"q": words})


def shown(conversation: UUID) -> Call[Conversation]:
    """Shows a conversation."""
    return Call("GET", f"/v1/conversations/{conversation}", _conversation)


def changed(
    conversation: UUID,
    title: str | None,
    collections: Sequence[str] | None,
    answering: Answering | None,
    condition: Mapping[str, Json] | None,
) -> Call[Conversation]:
    """Changes a conversation."""
    names = None if collections is None else list(collections)
    body = _given(title=title, collections=names, answering=_chosen(answering), filter=condition)
    return Call("PATCH", f"/v1/conversations/{conversation}", _conversation, body=body)


def deleted(conversation: UUID) -> Call[None]:
    """Deletes a conversation."""
    return Call("DELETE", f"/v1/conversations/{conversation}", lambda _: None, safe=False)


def messages(conversation: UUID, after: str | None) -> Call[Page[ConversationMessage]]:
    """Lists messages."""
    return pages(f"/v1/conversations/{conversation}/messages", ConversationMessage, after, {})


def message(conversation: UUID, message_id: UUID) -> Call[ConversationMessage]:
    """Shows a message."""
    return Call("GET", f"/v1/conversations/{conversation}/messages/{message_id}", _message)


def asked(conversation: UUID, question: str, parent: object, options: Mapping[str, Any]) -> Call[ConversationMessage]:
    """Asks in a conversation; asking twice would keep two questions, so it is not repeated."""
    body: dict[str, Any] = {"question": question, **_given(**options)}
    if parent is not NEWEST:
        body["parent"] = None if parent is None else str(parent)
    return Call("POST", f"/v1/conversations/{conversation}/messages", _message, body=body, safe=False)


def asked_again(conversation: UUID, message_id: UUID, options: Mapping[str, Any]) -> Call[ConversationMessage]:
    """Has a question answered once more."""
    path = f"/v1/conversations/{conversation}/messages/{message_id}/regenerate"
    return Call("POST", path, _message, body=_given(**options), safe=False)


def stopped(conversation: UUID, message_id: UUID) -> Call[ConversationMessage]:
    """Stops an answer."""
    return Call("POST", f"/v1/conversations/{conversation}/messages/{message_id}/stop", _message)


def exported(conversation: UUID, leaf: UUID | None) -> Call[None]:
    """Exports a branch as Markdown."""
    params = {"format": "markdown", **_given(leaf=None if leaf is None else str(leaf))}
    return Call("GET", f"/v1/conversations/{conversation}/export", lambda _: None, params=params)


def _conversation(value: Any) -> Conversation:
    return decode(Conversation, value)


def _message(value: Any) -> ConversationMessage:
    return decode(ConversationMessage, value)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _chosen(answering: Answering | None) -> dict[str, Any] | None:
    if answering is None:
        return None
    chosen = asdict(answering)
    return _given(**chosen.pop("settings"), **chosen)
