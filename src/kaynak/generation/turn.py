from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from kaynak.domain import Answer, AnswerSentence, AskRequest, Citation, FinishReason, Hit, Scope, TokenUsage
from kaynak.generation.choosing import Choice
from kaynak.generation.protocol import Finder, Found, Quote

SumT = TypeVar("SumT", TokenUsage, float)


@dataclass(slots=True)
class Turn:
    """One question on its way to its answer.

    Attributes:
        request: The question.
        scope: Who asks.
        choice: How it is answered.
        finder: Found the passages, and knows their pages.
        stop: Ends the answer early once it is set.
        found: The passages.
        begin: When it was asked, as `time.perf_counter`.
    """

    request: AskRequest
    scope: Scope
    choice: Choice
    finder: Finder
    stop: asyncio.Event | None
    found: Found
    begin: float = field(default_factory=time.perf_counter)

    @property
    def question(self) -> str:
        """What was asked."""
        return self.request.search.query

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The passages, best first."""
        return self.found.result.hits

    @property
    def stopped(self) -> bool:
        """Whether the answer is to end where it is."""
        return self.stop is not None and self.stop.is_set()

    async def pages(self, quotes: Sequence[Quote]) -> list[int | None]:
        """Returns the first page of each quote; the page map is read only where a passage is on several."""
        pages: list[int | None] = []
        for quote in quotes:
            hit = self.hits[quote.hit]
            if hit.pages is None or hit.pages[0] == hit.pages[1]:
                pages.append(hit.pages and hit.pages[0])
            else:
                (page,) = await self.finder.pages(self.scope, [(hit.version_id, quote.span)])
                pages.append(page if page is not None else hit.pages[0])
        return pages

    def answer(
        self,
        text: str,
        sentences: tuple[AnswerSentence, ...],
        citations: tuple[Citation, ...],
        *,
        found: bool,
        model: str,
        notes: tuple[str, ...] = (),
        usage: TokenUsage | None = None,
        cost: float | None = None,
        partial: bool = False,
        cut: FinishReason | None = None,
    ) -> Answer:
        """Returns the answer with what is known of the question; usage and cost are added to those of looking."""
        return Answer(
            question=self.question,
            text=text,
            sentences=sentences,
            citations=citations,
            found=found,
            model=model,
            hits=self.hits,
            degraded=(*self.found.result.degraded, *notes),
            took_ms=round((time.perf_counter() - self.begin) * 1000, 3),
            steps=self.found.steps,
            usage=summed(self.found.usage, usage),
            cost=summed(self.found.cost, cost),
            partial=partial,
            cut=cut,
        )


def summed(one: SumT | None, other: SumT | None) -> SumT | None:
    """Returns what two did together; what is not known of one is left out."""
    if one is None or other is None:
        return one if other is None else other
    return one + other
