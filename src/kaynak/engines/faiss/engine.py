from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import faiss

from kaynak.domain import CorruptIndex, EngineUnavailable, Filter
from kaynak.engines.checks import check_limit, check_name, check_points, check_vector, pick_field
from kaynak.engines.faiss.background import Background
from kaynak.engines.faiss.building import Build, due
from kaynak.engines.faiss.faults import translated
from kaynak.engines.faiss.opened import OpenIndex, PassedError
from kaynak.engines.faiss.places import find, make, remove, write_lock
from kaynak.engines.faiss.searching import Search
from kaynak.engines.faiss.spec import layout_of
from kaynak.engines.faiss.store import Connection, State, read_state
from kaynak.engines.faiss.view import View
from kaynak.engines.faiss.writing import write
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector
from kaynak.engines.threads import on_threads

T = TypeVar("T")
_CLOSED = "The vector engine is closed."

_PAGE = 5000
_ATTEMPTS = 20


class FaissEngine:
    """Vectors in files of this host, which any number of its processes may search while one writes.

    Args:
        root: Directory of all indexes; made when the first one is.
        threads: Searches that run at the same time; each takes one core.
        build_rows: Up to so many points are compared one by one, and faiss takes over once there are more.
        build_threads: Cores that a build may use; None for half of them.
    """

    capabilities = Capabilities(
        metrics=frozenset({"cosine", "dot", "l2"}), named_vectors=True, filters=True, shared=False
    )

    def __init__(
        self, root: Path, *, threads: int = 4, build_rows: int = 5000, build_threads: int | None = None
    ) -> None:
        self._root = root.absolute()
        self._build_rows = build_rows
        self._indexes: dict[str, OpenIndex] = {}
        self._directories: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._searching = ThreadPoolExecutor(
            threads, thread_name_prefix="faiss-search", initializer=faiss.omp_set_num_threads, initargs=(1,)
        )
        # Writes are apart, so that waiting for a lock never keeps a search waiting.
        self._writing = ThreadPoolExecutor(2, thread_name_prefix="faiss-write")
        self._background = Background(build_threads)

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        check_name(spec.name)
        layout = layout_of(spec)
        await self._write(spec.name, lambda: make(self._root, layout))

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        await self._write(check_name(name), lambda: remove(self._root, name))
        with self._lock:
            index = self._indexes.pop(name, None)
        if index is not None:
            index.close()

    async def exists(self, name: str) -> bool:
        """Returns whether the index exists and can be opened."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        return await self._read(name, lambda index, connection: read_state(connection, index.name).revision)

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many points match."""
        if condition is None:
            return await self._read(name, lambda index, connection: read_state(connection, index.name).points)

        def work(index: OpenIndex, connection: Connection) -> int:
            view = self._view(index, connection)
            _, matching = index.filters.matching(connection, view.state.last_payload, condition)
            return view.count(matching)

        return await self._read(name, work)

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all points, by id."""
        after = -(2**63)
        while True:
            rows = await self._read(name, lambda _, connection, last=after: _page(connection, last))  # type: ignore[misc]
            for key, document in rows:
                yield key, UUID(bytes=document)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0] + 1

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""
        check_name(name)

        def work() -> tuple[OpenIndex, State]:
            index = self._index(name)
            check_points(upserts, index.layout.fields)
            with index.store.transaction("IMMEDIATE") as connection:
                return index, write(connection, index.layout, upserts, deletes, revision)

        index, state = await self._write(name, work)
        self._consider(index, state)

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

        def work(index: OpenIndex, connection: Connection) -> Candidates:
            which = pick_field(index.layout.fields, field)
            query = check_vector(vector, which)
            view = self._view(index, connection)
            key, matching = None, None
            if condition is not None:
                key, matching = index.filters.matching(connection, view.state.last_payload, condition)
            return Search(connection, view, index.layout, query, which, limit).run(key, matching, exact=exact)

        return await self._read(name, work)

    async def health(self) -> None:
        """Checks that the directory can be used.

        Raises:
            EngineUnavailable: It cannot.
        """
        try:
            await on_threads(self._searching, lambda: self._root.mkdir(parents=True, exist_ok=True), _CLOSED)
        except OSError as exc:
            raise EngineUnavailable("The directory of the vector indexes cannot be used.") from exc

    async def settle(self) -> None:
        """Returns when no files are being built: for tests and measurements."""
        await asyncio.to_thread(self._background.settle)

    async def close(self) -> None:
        """Gives up builds, waits for what else runs, and closes all files."""
        await asyncio.to_thread(self._background.close)
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._searching.shutdown)
        with self._lock:
            indexes = list(self._indexes.values())
            self._indexes.clear()
        for one in indexes:
            one.close()

    def _index(self, name: str) -> OpenIndex:
        """Returns the index as it is now, opened if it is not.

        Raises:
            CorruptIndex: There is none.
        """
        with self._lock:
            known = self._indexes.get(name)
            if known is not None and known.there:
                return known
            if known is not None:
                del self._indexes[name]
                known.close()
            opened = self._indexes[name] = OpenIndex(name, find(self._root, name))
            return opened

    def _view(self, index: OpenIndex, connection: Connection) -> View:
        def later(state: State) -> None:
            self._background.do(f"{index.name}: open", lambda: index.load(state))

        view = index.view(connection, later)
        self._consider(index, view.state)
        return view

    def _consider(self, index: OpenIndex, state: State) -> None:
        """Builds files in the background if that is due."""
        damaged = index.damaged if index.damaged == state.generation else None
        if damaged is None and not due(state, self._build_rows):
            return
        build = Build(
            self._root, index.directory, index.layout, index.store, self._build_rows, self._background.stopped
        )

        def work() -> bool:
            try:
                with translated(index.name, index.directory):
                    return build.run(damaged=damaged)
            except CorruptIndex:
                if index.there:
                    raise
                return False  # it was dropped

        self._background.do(index.name, work)

    async def _read(self, name: str, work: Callable[[OpenIndex, Connection], T]) -> T:
        # To check names and to join paths takes a good part of the time that nothing but asking faiss should take.
        directory = self._directories.get(name)
        if directory is None:
            directory = self._directories[name] = self._root / check_name(name)

        def run() -> T:
            with translated(name, directory):
                for _ in range(_ATTEMPTS):
                    index = self._index(name)
                    try:
                        with index.store.transaction() as connection:
                            return work(index, connection)
                    except PassedError:
                        continue
                raise EngineUnavailable(f"Index “{name}” changes too fast.")

        return await on_threads(self._searching, run, _CLOSED)

    async def _write(self, name: str, work: Callable[[], T]) -> T:
        def run() -> T:
            with translated(name, self._root / name), write_lock(self._root, name):
                return work()

        return await on_threads(self._writing, run, _CLOSED)


def _page(connection: Connection, after: int) -> list[tuple[int, bytes]]:
    return connection.execute(
        f"SELECT id, document FROM points WHERE id >= ? ORDER BY id LIMIT {_PAGE}",  # noqa: S608 - a number of ours
        [after],
    ).fetchall()
