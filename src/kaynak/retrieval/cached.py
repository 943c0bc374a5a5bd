from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from kaynak import __version__
from kaynak.caching import Cache, Values, digest
from kaynak.domain import Collection, Hit, KaynakError, Scope, SearchRequest, SearchResult, SearchTrace, Span
from kaynak.embedding import Embedder
from kaynak.indexing.parts import Embedders
from kaynak.retrieval.moments import Moment, Moments


class Searching(Protocol):
    """What finds passages. See `kaynak.retrieval.Searcher`."""

    async def search(self, request: SearchRequest, scope: Scope) -> SearchResult:
        """Returns the best passages that the caller may see."""
        ...

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """Returns the first page of each place (version id, span) in current versions; None where there is none."""
        ...

    async def embedder_of(self, collection: str) -> Embedder:
        """Returns the model of a collection that was searched in this process."""
        ...


class Looking(Searching, Protocol):
    """Finds passages, and need not look up what its caller just did. See `kaynak.retrieval.Searcher`."""

    async def search(
        self, request: SearchRequest, scope: Scope, *, collections: Sequence[Collection] = ()
    ) -> SearchResult:
        """Returns the best passages that the caller may see."""
        ...


class CachedSearcher:
    """Remembers what a search found as long as nothing it depends on changes. See `Searching`.

    A result is remembered under everything it depends on: the request, the caller, and its collections as they were,
    revision included. So a change of any document, permission or index asks for another key. What was remembered
    passes the catalog's gate again before it leaves.

    Args:
        inner: Searches.
        cache: Remembers.
        moments: Know what a search depends on.
        embedders: Models by name.
        seconds: How long to remember.
        version: What shapes results and is no part of requests, collections or the program, such as a re-ranker.
    """

    def __init__(
        self,
        inner: Looking,
        cache: Cache,
        moments: Moments,
        embedders: Embedders,
        *,
        seconds: float,
        version: str | None = None,
    ) -> None:
        self._version = version
        self._inner = inner
        self._embedders = embedders
        self._models: dict[str, str] = {}
        self._cache = cache
        self._moments = moments
        self._seconds = seconds
        self._values = Values(SearchResult)

    async def search(self, request: SearchRequest, scope: Scope) -> SearchResult:
        """See `Searcher`. A remembered result says so in its trace: its only stage is ``cache``."""
        begin = time.perf_counter()
        moment = await self._moment(request, scope)
        if moment is None:
            return await self._inner.search(request, scope)
        key = "search:" + digest(__version__, self._values.shape, self._version, request, scope, moment)
        known = await self._recall(key, moment, scope)
        if known is not None:
            spent = round((time.perf_counter() - begin) * 1000, 3)
            return replace(known, took_ms=spent, trace=SearchTrace({"cache": spent}, {}))
        settled = await self._moments.settled(moment)
        result = await self._inner.search(request, scope, collections=moment.collections)
        if result.degraded:
            self._moments.forget(moment)
        elif settled and moment.reaches(result.hits):
            await self._cache.set(key, self._values.dump(key, result), self._seconds)
        return result

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Searcher`."""
        return await self._inner.pages(scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """See `Searcher`; also of one whose results another process has remembered."""
        if collection in self._models:
            return await self._embedders.get(self._models[collection])
        return await self._inner.embedder_of(collection)

    async def _moment(self, request: SearchRequest, scope: Scope) -> Moment | None:
        """Returns the present moment; None for requests that are to be searched for in any case."""
        if request.explain or request.explain_document is not None or not request.collections:
            return None
        with suppress(KaynakError):  # the search itself says what is wrong
            moment = await self._moments.now(request.collections, scope)
            self._models.update((one.name, one.generation.spec.embedder.name) for one in moment.collections)
            if all(request.min_revision.get(one.name, 0) <= one.revision for one in moment.collections):
                return moment
        return None

    async def _recall(self, key: str, moment: Moment, scope: Scope) -> SearchResult | None:
        stored = await self._cache.get(key)
        if stored is None:
            return None
        known = self._values.load(key, stored)
        if known is None or not all(plausible(hit) for hit in known.hits):
            return None
        return known if await self._moments.admits(moment, scope, known.hits) else None


def plausible(hit: Hit) -> bool:
    """Returns whether a remembered passage can be one: it came from outside this process."""
    return bool(hit.chunk_ids) and len(hit.text) == hit.span.end - hit.span.start and 0.0 <= hit.score <= 1.0
