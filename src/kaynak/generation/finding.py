from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from uuid import UUID

from kaynak.domain import AskRequest, Depth, Scope, Span, StatusChanged
from kaynak.generation.models import LanguageModel
from kaynak.generation.protocol import Found
from kaynak.retrieval import Searcher


class SearchFinder:
    """Looks once, with the question as it is. See `Finder`.

    Args:
        searcher: Finds the passages.
    """

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher

    async def find(
        self, request: AskRequest, scope: Scope, *, depth: Depth, model: LanguageModel | None
    ) -> AsyncGenerator[StatusChanged | Found, None]:
        """See `Finder`."""
        query = request.search.query
        # No status before the search: an error of it is then the first event, and keeps its place in HTTP.
        result = await self._searcher.search(request.search, scope)
        if depth is not Depth.NORMAL:
            said = f"Looked at normal depth; “{depth}” is not available here."
            result = replace(result, degraded=(*result.degraded, said))
        yield Found(result, (query,))

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Finder`."""
        return await self._searcher.pages(scope, places)
