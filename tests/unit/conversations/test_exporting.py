from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from markdown_it import MarkdownIt

from kaynak.domain import (
    Answer,
    Answering,
    AnswerSentence,
    Citation,
    Conversation,
    ConversationMessage,
    MessageState,
    Role,
    Span,
    Verdict,
)
from kaynak.generation.conversing import as_markdown

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
EVIL = "![x](https://evil.example/?d=1) <img src=x> [a](http://evil.example) www.evil.example # no\n\n# heading\n- list"


def messages(text: str, state: MessageState = MessageState.COMPLETE, error: str | None = None):
    citation = Citation(1, "handbook", uuid4(), EVIL, EVIL, uuid4(), 3, 2, Span(4, 12), EVIL)
    doubted = AnswerSentence("It is 14 days.", (1,), Verdict.UNSUPPORTED, ("“14” is not in the source",))
    answer = Answer("?", text, (doubted,), (citation,), True, "openai:a", (), (), 1.0)
    home = uuid4()
    asked = ConversationMessage(uuid4(), home, None, Role.USER, MessageState.COMPLETE, EVIL, None, None, None, NOW, NOW)
    written = ConversationMessage(
        uuid4(), home, asked.id, Role.ASSISTANT, state, text, "How much leave?", answer, error, NOW, NOW
    )
    return Conversation(home, EVIL, ("handbook",), Answering(), None, NOW, NOW), [asked, written]


def test_answers_are_exported_with_citations_and_verdicts() -> None:
    text = as_markdown(*messages("It is 14 days. [1]"))
    assert "It is 14 days. \\[1\\]" in text
    assert "unsupported: It is 14 days." in text
    assert "page 2, version 3, characters 4–12" in text
    assert "asked of the index: How much leave?" in text


def test_partial_answers_say_so() -> None:
    text = as_markdown(*messages("It is", MessageState.PARTIAL, "It was stopped."))
    assert "*This answer is partial: It was stopped.*" in text


def test_nothing_from_outside_becomes_markup() -> None:
    tokens = MarkdownIt("commonmark").parse(as_markdown(*messages(EVIL)))
    kinds = {child.type for token in tokens for child in (token.children or [token])}
    assert not kinds & {"image", "link_open", "html_inline", "html_block", "code_inline"}
    headings = [token for token in tokens if token.type == "heading_open"]
    assert [token.tag for token in headings] == ["h1", "h2"]
