from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from kaynak.domain import CorruptIndex, Filter
from kaynak.engines.arangodb.client import PREFILTERS
from kaynak.engines.arangodb.searching import Search
from kaynak.engines.arangodb.spec import Layout, attribute, layout_from, layout_of, norm_attribute
from kaynak.engines.arangodb.store import ArangoStore
from kaynak.engines.arangodb.terms import ENTRY, having, terms_of
from kaynak.engines.arangodb.vector_indexes import VectorIndexes
from kaynak.engines.arangodb.writing import Record, Write
from kaynak.engines.checks import check_limit, check_points, check_vector, pick_field
from kaynak.engines.options import ArangoOptions
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector, VectorField
from kaynak.engines.sizes import Sizes

FILTERED_ROWS = 1.6
"""How many times the rows are still searched exactly under a filter, where a vector index finds less."""

EXACT_MOST = 200_000
"""Rows that are searched exactly when a vector index gave too few."""


class ArangoDense(ArangoStore):
    """Vector indexes of ArangoDB; exact where few points match or few are there.

    Args:
        options: Where the server is.
        exact_rows: Up to so many points of 384 dimensions are compared one by one; there is no vector index before
            there are more.
    """

    side = "dense"

    def __init__(self, options: ArangoOptions, *, exact_rows: int = 10_000) -> None:
        super().__init__(options)
        self.capabilities = Capabilities(
            metrics=frozenset({"cosine", "dot", "l2"}),
            named_vectors=True,
            filters=True,
            shared=True,
            atomic=options.shards == 1,
        )
        self._exact_rows = exact_rows
        self._known: dict[str, tuple[Layout, VectorIndexes]] = {}
        self._sizes = Sizes()

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        layout = layout_of(spec)
        await self._make(spec.name, layout.stored(), layout.nowhere())
        self._known.pop(spec.name, None)

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        self._known.pop(name, None)
        await super().drop(name)

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""
        layout, indexes = await self._layout(name)
        check_points(upserts, layout.fields)
        records = [_record(layout, one) for one in upserts]
        write = Write(self._client, name, self._collection(name), records, deletes, revision)
        await write.run(atomic=self.capabilities.atomic)
        self._sizes.written(name)
        if records:
            await self._index_if_large(layout, indexes)

    async def search(
        self,
        name: str,
        vector: Vector,
        limit: int,
        *,
        field: str | None = None,
        condition: Filter | None = None,
        exact: bool = False,
    ) -> Candidates:
        """See `DenseEngine.search`."""
        layout, indexes = await self._layout(name)
        which = pick_field(layout.fields, field)
        query = check_vector(vector, which)
        search = Search(self._client, name, self._collection(name), which, query, check_limit(limit), condition)
        lists = 0 if exact else await indexes.lists(which)
        if not lists or not await self._worth_probing(layout, which, condition):
            return await search.exact()
        try:
            found = await search.near(layout.probes(lists, limit, filtered=condition is not None))
        except CorruptIndex:
            # The vector index is gone, or all is, which the exact search finds out.
            indexes.forget()
            return await search.exact()
        # It looks only where the nearest should be, and cannot know how many more match elsewhere.
        if found.short and await self._count(name, condition, having(which.name), most=EXACT_MOST + 1) <= EXACT_MOST:
            return await search.exact()
        return found

    async def _worth_probing(self, layout: Layout, field: VectorField, condition: Filter | None) -> bool:
        """Returns whether more match than are compared one by one."""
        if condition is None:
            return True
        if await self._client.version() < PREFILTERS:
            # A condition after the look-up would leave of what was found only what matches.
            return False
        key = (layout.name, field.name, condition)
        large = self._sizes.large(key)
        if large is None:
            rows = int(layout.exact_rows(self._exact_rows) * FILTERED_ROWS)
            large = await self._count(layout.name, condition, having(field.name), most=rows + 1) > rows
            self._sizes.note(key, large=large)
        return large

    async def _index_if_large(self, layout: Layout, indexes: VectorIndexes) -> None:
        """Makes vector indexes once exact search would take too long.

        An index learns its lists once, from the points that are there: before 3.12.9 it cannot be made without, and
        later should not be.
        """
        rows = layout.exact_rows(self._exact_rows)
        for field in layout.fields:
            if not await indexes.possible(layout, field) or await indexes.lists(field):
                continue
            if await self._count(layout.name, None, having(field.name), most=rows + 1) > rows:
                await indexes.make(layout, field, await self._count(layout.name, None, having(field.name)))

    async def _layout(self, name: str) -> tuple[Layout, VectorIndexes]:
        known = self._known.get(name)
        if known is None:
            indexes = VectorIndexes(self._client, name, self._collection(name))
            known = self._known[name] = layout_from(name, await self._meta(name)), indexes
        return known

    async def _complete(self, name: str, database: Any) -> None:
        await VectorIndexes(self._client, name, self._collection(name)).check()


def _record(layout: Layout, point: Point) -> Record:
    vectors: dict[str, Any] = {}
    terms = [ENTRY, *(having(name) for name in point.vectors), *terms_of(point.payload)]
    for field in layout.fields:
        vector = point.vectors.get(field.name)
        if vector is not None:
            vectors[attribute(field)] = np.ascontiguousarray(vector, dtype=np.float32)
            if field.metric == "dot":
                vectors[norm_attribute(field)] = float(np.linalg.norm(vector.astype(np.float64)))
    return {"_key": str(point.id), "id": point.id, "document": str(point.document_id), "terms": terms, **vectors}
