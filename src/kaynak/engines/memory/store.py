from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from kaynak.domain import Conflict, CorruptIndex, Filter, Json, matches
from kaynak.engines.checks import check_name
from kaynak.engines.protocol import DenseSpec, LexicalSpec


class _Record(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def document_id(self) -> UUID: ...
    @property
    def payload(self) -> Mapping[str, Json]: ...


S = TypeVar("S", DenseSpec, LexicalSpec)
R = TypeVar("R", bound=_Record)


class Table(Generic[S, R]):
    """One index: records by id, and the revision they reflect. ``version`` changes with every write."""

    def __init__(self, spec: S) -> None:
        self.spec: S = spec
        self.revision = 0
        self.version = 0
        self.records: dict[int, R] = {}

    def write(self, upserts: Sequence[R], deletes: Sequence[UUID], revision: int) -> None:
        """Replaces the records in one step, so that a reader holds either the old or the new ones."""
        gone = set(deletes)
        kept = {key: one for key, one in self.records.items() if one.document_id not in gone}
        kept.update((one.id, one) for one in upserts)
        self.records = kept
        self.revision = revision
        self.version += 1


class MemoryStore(Generic[S, R]):
    """What both reference engines have in common. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._tables: dict[str, Table[S, R]] = {}

    def _table(self, name: str) -> Table[S, R]:
        try:
            return self._tables[name]
        except KeyError as exc:
            raise CorruptIndex(f"There is no index “{name}”.") from exc

    def _make(self, spec: S) -> None:
        check_name(spec.name)
        with self._lock:
            known = self._tables.setdefault(spec.name, Table(spec))
        if known.spec != spec:
            raise Conflict(f"Index “{spec.name}” exists and is built differently.")

    def _write(self, name: str, upserts: Sequence[R], deletes: Sequence[UUID], revision: int) -> None:
        with self._lock:
            self._table(name).write(upserts, deletes, revision)

    async def drop(self, name: str) -> None:
        """Removes the index."""
        with self._lock:
            self._tables.pop(name, None)

    async def exists(self, name: str) -> bool:
        """Returns whether the index exists."""
        return name in self._tables

    async def revision(self, name: str) -> int:
        """Returns the revision the index reflects."""
        return self._table(name).revision

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many records match."""
        records = self._table(name).records
        if condition is None:
            return len(records)
        return sum(matches(condition, one.payload) for one in records.values())

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (id, document id) of all records."""
        for one in list(self._table(name).records.values()):
            yield one.id, one.document_id

    async def health(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._tables.clear()
