from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from kaynak.domain import (
    Citation,
    Conversation,
    ConversationMessage,
    ExportFormat,
    MessageState,
    Role,
    Scope,
    Verdict,
)
from kaynak.generation.conversing.conversations import Conversations

# Text of documents and of models must not become links, pictures or markup of the exported file.
_MARKUP = re.compile(r"([\\`*_\[\]<>#|~!&(){}$])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))", re.MULTILINE)
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|www)(?=[:.])")
_STATES = {MessageState.PARTIAL: "partial", MessageState.FAILED: "failed", MessageState.WRITING: "still being written"}
_PAGE = 500


async def exported(
    conversations: Conversations, scope: Scope, conversation_id: UUID, format_: ExportFormat, leaf: UUID | None = None
) -> str | dict[str, Any]:
    """Returns a conversation as Markdown text, or as what is to become JSON.

    Args:
        conversations: Where it is.
        scope: Who asks.
        conversation_id: The conversation.
        format_: Markdown has one branch, JSON has them all.
        leaf: For Markdown, the last message of the branch; None for the newest.

    Raises:
        ConversationNotFound: There is none, or it is someone else's.
        MessageNotFound: It has no such leaf.
    """
    conversation = await conversations.get(scope, conversation_id)
    if format_ is ExportFormat.MARKDOWN:
        branch = await conversations.branch(scope, conversation_id, leaf)
        await conversations.note_export(scope, conversation_id, format_.value)
        return as_markdown(conversation, branch)
    messages: list[ConversationMessage] = []
    while True:
        after = (messages[-1].created_at, messages[-1].id) if messages else None
        page = await conversations.messages(scope, conversation_id, after=after, limit=_PAGE)
        messages.extend(page)
        if len(page) < _PAGE:
            await conversations.note_export(scope, conversation_id, format_.value)
            return {"conversation": conversation, "messages": messages}


def as_markdown(conversation: Conversation, branch: Sequence[ConversationMessage]) -> str:
    """Returns one branch of a conversation as Markdown: questions, answers, and the quotes they rest on.

    Whatever stems from documents, people or models is plain text in it: no link and no picture leads out of it.

    Args:
        conversation: Whose messages they are.
        branch: From the first question on, as `Conversations.branch` returns them.
    """
    names = ", ".join(_plain(name) for name in conversation.collections)
    parts = [f"# {_plain(conversation.title or 'Conversation')}", f"Collections: {names}"]
    for message in branch:
        parts.extend(_question(message) if message.role is Role.USER else _answer(message))
    return "\n\n".join(parts) + "\n"


def _question(message: ConversationMessage) -> list[str]:
    return [f"## {_plain(' '.join(message.content.split()))}", f"{message.created_at:%Y-%m-%d %H:%M} UTC"]


def _answer(message: ConversationMessage) -> list[str]:
    if message.withheld:
        return ["*This answer is withheld: it rests on a document that you may not read any more*"]
    answer = message.answer
    parts = []
    if message.content:
        parts.append(_with_marks(message) if answer and answer.sentences else _plain(message.content))
    if message.state in _STATES:
        reason = f": {_plain(message.error)}" if message.error else ""
        parts.append(f"*This answer is {_STATES[message.state]}{reason}*")
    if answer and answer.citations:
        parts.append("\n".join(_citation(citation) for citation in answer.citations))
    if answer and answer.model:
        asked = f"; asked of the index: {_plain(message.asked)}" if message.asked else ""
        parts.append(f"Written by {_plain(answer.model)}{asked}")
    return parts


def _with_marks(message: ConversationMessage) -> str:
    """Returns the text, and below it the sentences that the sources do not bear out."""
    assert message.answer is not None  # noqa: S101 - the caller looked
    doubted = [s for s in message.answer.sentences if s.verdict not in (None, Verdict.SUPPORTED)]
    text = _plain(message.content)
    if doubted:
        lines = [
            f"- {s.verdict}: {_plain(s.text)}" + (f" ({_plain('; '.join(s.reasons))})" if s.reasons else "")
            for s in doubted
        ]
        text += "\n\nNot fully borne out by the sources:\n\n" + "\n".join(lines)
    return text


def _citation(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page is not None else ""
    where = f"{citation.title}, {citation.collection}/{citation.external_id}"
    span = f"version {citation.version}, characters {citation.span.start}–{citation.span.end}"
    quote = _plain(" ".join(citation.quote.split()))
    return f"- \\[{citation.marker}\\] “{quote}” — {_plain(where)}{page}, {span}"


def _plain(text: str) -> str:
    escaped = _MARKUP.sub(r"\\\1", text)
    escaped = _LINE_START.sub(lambda match: f"{match[1]}\\{match[2]}" if not match[2].isdigit() else match[0], escaped)
    # Many readers make links of bare addresses; a zero-width joiner keeps them text.
    return _ADDRESS.sub("\\1\u2060", escaped)
