from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from kaynak.domain import Answer, AnswerCompleted, AnswerEvent


async def answer_of(answer: AsyncGenerator[AnswerEvent, None]) -> Answer:
    """Returns the answer that ``answer`` ends with, and closes it."""
    async with aclosing(answer) as events:
        async for event in events:
            if isinstance(event, AnswerCompleted):
                return event.answer
    raise RuntimeError("the stream of an answer ended without the answer")
