from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from kaynak.domain import (
    AbsenceExplanation,
    Collection,
    Hit,
    KaynakError,
    Misconfigured,
    RerankerUnavailable,
    Scope,
    SearchRequest,
    SearchResult,
    SearchTrace,
    Span,
)
from kaynak.embedding import Embedder
from kaynak.reranking import Reranker
from kaynak.retrieval.cached import Looking
from kaynak.retrieval.checking import LIMIT_MOST

DEPTH = 50
"""Passages that are put in a new order; what stands behind them stays where it is."""

_REST_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class RerankedSearcher:
    """Puts the first passages that a search found in the order of a re-ranker. See `Searching`.

    Every page is cut out of the same order, so pages continue each other. Scores stay with the places: what is asked of
    a score elsewhere, such as how sure an answer may be, was measured on them. A re-ranker that is away leaves the
    order as it was, and the result says so.

    Args:
        inner: Searches.
        opening: Loads the re-ranker, when the first search needs it.
        seconds: Most time for re-ranking; loading is not waited for longer either.
    """

    def __init__(self, inner: Looking, opening: Callable[[], Awaitable[Reranker]], *, seconds: float) -> None:
        self._inner = inner
        self._opening = opening
        self._seconds = seconds
        self._loading: asyncio.Task[Reranker] | None = None
        self._rests_until = 0.0

    async def search(
        self, request: SearchRequest, scope: Scope, *, collections: Sequence[Collection] = ()
    ) -> SearchResult:
        """See `Searcher`. The trace has the stage ``rerank``."""
        # What is out of bounds is the inner one's to refuse.
        if not 0 <= request.offset < DEPTH or not 1 <= request.limit <= LIMIT_MOST:
            return await self._inner.search(request, scope, collections=collections)
        end = request.offset + request.limit
        wide = replace(request, offset=0, limit=min(LIMIT_MOST, max(DEPTH, end)))
        result = await self._inner.search(wide, scope, collections=collections)
        rest = end - wide.limit
        if rest > 0 and result.more:
            last = await self._inner.search(replace(request, offset=wide.limit, limit=rest), scope)
            result = replace(result, hits=result.hits + last.hits, more=last.more)
        begin = time.perf_counter()
        order, failure = await self._order(request.query, result.hits)
        spent = round((time.perf_counter() - begin) * 1000, 3)
        hits = _moved(result.hits, order, explain=request.explain)
        page = hits[request.offset : end]
        return replace(
            result,
            hits=page,
            more=result.more or len(hits) > end,
            degraded=result.degraded if failure is None else (*result.degraded, failure),
            took_ms=round(result.took_ms + spent, 3),
            trace=_traced(result.trace, spent, hits, request),
        )

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Searcher`."""
        return await self._inner.pages(scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """See `Searcher`."""
        return await self._inner.embedder_of(collection)

    async def close(self) -> None:
        """Frees the re-ranker."""
        if self._loading is not None:
            self._loading.cancel()
            (found,) = await asyncio.gather(self._loading, return_exceptions=True)
            if not isinstance(found, BaseException):
                await found.close()

    async def _order(self, query: str, hits: Sequence[Hit]) -> tuple[list[int], str | None]:
        """Returns places in their new order, and what to say if it is the old one for want of a re-ranker."""
        first = min(DEPTH, len(hits))
        kept = list(range(len(hits)))
        if first < 2:
            return kept, None
        try:
            if time.monotonic() < self._rests_until:
                raise RerankerUnavailable("The re-ranker did not answer just now.")
            async with asyncio.timeout(self._seconds):
                reranker = await self._loaded()
                scores = await reranker.rerank(query, [hit.text for hit in hits[:first]])
        except (RerankerUnavailable, Misconfigured) as exc:
            error: KaynakError = exc
        except TimeoutError:
            error = RerankerUnavailable(f"The re-ranker did not answer within {self._seconds:g} s.")
        else:
            return [*sorted(range(first), key=lambda at: -scores[at]), *kept[first:]], None
        if time.monotonic() >= self._rests_until:
            _log.warning("not_reranked", error=error.type, reason=error.message)
            self._rests_until = time.monotonic() + _REST_SECONDS
        return kept, f"The passages are not re-ranked: {error.message}"

    async def _loaded(self) -> Reranker:
        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = asyncio.ensure_future(self._opening())
        # Whoever loses patience does not end the loading for the next one.
        return await asyncio.shield(self._loading)


def _moved(hits: Sequence[Hit], order: Sequence[int], *, explain: bool) -> tuple[Hit, ...]:
    found = []
    for place, at in enumerate(order):
        hit = replace(hits[at], score=hits[place].score)
        if explain and hit.explanation is not None and at != place:
            note = f"the re-ranker moved it from place {at + 1} to {place + 1}"
            hit = replace(hit, explanation=replace(hit.explanation, notes=(*hit.explanation.notes, note)))
        found.append(hit)
    return tuple(found)


def _traced(trace: SearchTrace | None, spent: float, hits: Sequence[Hit], request: SearchRequest) -> SearchTrace | None:
    if trace is None:
        return None
    absent = trace.absent
    if absent is not None and absent.found:
        absent = _placed(absent, hits, request)
    return replace(trace, stages={**trace.stages, "rerank": spent}, absent=absent)


def _placed(absent: AbsenceExplanation, hits: Sequence[Hit], request: SearchRequest) -> AbsenceExplanation:
    """Returns where a document stands that was found: more was looked at than the page that was asked for."""
    place = next(at for at, hit in enumerate(hits, start=1) if hit.external_id == absent.external_id)
    if request.offset < place <= request.offset + request.limit:
        return replace(absent, reason=f"It is hit {place}.")
    return replace(absent, found=False, stage="limit", reason=f"It is hit {place}, beyond what was asked for.")
