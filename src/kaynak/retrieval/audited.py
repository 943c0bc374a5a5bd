from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kaynak.catalog import AuditWriter
from kaynak.domain import Action, AuditEntry, Hit, Scope, SearchRequest, SearchResult, Span
from kaynak.embedding import Embedder
from kaynak.retrieval.cached import Searching


class AuditedSearcher:
    """Writes each search into the audit log before what it found leaves. See `Searching`.

    Searches that belong to a question are not written: the question is.

    Args:
        inner: Searches.
        audit: Writes it down.
    """

    def __init__(self, inner: Searching, audit: AuditWriter) -> None:
        self._inner = inner
        self._audit = audit

    async def search(self, request: SearchRequest, scope: Scope) -> SearchResult:
        """See `Searcher`."""
        result = await self._inner.search(request, scope)
        words = await self._audit.query(request.query)
        await self._audit.write(looked_up(scope, Action.SEARCHED, request.collections, result.hits, words))
        return result

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Searcher`."""
        return await self._inner.pages(scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """See `Searcher`."""
        return await self._inner.embedder_of(collection)


def looked_up(
    scope: Scope, action: Action, collections: Sequence[str], hits: Sequence[Hit], words: dict[str, str]
) -> list[AuditEntry]:
    """Returns one entry for each collection, with the documents of it whose passages the caller gets to see.

    Args:
        scope: Who looked.
        action: `Action.SEARCHED` or `Action.ASKED`.
        collections: Names of where.
        hits: What is shown.
        words: What may be kept of the query, see `AuditWriter.query`.
    """
    shown: dict[str, dict[str, None]] = {name: {} for name in collections}
    for hit in hits:
        shown.setdefault(hit.collection, {})[str(hit.document_id)] = None
    return [
        AuditEntry.of(scope, action, f"collection={name}", {"documents": list(documents), **words})
        for name, documents in shown.items()
    ]
