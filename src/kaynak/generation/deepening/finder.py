from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np

from kaynak.catalog import Catalog
from kaynak.domain import (
    AskRequest,
    Depth,
    KaynakError,
    Scope,
    SearchMode,
    SearchRequest,
    SearchResult,
    Span,
    StatusChanged,
)
from kaynak.generation.deepening.budget import Budget, Limits
from kaynak.generation.deepening.evidence import Evidence
from kaynak.generation.deepening.expanding import expand
from kaynak.generation.deepening.exploring import Explorer
from kaynak.generation.deepening.opening import Opener
from kaynak.generation.deepening.splitting import parts_of
from kaynak.generation.models import LanguageModel
from kaynak.generation.protocol import Found
from kaynak.retrieval import Feedback, Searching, Steered, Vector

QUICK = 5
"""Passages of a quick look, or half of what was asked for if that is less."""


class DepthFinder:
    """Looks quickly, normally or deeply. See `Finder`.

    *quick* hands on half as many passages. *normal* searches once. *deep* searches again with what was found first
    (`Feedback`) and for each part of the question; with a model also for other words and for a passage as it might
    stand in a source, and then lets the model look on. What the model cannot help with is done without it.

    Args:
        searcher: Searches once; may remember.
        deep: Searches with vectors of ours.
        feedback: Makes them.
        catalog: To read on in.
        limits: Of one deep look.
    """

    def __init__(
        self, searcher: Searching, deep: Steered, feedback: Feedback, catalog: Catalog, limits: Limits | None = None
    ) -> None:
        self._searcher = searcher
        self._deep = deep
        self._feedback = feedback
        self._opener = Opener(catalog)
        self._limits = limits or Limits()

    async def find(
        self, request: AskRequest, scope: Scope, *, depth: Depth, model: LanguageModel | None
    ) -> AsyncGenerator[StatusChanged | Found, None]:
        """See `Finder`."""
        search = request.search
        if depth is Depth.QUICK:
            search = replace(search, limit=max(1, min(QUICK, search.limit // 2)))
        # No status before the search: an error of it is then the first event, and keeps its place in HTTP.
        result = await self._searcher.search(search, scope)
        if depth is not Depth.DEEP:
            yield Found(result, (search.query,))
            return
        async for step in self._deeper(search, scope, result, model):
            yield step

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Finder`."""
        return await self._searcher.pages(scope, places)

    async def _deeper(
        self, search: SearchRequest, scope: Scope, first: SearchResult, model: LanguageModel | None
    ) -> AsyncGenerator[StatusChanged | Found, None]:
        budget = Budget(self._limits)
        asked = [search.query]
        passage, beside = "", list(parts_of(search.query))
        helped = model is None
        if model is not None:
            yield StatusChanged("searching", "other words for the question")
            expansion = await expand(search.query, model, budget)
            if expansion is not None:
                helped, passage = True, expansion.passage
                beside = [*(expansion.parts or beside), *expansion.queries]
        yield StatusChanged("searching", "what is like the first passages")
        evidence = Evidence(await self._again(search, scope, first, passage))
        for query in dict.fromkeys(beside):
            asked.append(query)
            yield StatusChanged("searching", query)
        evidence.beside = await self._each(search, scope, asked[1:])
        if model is not None and helped:
            explorer = Explorer(model, lambda query: self._one(search, scope, query), self._opener, scope, search.limit)
            async for stage, said in explorer.explore(search.query, asked, evidence, budget):
                if stage == "reading":
                    asked.append(said)
                yield StatusChanged(stage, said)
        result = evidence.result(search.limit)
        if not helped:
            said = "The model did not help to look: the search was deepened without it."
            result = replace(result, degraded=(*result.degraded, said))
        yield Found(result, tuple(asked), budget.usage, budget.cost)

    async def _again(self, search: SearchRequest, scope: Scope, first: SearchResult, passage: str) -> SearchResult:
        """Searches once more, nearer to what was found first and to a passage as it might stand in a source."""
        if search.mode is SearchMode.LEXICAL or not first.hits:
            return first
        vectors = await self._feedback.vectors(search.query, first.hits, scope)
        if passage:
            vectors = await self._towards(passage, vectors)
        return await self._deep.search(search, scope, vectors=vectors) if vectors else first

    async def _towards(self, passage: str, vectors: Mapping[str, Vector]) -> dict[str, Vector]:
        moved: dict[str, Vector] = {}
        for name, vector in vectors.items():
            imagined = await self._feedback.imagined(name, passage)
            mean = vector if imagined is None else vector + imagined
            length = float(np.linalg.norm(mean))
            moved[name] = np.asarray(mean / length, dtype=np.float32) if length > 0 else vector
        return moved

    async def _each(self, search: SearchRequest, scope: Scope, queries: Sequence[str]) -> list[SearchResult]:
        found = await asyncio.gather(*(self._one(search, scope, query) for query in queries), return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, KaynakError):
                raise one
        return [one for one in found if isinstance(one, SearchResult)]

    async def _one(self, search: SearchRequest, scope: Scope, query: str) -> SearchResult:
        return await self._searcher.search(replace(search, query=query, offset=0), scope)
