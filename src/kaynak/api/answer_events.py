"""Answers on the wire: what each event of an answer is called, and what it carries. See docs/answers.md."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kaynak.api.sse import Event
from kaynak.domain import (
    AnswerCompleted,
    AnswerEvent,
    PassagesFound,
    SentenceWritten,
    StatusChanged,
    TextWritten,
    UsageReported,
)


async def answer_events(answer: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[Event, None]:
    """Yields the events of ``answer`` as they are sent, and closes it."""
    index = 0
    async with aclosing(answer) as events:
        async for event in events:
            match event:
                case StatusChanged():
                    yield "status", event
                case PassagesFound(hits):
                    yield "sources", {"hits": hits}
                case TextWritten():
                    yield "delta", event
                case SentenceWritten(sentence, citations):
                    for citation in citations:
                        yield "citation", citation
                    yield "verdict", {"index": index, "sentence": sentence}
                    index += 1
                case UsageReported():
                    yield "usage", event
                case AnswerCompleted(whole):
                    yield "done", whole
