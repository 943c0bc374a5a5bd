# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from kaynak.domain import CorruptIndex, Filter, Making
from kaynak.engines.checks import check_limit, check_name, check_points, check_vector, pick_field
from kaynak.engines.pgvector.building import Building, Limits
from kaynak.engines.pgvector.faults import translated
from kaynak.engines.pgvector.groups import grouped
from kaynak.engines.pgvector.matching import matching
from kaynak.engines.pgvector.pool import Connection, Pool
from kaynak.engines.pgvector.searching import EXACT_MOST, FILTERED_ROWS, Search
from kaynak.engines.pgvector.spec import Layout, layout_from, layout_of
from kaynak.engines.pgvector.writing import make, remove, write
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector
from kaynak.engines.sizes import Key, Sizes

T = TypeVar("T")

_PAGE = 5000


class PgVectorEngine:
    """HNSW on half-precision vectors, or as told; exact where few rows match or few are there.

    Args:
        url: PostgreSQL ≥ 15 with pgvector ≥ 0.8, as ``postgresql://…``.
        connections: At most this many at a time, of its own.
        exact_rows: Up to so many rows of 384 dimensions are compared one by one (about 10 ms of work); there
            is no index of vectors before there are more.
        at_once: A graph of up to so many is built in the write that makes it due, which then takes some seconds; larger
            ones by `finish`.
        build_megabytes: Memory that the server may take to build a graph.
    """

    capabilities = Capabilities(
        metrics=frozenset({"cosine", "dot", "l2"}), named_vectors=True, filters=True, shared=True, finishes=True
    )

    def __init__(
        self,
        url: str,
        *,
        connections: int = 4,
        exact_rows: int = 10_000,
        at_once: int = 20_000,
        build_megabytes: int = 2048,
    ) -> None:
        self._exact_rows = exact_rows
        self._at_once = at_once
        self._build_megabytes = build_megabytes
        self._pool = Pool(url, connections)
        self._building = Building(self._pool)
        self._layouts: dict[str, Layout] = {}
        self._sizes = Sizes()
        self._many = Sizes()  # what is more than to compare with all that match, and less than to walk for

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        check_name(spec.name)
        layout = layout_of(spec)
        await self._run(spec.name, lambda connection: make(connection, layout), self._pool.run)
        self._layouts.pop(spec.name, None)

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        check_name(name)
        self._layouts.pop(name, None)
        with translated(name):
            await remove(self._pool, name)

    async def exists(self, name: str) -> bool:
        """Returns whether the index has its table."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        check_name(name)
        row = await self._one(
            name,
            "SELECT revision, to_regclass(%(table)s) IS NOT NULL FROM kaynak_index.registry WHERE name = %(name)s",
            {"name": name, "table": f'kaynak_index."{name}"'},
        )
        if not row[1]:
            raise CorruptIndex(f"Index “{name}” has lost its table.")
        return int(row[0])

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many points match."""
        layout = await self._layout(name)
        found = matching(layout, condition)
        row = await self._one(name, f"SELECT sum(n) FROM ({found.counted}) AS counted", found.where.params)
        return int(row[0] or 0)

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all points, by id."""
        layout = await self._layout(name)
        after: int | None = None
        while True:
            rows = await self._all(
                name,
                f"SELECT chunk_id, document_id FROM {layout.table}"
                f" WHERE %(after)s::bigint IS NULL OR chunk_id > %(after)s ORDER BY chunk_id LIMIT {_PAGE}",
                {"after": after},
            )
            for key, document in rows:
                yield key, document
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""
        layout = await self._layout(name)
        check_points(upserts, layout.fields)
        limits = self._limits(layout)
        with translated(name):
            await self._pool.run(lambda connection: write(connection, layout, upserts, deletes, revision, limits))
        self._sizes.written(name)
        self._many.written(name)

    async def finish(self, name: str) -> None:
        """See `FinishingEngine.finish`."""
        layout = await self._layout(name)
        with translated(name):
            await self._building.finish(layout, self._limits(layout))

    async def unfinished(self, name: str) -> Making | None:
        """See `FinishingEngine.unfinished`."""
        layout = await self._layout(name)
        with translated(name):
            return await self._building.unfinished(layout, self._limits(layout))

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
        layout = await self._layout(name)
        which = pick_field(layout.fields, field)
        query = check_vector(vector, which)
        search = Search(layout, which, query, check_limit(limit), condition)
        key = (name, which.name, condition)
        rows = layout.exact_rows(self._exact_rows)
        rows = rows if condition is None else int(rows * FILTERED_ROWS)
        if which not in layout.indexed_fields or exact:
            return await self._run(name, search.exact)
        large = self._sizes.large(key)
        if large is None:
            large = await self._run(name, lambda connection: search.worth_walking(connection, rows))
            self._sizes.note(key, large=large)
        if not large:
            return await self._compared(name, search, key)
        walk = search.walk
        approximate = await self._run(name, search.approximate, lambda work: self._pool.look(work, walk=walk))
        if not approximate.short:
            return approximate
        # Fewer came than were asked for: fewer match than is remembered, or dead rows were in the way.
        if await self._run(name, lambda connection: search.more_than(connection, EXACT_MOST)):
            return approximate
        self._sizes.note(key, large=False)
        return await self._run(name, search.exact)

    async def _compared(self, name: str, search: Search, key: Key) -> Candidates:
        many = self._many.large(key) if search.sift else False
        if many is None:
            many = await self._run(name, lambda connection: search.more_than(connection, search.sift))
            self._many.note(key, large=many)
        return await self._run(name, search.sifted if many else search.exact)

    async def health(self) -> None:
        """Asks the server.

        Raises:
            EngineUnavailable: It does not answer.
        """
        await self._run("health", lambda connection: connection.execute("SELECT 1"))

    async def close(self) -> None:
        """Closes all connections."""
        await self._pool.close()

    def _limits(self, layout: Layout) -> Limits:
        return Limits(layout.exact_rows(self._exact_rows), layout.exact_rows(self._at_once), self._build_megabytes)

    async def _layout(self, name: str) -> Layout:
        known = self._layouts.get(name)
        if known is None:
            row = await self._one(
                check_name(name), "SELECT spec FROM kaynak_index.registry WHERE name = %(name)s", {"name": name}
            )
            known = layout_from(name, row[0])
            if not await self._run(name, lambda connection: grouped(connection, known)):
                return replace(known, grouped=False)  # and is tried again the next time
            self._layouts[name] = known
        return known

    async def _one(self, name: str, statement: str, params: dict[str, Any]) -> tuple[Any, ...]:
        rows = await self._all(name, statement, params)
        if not rows:
            raise CorruptIndex(f"There is no index “{name}”.")
        return rows[0]

    async def _all(self, name: str, statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def work(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = await connection.execute(statement, params)
            return await cursor.fetchall()

        return await self._run(name, work)

    async def _run(
        self,
        name: str,
        work: Callable[[Connection], Awaitable[T]],
        how: Callable[[Callable[[Connection], Awaitable[T]]], Awaitable[T]] | None = None,
    ) -> T:
        """Runs ``work`` as `Pool.look` does, or as ``how`` says."""
        try:
            with translated(name):
                return await (how or self._pool.look)(work)
        except CorruptIndex:
            # It may be made anew with other fields.
            self._layouts.pop(name, None)
            raise
