from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from kaynak.catalog import Catalog, Excerpt, Look, first_pages
from kaynak.domain import (
    CatalogUnavailable,
    Collection,
    CollectionNotFound,
    CorruptIndex,
    GroupBy,
    Hit,
    Json,
    Scope,
    SearchRequest,
    SearchResult,
    SearchTrace,
    Span,
    matches,
)
from kaynak.embedding import Embedder
from kaynak.indexing import Followers, Parts
from kaynak.retrieval.absence import explain_absence
from kaynak.retrieval.checking import check
from kaynak.retrieval.hits import Found, Reader, hit_of, places_of, ranked_scores
from kaynak.retrieval.merging import drafts_of
from kaynak.retrieval.narrow import Narrow
from kaynak.retrieval.profiles import Profiles
from kaynak.retrieval.ranking import Ranking, rank
from kaynak.retrieval.revisions import Revisions
from kaynak.retrieval.sides import Question, Sides, Vector
from kaynak.retrieval.state import State, merged

DEPTHS = (100, 500, 2500, 10_000)
"""Candidates of each side: the first that is enough for what is asked, more if the gate leaves too few."""

REPEATS_MOST = 400
"""Passages that are read beyond what is wanted; a document that says the same a thousand times is not read whole."""

PASSED_LEAST = 0.3
"""Share of the head that has to pass the gate; else what the caller asks for is mostly what they may not read, and what
they may read lies deeper."""

CATCH_UP_SECONDS = 10.0
_AGAIN_SECONDS = (0.0, 0.4)


class Searcher:
    """Finds passages: both sides at once, fused, through the gate, readable. See `SearchRequest`.

    Args:
        catalog: The truth, and the gate.
        parts: Engines and models.
        followers: For reading one's own writes.
        query_chars: Longest query.
    """

    def __init__(self, catalog: Catalog, parts: Parts, followers: Followers, *, query_chars: int = 8192) -> None:
        self._catalog = catalog
        self._parts = parts
        self._followers = followers
        self._profiles = Profiles(catalog)
        self._revisions = Revisions(parts)
        self._query_chars = query_chars
        self._models: dict[str, str] = {}
        self._narrow = Narrow()

    async def search(
        self,
        request: SearchRequest,
        scope: Scope,
        *,
        vectors: Mapping[str, Vector] | None = None,
        collections: Sequence[Collection] = (),
    ) -> SearchResult:
        """Returns the best passages that the caller may see.

        The trace always has the time of each stage; of the collections it tells if an explanation is asked for.

        Args:
            request: What is asked.
            scope: Who asks.
            vectors: Unit vectors to look for meaning with, by the name of their model, in place of the query's own;
                see `Feedback`.
            collections: All those of the request, if they were looked up for this caller just now.

        Raises:
            InvalidQuery: The query is empty or too long, or is not text.
            InvalidRequest: Limit, offset or weight is out of bounds, or no collection is named.
            CollectionNotFound: One of the collections does not exist, or not for this caller.
            RevisionTimeout: The indexes do not reach ``min_revision`` in time.
            Unavailable: No side of any collection can answer, or the database does not.
        """
        check(request, self._query_chars)
        for pause in _AGAIN_SECONDS:
            # A database that was just restarted answers on a new connection.
            with suppress(CatalogUnavailable):
                return await self._search(State(request, scope, vectors or {}, list(collections)))
            await asyncio.sleep(pause)
        return await self._search(State(request, scope, vectors or {}, list(collections)))

    async def close(self) -> None:
        """Ends what goes on behind the scenes; to be called before the catalog is closed."""
        await self._profiles.close()

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """Returns the first page of each place (version id, span) in current versions; None where there is none."""
        async with self._catalog.read() as unit:
            return await first_pages(unit.connection, scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """Returns the model of a collection that was searched in this process.

        Raises:
            CollectionNotFound: It was not.
            EmbedderUnavailable: The model cannot be loaded now.
        """
        if collection not in self._models:
            raise CollectionNotFound(f"“{collection[:80]}” was not searched.")
        return await self._parts.embedders.get(self._models[collection])

    async def _search(self, state: State) -> SearchResult:
        begin = last = time.perf_counter()

        def mark(stage: str) -> None:
            nonlocal last
            now = time.perf_counter()
            state.stages[stage] = round((now - last) * 1000 + state.stages.get(stage, 0.0), 3)
            last = now

        request = state.request
        principals = state.scope.principals
        question = Question(
            request.query,
            self._parts,
            self._profiles,
            request.mode,
            request.filter,
            principals,
            self._narrow,
            state.vectors,
        )
        # The models are nearly always those of the last time: their work and the lookup go on side by side.
        known = {one.generation.spec.embedder.name for one in state.collections}
        question.expect(known or {self._models[name] for name in request.collections if name in self._models})
        try:
            await self._resolve(state)
        except BaseException:
            question.abandon()
            raise
        mark("lookup")
        wanted = request.offset + request.limit + 1
        first = next((at for at, depth in enumerate(DEPTHS) if depth >= 2 * wanted), len(DEPTHS) - 1)
        tier = first
        while True:
            asked = await self._ask(state, question, DEPTHS[tier])
            mark("sides")
            state.rankings = rank(asked, request.dense_weight)
            mark("fusion")
            for whole in (False, True):
                await self._read(state, DEPTHS[: tier + 1], wanted, whole=whole)
                if _enough(state, wanted):
                    break
            mark("gate")
            if _tightened(state, question):
                continue
            if _enough(state, wanted) or all(one.exhausted(DEPTHS[tier]) for one in asked) or tier == len(DEPTHS) - 1:
                break
            tier += 1
        hits = await self._hits(state)
        result = SearchResult(
            hits=hits,
            more=len(state.found) >= wanted,
            revisions=state.revisions,
            degraded=_degraded(state.rankings),
            took_ms=0.0,
            trace=await self._trace(state, hits),
        )
        mark("hits")
        return _timed(result, begin)

    async def _resolve(self, state: State) -> None:
        """Looks up the collections, for each request anew: names, permissions and generations may have changed."""
        if not state.collections:
            names = dict.fromkeys(state.request.collections)
            async with self._catalog.look() as look:
                state.collections = [await look.collection(state.scope, name) for name in names]
        self._models.update((one.name, one.generation.spec.embedder.name) for one in state.collections)
        wanted = [(one, state.request.min_revision.get(one.name, 0)) for one in state.collections]
        await asyncio.gather(
            *(self._followers.catch_up(one.id, least, CATCH_UP_SECONDS) for one, least in wanted if least > 0)
        )

    async def _ask(self, state: State, question: Question, depth: int) -> list[Sides]:
        asked, revisions = await asyncio.gather(
            asyncio.gather(*(question.ask(one, depth) for one in state.collections)),
            asyncio.gather(*(self._revisions.of(one) for one in state.collections)),
        )
        for one in asked:
            if any(isinstance(error, CorruptIndex) for error in one.failures.values()):
                self._followers.wake(one.collection.id)  # rebuilt now, and not when they next look by themselves
        if not any(one.answered for one in asked):
            raise next(error for one in asked for error in one.failures.values())
        for sides, revision in zip(asked, revisions, strict=True):
            collection = sides.collection
            state.revisions[collection.name] = revision
            if sides.failures:
                self._revisions.forget(collection)
            for stage, spent in sides.timings.items():
                state.stages[stage] = round(max(spent, state.stages.get(stage, 0.0)), 3)
        return list(asked)

    async def _read(self, state: State, depths: Sequence[int], wanted: int, *, whole: bool) -> None:
        """Sends candidates through the gate, all of them or the most promising, and reads as many as are wanted."""
        passages = state.request.group_by is GroupBy.PASSAGE
        generations = [ranking.sides.collection.generation for ranking in state.rankings]
        state.reader = reader = Reader(state.scope, generations, repeats=not passages)
        async with self._catalog.look() as look:
            await self._admit(look, state, depths[0], whole=whole)
            state.tiers = merged(state.rankings, state.admitted, depths, whole=whole, passages=passages)
            drafts = drafts_of(state.tiers, by_document=not passages)
            size, most = wanted, wanted + REPEATS_MOST
            while len(reader.found) < wanted and reader.seen < most:
                some = list(itertools.islice(drafts, min(size, most - reader.seen)))
                if not some:
                    break
                await reader.read(look, some)
                size *= 2  # where much is repeated, much has to be read

    async def _admit(self, look: Look, state: State, depth: int, *, whole: bool) -> None:
        """Sends what was not yet there through the gate: first the heads, with what they say."""
        condition = state.request.filter
        state.asked = state.asked or [set() for _ in state.rankings]
        state.admitted = state.admitted or [{} for _ in state.rankings]
        for ranking, asked, admitted in zip(state.rankings, state.asked, state.admitted, strict=True):
            ids = [key for key in (ranking.ids if whole else ranking.head(depth)) if key not in asked]
            asked.update(ids)
            rows = await look.admit(
                state.scope,
                ranking.sides.collection.generation,
                ids,
                payload=condition is not None,
                details=not whole,
            )
            # Engines filter for speed; what counts is what the catalog says now.
            admitted.update((row.chunk_id, row) for row in rows if condition is None or matches(condition, row.payload))

    async def _hits(self, state: State) -> tuple[Hit, ...]:
        request = state.request
        page = slice(request.offset, request.offset + request.limit)
        found = list(zip(state.found, ranked_scores(state.found), strict=True))[page]
        places = await self._places(state.scope, [one for one, _ in found])
        return tuple(
            hit_of(
                one,
                place,
                score,
                state.rankings[one.draft.best.source],
                state.shown(one.draft.best.source),
                explain=request.explain,
            )
            for (one, score), place in zip(found, places, strict=True)
            if place is not None
        )

    async def _places(self, scope: Scope, found: Sequence[Found]) -> list[Excerpt | None]:
        if all(one.whole for one in found):
            return [Excerpt(one.text, None) for one in found]
        async with self._catalog.read() as unit:
            return await places_of(unit, scope, found)

    async def _trace(self, state: State, hits: Sequence[Hit]) -> SearchTrace:
        collections: dict[str, Json] = {}
        absent = None
        if state.request.explain_document is not None:
            absent = await explain_absence(self._catalog, state, hits)
        if state.request.explain or absent is not None:
            for ranking, admitted in zip(state.rankings, state.admitted, strict=True):
                collections[ranking.sides.collection.name] = ranking.describe(
                    admitted, narrow=state.narrow(ranking.sides.collection)
                )
        return SearchTrace(state.stages, collections, absent)


def _enough(state: State, wanted: int) -> bool:
    """Returns whether to look no further: the page is full, or what comes only repeats itself."""
    return state.reader is not None and (
        len(state.reader.found) >= wanted or state.reader.seen >= wanted + REPEATS_MOST
    )


def _tightened(state: State, question: Question) -> bool:
    """Returns whether engines have to be asked again, because the gate left little of what they were asked loosely.

    It goes by the head, which is the same for all pages.
    """
    again = [
        ranking.sides.collection
        for ranking, admitted in zip(state.rankings, state.admitted, strict=True)
        if question.loose(ranking.sides.collection)
        and (head := ranking.head(DEPTHS[0]))
        and sum(key in admitted for key in head) < PASSED_LEAST * len(head)
    ]
    for collection in again:
        question.tighten(collection)
    return bool(again)


def _degraded(rankings: Sequence[Ranking]) -> tuple[str, ...]:
    what = {"dense": "by meaning", "lexical": "by words"}
    return tuple(
        f"“{ranking.sides.collection.name}” could not be searched {what[side]}: {error.message}"
        for ranking in rankings
        for side, error in sorted(ranking.sides.failures.items())
    )


def _timed(result: SearchResult, begin: float) -> SearchResult:
    return replace(result, took_ms=round((time.perf_counter() - begin) * 1000, 3))
