from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from kaynak.domain import CorruptIndex, Filter
from kaynak.engines.checks import check_limit, check_name, check_points, check_vector, pick_field
from kaynak.engines.milvus import labels, making, writing
from kaynak.engines.milvus.filters import FilterCompiler
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.reading import PAGE, Reads
from kaynak.engines.milvus.searching import Large, Search
from kaynak.engines.milvus.spec import Layout, layout_from, layout_of
from kaynak.engines.milvus.store import Store
from kaynak.engines.options import MilvusOptions
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector

T = TypeVar("T")


class MilvusEngine:
    """Vectors in Milvus, a collection for each field.

    Args:
        options: Where it is.
        root: Directory of milvus-lite, where no server is named.
        exact_rows: So many vectors that match a filter are read and compared one by one.
        threads: Reads at the same time.
    """

    def __init__(self, options: MilvusOptions, root: Path, *, exact_rows: int = 1000, threads: int = 8) -> None:
        self.capabilities = Capabilities(
            metrics=frozenset({"cosine", "dot", "l2"}),
            named_vectors=True,
            filters=True,
            shared=options.uri is not None,
            atomic=False,
        )
        self._store = Store(options, root, threads)
        self._exact_rows = exact_rows
        self._layouts: dict[str, Layout] = {}
        self._large = Large()

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        check_name(spec.name)
        replicas = 1 if self._store.embedded else self._store.options.replicas
        layout = layout_of(spec, embedded=self._store.embedded, replicas=replicas, prefix=self._store.options.prefix)

        def work(client: MilvusClient) -> None:
            with self._store.lock(spec.name):
                making.make(self._store, client, layout, spec)

        await self._store.run(spec.name, work, writes=True)
        self._layouts.pop(spec.name, None)

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""

        def work(client: MilvusClient) -> None:
            with self._store.lock(name):
                making.remove(self._store, client, name)

        await self._store.run(check_name(name), work, writes=True)
        self._layouts.pop(name, None)

    async def exists(self, name: str) -> bool:
        """Returns whether the index was made, and made to the end."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        label = await self._run(name, lambda client: labels.read(self._store, client, name))
        return int(label[labels.REVISION])

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many points match."""
        expression = FilterCompiler(words=self._store.embedded).compile(condition)

        def work(client: MilvusClient, layout: Layout) -> int:
            counted = _firsts(layout, expression)
            return sum(Reads(self._store, client, layout, one).count(counted) for one in layout.collections)

        return await self._with_layout(name, work)

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all points, by collection and id."""
        layout = await self._with_layout(name, lambda client, layout: layout)
        expression = _firsts(layout, FilterCompiler(words=self._store.embedded).compile(None))
        for collection in layout.collections:
            reads = await self._run(name, lambda client, of=collection: Reads(self._store, client, layout, of))  # type: ignore[misc]
            pages = reads.pages(expression, ["document"], PAGE)
            while rows := await self._run(name, _next(pages)):
                for row in rows:
                    yield int(row["id"]), UUID(row["document"])

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""

        def work(client: MilvusClient, layout: Layout) -> None:
            check_points(upserts, layout.fields)
            with self._store.lock(name):
                writing.write(self._store, client, layout, upserts, deletes, revision)

        await self._with_layout(name, work, writes=True)

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
        check_limit(limit)

        def work(client: MilvusClient, layout: Layout) -> Candidates:
            which = pick_field(layout.fields, field)
            query = check_vector(vector, which)
            search = Search(self._store, client, layout, which, query, limit, condition)
            return search.run(self._large, self._exact_rows, exact=exact)

        return await self._with_layout(name, work)

    async def health(self) -> None:
        """Asks the server.

        Raises:
            EngineUnavailable: It does not answer.
        """
        await self._store.run("health", lambda client: client.list_collections(timeout=self._store.options.seconds))

    async def close(self) -> None:
        """Waits for what runs, and ends the connection; the last engine of a process closes the files."""
        await self._store.close()

    async def _with_layout(self, name: str, work: Callable[[MilvusClient, Layout], T], *, writes: bool = False) -> T:
        def run(client: MilvusClient) -> T:
            layout = self._layouts.get(name)
            if layout is None:
                layout = layout_from(
                    name, labels.read(self._store, client, name)[labels.SPEC], self._store.options.prefix
                )
                # A server that was started again, or files that were just opened, may not have it in memory.
                for one in layout.collections:
                    labels.load(self._store, client, one)
                self._layouts[name] = layout
            return work(client, layout)

        return await self._run(name, run, writes=writes)

    async def _run(self, name: str, work: Callable[[MilvusClient], T], *, writes: bool = False) -> T:
        try:
            return await self._store.run(check_name(name), work, writes=writes)
        except CorruptIndex:
            # It may be made anew with other fields.
            self._layouts.pop(name, None)
            raise


def _firsts(layout: Layout, expression: str) -> str:
    """Returns an expression for each point once, however many vectors it has."""
    return expression if len(layout.fields) == 1 else f"first == true and ({expression})"


def _next(pages: Iterator[list[dict[str, Any]]]) -> Callable[[MilvusClient], list[dict[str, Any]]]:
    return lambda client: next(pages, [])
