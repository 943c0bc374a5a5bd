from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from kaynak.domain import KaynakError, Scope, SearchRequest, SearchResult, Span
from kaynak.embedding import Embedder
from kaynak.observability.metrics import Metrics
from kaynak.retrieval import Searching


class MeasuredSearcher:
    """Counts searches, by what they came to. See `Searching`.

    One that asks for what is not there, or may not, is ``refused``: nothing is wrong with us. One whose caller has
    left is not counted.

    Args:
        inner: Searches.
        metrics: Counts.
    """

    def __init__(self, inner: Searching, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics

    async def search(self, request: SearchRequest, scope: Scope) -> SearchResult:
        """See `Searcher`."""
        began = time.perf_counter()
        try:
            result = await self._inner.search(request, scope)
        except Exception as error:
            refused = isinstance(error, KaynakError) and error.status < 500
            self._metrics.searched("refused" if refused else "failed", time.perf_counter() - began)
            raise
        self._metrics.searched("degraded" if result.degraded else "ok", time.perf_counter() - began)
        return result

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Searcher`."""
        return await self._inner.pages(scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """See `Searcher`."""
        return await self._inner.embedder_of(collection)
