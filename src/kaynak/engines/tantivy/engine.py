from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from kaynak.domain import CorruptIndex, EngineUnavailable, Filter
from kaynak.engines.checks import check_limit, check_name, check_params
from kaynak.engines.protocol import Capabilities, Entry, LexicalCandidates, LexicalSpec
from kaynak.engines.tantivy.faults import translated
from kaynak.engines.tantivy.reader import Reader, Snapshot
from kaynak.engines.tantivy.schema import HIGH, ID, LOW
from kaynak.engines.tantivy.search import search
from kaynak.engines.tantivy.writer import make, remove, write, write_lock
from kaynak.engines.threads import on_threads

T = TypeVar("T")
_CLOSED = "The lexical engine is closed."

_PAGE = 5000


class TantivyEngine:
    """BM25 in files of this host, which any number of its processes may search while one writes.

    Args:
        root: Directory of all indexes; made when the first one is.
        threads: Searches that run at the same time; tantivy works outside the interpreter lock.
    """

    capabilities = Capabilities(metrics=frozenset(), named_vectors=False, filters=True, shared=False)

    def __init__(self, root: Path, *, threads: int = 4) -> None:
        self._root = root
        self._readers: dict[str, Reader] = {}
        self._lock = threading.Lock()
        self._searching = ThreadPoolExecutor(threads, thread_name_prefix="tantivy-search")
        # Writes are apart, so that waiting for a lock never keeps a search waiting.
        self._writing = ThreadPoolExecutor(2, thread_name_prefix="tantivy-write")

    async def create(self, spec: LexicalSpec) -> None:
        """See `LexicalEngine.create`."""
        check_name(spec.name)
        check_params(spec, ())
        await self._write(spec.name, lambda: make(self._root, spec))
        await self._read(spec.name, lambda snapshot: None)

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        await self._write(check_name(name), lambda: remove(self._root, name))
        with self._lock:
            self._readers.pop(name, None)

    async def exists(self, name: str) -> bool:
        """Returns whether the index exists and can be opened."""
        try:
            await self._read(name, lambda snapshot: None)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the newest commit."""
        return await self._read(name, lambda snapshot: snapshot.revision)

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many entries match."""
        if condition is None:
            return await self._read(name, lambda snapshot: snapshot.entries)
        return await self._read(name, lambda snapshot: snapshot.count(snapshot.filters.compile(condition)))

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all entries of one commit, by id."""
        snapshot = await self._read(name, lambda snapshot: snapshot)
        after: int | None = None
        while True:
            page = await self._read(name, lambda _, last=after: _page(snapshot, last))  # type: ignore[misc]
            for one in page:
                yield one
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """See `LexicalEngine.apply`."""
        directory = self._root / check_name(name)

        def work() -> None:
            # A damaged index is told apart from a good one before anything is added to it.
            self._reader(name).snapshot()
            write(directory, upserts, deletes, revision)

        await self._write(name, work)

    async def search(
        self,
        name: str,
        query: str,
        limit: int,
        *,
        languages: Sequence[str] = (),
        condition: Filter | None = None,
        coverage: bool = False,
    ) -> LexicalCandidates:
        """See `LexicalEngine.search`."""
        check_limit(limit)
        return await self._read(name, lambda snapshot: search(snapshot, query, limit, languages, condition, coverage))

    async def health(self) -> None:
        """Checks that the directory can be used.

        Raises:
            EngineUnavailable: It cannot.
        """
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._searching, lambda: self._root.mkdir(parents=True, exist_ok=True)
            )
        except (OSError, RuntimeError) as exc:
            raise EngineUnavailable("The directory of the lexical indexes cannot be used.") from exc

    async def close(self) -> None:
        """Waits for what runs, and closes all files."""
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._searching.shutdown)
        with self._lock:
            self._readers.clear()

    def _reader(self, name: str) -> Reader:
        with self._lock:
            reader = self._readers.get(name)
            if reader is None:
                reader = self._readers[name] = Reader(name, self._root / check_name(name))
            return reader

    async def _read(self, name: str, work: Callable[[Snapshot], T]) -> T:
        reader = self._reader(name)

        def run() -> T:
            snapshot = reader.snapshot()
            with translated(name, self._root / name):
                return work(snapshot)

        return await on_threads(self._searching, run, _CLOSED)

    async def _write(self, name: str, work: Callable[[], T]) -> T:
        def run() -> T:
            with translated(name, self._root / name), write_lock(self._root, name):
                return work()

        return await on_threads(self._writing, run, _CLOSED)


def _page(snapshot: Snapshot, after: int | None) -> list[tuple[int, UUID]]:
    from tantivy import FieldType, Occur, Order, Query

    parts = [(Occur.Must, snapshot.filters.compile(None))]
    if after is not None:
        rest = Query.range_query(snapshot.index.schema, ID, FieldType.Integer, after, None, include_lower=False)
        parts.append((Occur.Must, rest))
    hits = snapshot.searcher.search(
        Query.boolean_query(parts), _PAGE, count=False, order_by_field=ID, order=Order.Asc
    ).hits
    addresses = [address for _, address in hits]
    high, low = snapshot.column(HIGH, addresses), snapshot.column(LOW, addresses)
    return [(int(key), UUID(int=(top << 64) | bottom)) for (key, _), top, bottom in zip(hits, high, low, strict=True)]
