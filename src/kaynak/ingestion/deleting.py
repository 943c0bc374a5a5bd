from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from uuid import UUID

from kaynak.catalog import Catalog, chosen, count_chosen
from kaynak.domain import Deletion, Examination, Filter, Permission, Scope
from kaynak.indexing import Proving
from kaynak.ingestion.documents import Documents

AT_ONCE = 10_000
"""Documents whose names are held at a time, by default."""


class Deleting:
    """Deletes documents, and proves it.

    Args:
        catalog: Knows which documents match.
        documents: Deletes them.
        proving: Looks whether anything is left.
        portion: How many are deleted, and looked for, together.
    """

    def __init__(self, catalog: Catalog, documents: Documents, proving: Proving, *, portion: int = AT_ONCE) -> None:
        self._catalog = catalog
        self._documents = documents
        self._proving = proving
        self._portion = portion

    async def delete(self, scope: Scope, collection: str, documents: Mapping[UUID, str]) -> Examination:
        """Deletes documents of one collection, and returns what every store has of them afterwards.

        Args:
            scope: Who asks.
            collection: Where they are.
            documents: Their external ids, by id.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not change it.
        """
        proof = await self._proving.proof(scope, collection, documents)
        await self._documents.delete_many(scope, collection, list(documents))
        return await proof()

    async def matching(self, scope: Scope, collection: str, condition: Filter) -> tuple[int, UUID | None]:
        """Returns how many documents `delete_matching` would delete, and the last of them.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not change it.
        """
        async with self._catalog.read() as unit:
            there = await unit.collections.get(scope, collection)
            scope.require(Permission.WRITE, there.id)
            return await count_chosen(unit.connection, scope, there.id, condition)

    async def delete_matching(
        self, scope: Scope, collection: str, condition: Filter, *, until: UUID, limit: int | None = None
    ) -> AsyncIterator[Deletion]:
        """Deletes the documents that match and that the caller may read, and yields what became of each portion.

        What came after ``until`` stays, though it matches: nobody has counted it. What is changed meanwhile so that it
        does not match any more stays, too.

        Args:
            scope: Who asks.
            collection: Where they are.
            condition: What is to match.
            until: The last one, of `matching`.
            limit: How many at most.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not change it.
        """
        left = limit
        while left is None or left > 0:
            size = self._portion if left is None else min(left, self._portion)
            async with self._catalog.read() as unit:
                there = await unit.collections.get(scope, collection)
                scope.require(Permission.WRITE, there.id)
                portion = await chosen(unit.connection, scope, there.id, condition, until=until, limit=size)
            if portion:
                yield Deletion(len(portion), await self.delete(scope, collection, portion))
            if len(portion) < size:
                return
            left = None if left is None else left - len(portion)
