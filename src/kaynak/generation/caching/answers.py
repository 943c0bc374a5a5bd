from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import uuid4

from kaynak import __version__
from kaynak.caching import Cache, Values, digest
from kaynak.domain import Answer, AnswerCompleted, AnswerEvent, AskRequest, KaynakError, Scope, UsageReported
from kaynak.generation.caching.flights import Flights
from kaynak.generation.caching.likeness import Likeness
from kaynak.generation.caching.replaying import consistent, replay, whole
from kaynak.generation.ending import answer_of
from kaynak.retrieval import Moment, Moments


class Asking(Protocol):
    """What answers questions. See `kaynak.generation.Asker`."""

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        """Returns the whole answer."""
        ...

    def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yields the answer as it comes into being, and `AnswerCompleted` last."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer is remembered.

    Attributes:
        key: Says everything it depends on.
        bucket: The same without the question.
        moment: What it depends on beside the question.
        settled: Whether the indexes reflect all of the moment.
    """

    key: str
    bucket: str
    moment: Moment
    settled: bool


class CachedAsker:
    """Remembers answers as long as nothing they depend on changes. See `Asking`.

    An answer is remembered under everything it depends on: the whole request, the caller, the collections as they
    were (revision, generation, how they want to be answered from), the defaults, and ``version``. So a change of any
    document or permission asks for another key. What was remembered passes the catalog's gate again before it
    leaves: every passage must still be current, and readable by the caller. Answers that are partial or degraded are
    not remembered. The same question asked at the same time is answered once.

    Args:
        inner: Answers.
        cache: Remembers.
        moments: Know what an answer depends on.
        seconds: How long to remember.
        version: Of all else that shapes an answer: defaults, prompt, verifier.
        likeness: To answer questions like a remembered one; None where only the same question counts.
    """

    def __init__(
        self,
        inner: Asking,
        cache: Cache,
        moments: Moments,
        *,
        seconds: float,
        version: object = "",
        likeness: Likeness | None = None,
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._moments = moments
        self._seconds = seconds
        self._version = digest(__version__, version)
        self._likeness = likeness
        self._values = Values(Answer)
        self._flights: Flights[AnswerEvent] = Flights()

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        """See `Asker`."""
        return await answer_of(self.stream(request, scope))

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """See `Asker`. A remembered answer comes as the same events, without those about progress and usage.

        An answer that two have asked for at once is stopped when both want it to.
        """
        begin = time.perf_counter()
        place = await self._place(request, scope)
        if place is None:
            async with aclosing(self._inner.stream(request, scope, stop=stop)) as events:
                async for event in events:
                    yield event
            return
        known = None if request.fresh else await self._known(request, scope, place)
        if known is not None:
            spent = round((time.perf_counter() - begin) * 1000, 3)
            for event in replay(replace(known, took_ms=spent)):
                yield event
            return
        flying = f"{place.key}:{uuid4()}" if request.fresh else place.key
        joined = self._flights.joins(flying)
        flight = self._flights.stream(flying, lambda end: self._answered(request, scope, place, end), stop)
        async with aclosing(flight) as events:
            async for event in events:
                if not joined:
                    yield event
                elif isinstance(event, AnswerCompleted):
                    yield AnswerCompleted(_free(event.answer, "exact") if whole(event.answer) else event.answer)
                elif not isinstance(event, UsageReported):  # it is counted once, for the one who asked first
                    yield event

    async def _answered(
        self, request: AskRequest, scope: Scope, place: _Place, stop: asyncio.Event
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yields the answer, and remembers it if it may be."""
        async with aclosing(self._inner.stream(request, scope, stop=stop)) as events:
            async for event in events:
                if isinstance(event, AnswerCompleted):
                    await self._remember(request, place, event.answer)
                yield event

    async def _place(self, request: AskRequest, scope: Scope) -> _Place | None:
        """Returns where the answer is remembered; None for requests that are to be answered anew in any case."""
        search = request.search
        if search.explain or search.explain_document is not None or not search.collections:
            return None
        try:
            moment = await self._moments.now(search.collections, scope)
        except KaynakError:  # the search itself says what is wrong
            return None
        if any(search.min_revision.get(one.name, 0) > one.revision for one in moment.collections):
            return None
        shape = (self._version, self._values.shape, scope, moment)
        usual = replace(request, fresh=False)  # so that the new answer takes the place of the remembered one
        blank = replace(usual, search=replace(search, query=""))
        return _Place(
            key="answer:" + digest(usual, *shape),
            bucket="alike:" + digest(blank, *shape),
            moment=moment,
            settled=await self._moments.settled(moment),
        )

    async def _known(self, request: AskRequest, scope: Scope, place: _Place) -> Answer | None:
        return await self._recall(place.key, place.moment, scope) or await self._alike(request, scope, place)

    async def _recall(self, key: str, moment: Moment, scope: Scope) -> Answer | None:
        stored = await self._cache.get(key)
        if stored is None:
            return None
        known = self._values.load(key, stored)
        if known is None or not consistent(known) or not await self._moments.admits(moment, scope, known.hits):
            return None
        return _free(known, "exact")

    async def _alike(self, request: AskRequest, scope: Scope, place: _Place) -> Answer | None:
        """Returns the answer to a remembered question that asks the same in other words."""
        if self._likeness is None:
            return None
        question = request.search.query
        async for like in self._likeness.of(question, place.bucket, place.moment):
            known = await self._recall(like.key, place.moment, scope)
            if known is not None and known.question == like.question:
                return replace(known, question=question, cached="semantic", degraded=(like.said,))
        return None

    async def _remember(self, request: AskRequest, place: _Place, answer: Answer) -> None:
        if not whole(answer):
            self._moments.forget(place.moment)
            return
        if not place.settled or not consistent(answer) or not place.moment.reaches(answer.hits):
            return
        await self._cache.set(place.key, self._values.dump(place.key, answer), self._seconds)
        if self._likeness is not None and answer.found:
            await self._likeness.note(request.search.query, place.key, place.bucket, place.moment, self._seconds)


def _free(answer: Answer, how: str) -> Answer:
    """Returns an answer as it comes out of the cache: it has used nothing."""
    return replace(answer, cached=how, usage=None, cost=None if answer.usage is None else 0.0)
