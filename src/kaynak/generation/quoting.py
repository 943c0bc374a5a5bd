from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from kaynak.domain import (
    AnswerCompleted,
    AnswerEvent,
    AnswerSentence,
    SentenceWritten,
    Span,
    TextWritten,
    TokenUsage,
    Verdict,
)
from kaynak.generation.citing import Citations, marked
from kaynak.generation.protocol import Answerer
from kaynak.generation.turn import Turn
from kaynak.generation.wording import not_found


async def quote(turn: Turn, answerer: Answerer, notes: tuple[str, ...] = ()) -> AsyncGenerator[AnswerEvent, None]:
    """Yields what the built-in writes, and the whole answer.

    Args:
        turn: The question and what was found for it.
        answerer: Chooses what to quote.
        notes: What the reader should know besides.
    """
    citations = Citations(turn.hits)
    sentences: list[AnswerSentence] = []
    text = ""
    async for written in answerer.stream(turn.question, turn.hits):
        quotes = citations.verified(written)
        if not quotes:
            continue
        if turn.stopped:
            break
        sentence, new = citations.cite(written.text, quotes, await turn.pages(quotes))
        shown = marked(sentence)
        lead = " " if text else ""
        span = Span(len(text + lead), len(text + lead + shown))
        text += lead + shown
        # Quotes are borne out by themselves: there is nothing to check.
        sentences.append(replace(sentence, span=span, verdict=Verdict.SUPPORTED))
        yield TextWritten(lead + shown)
        yield SentenceWritten(sentences[-1], new)
    if not sentences and not turn.stopped:
        async for event in say_not_found(turn, answerer.name, notes):
            yield event
        return
    yield AnswerCompleted(
        turn.answer(
            text,
            tuple(sentences),
            citations.all,
            found=bool(sentences),
            model=answerer.name,
            notes=notes,
            partial=turn.stopped,
        )
    )


async def say_not_found(
    turn: Turn,
    model: str,
    notes: tuple[str, ...] = (),
    *,
    usage: TokenUsage | None = None,
    cost: float | None = None,
) -> AsyncGenerator[AnswerEvent, None]:
    """Yields the answer that the sources do not say."""
    text = not_found(turn.question)
    sentence = AnswerSentence(text, (), span=Span(0, len(text)))
    yield TextWritten(text)
    yield SentenceWritten(sentence, ())
    answer = turn.answer(text, (sentence,), (), found=False, model=model, notes=notes, usage=usage, cost=cost)
    yield AnswerCompleted(answer)
