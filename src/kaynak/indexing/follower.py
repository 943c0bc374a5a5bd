from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from enum import Enum
from pathlib import Path
from uuid import UUID

import structlog

from kaynak.catalog import Catalog, IndexedChunk, Unit
from kaynak.domain import CorruptIndex
from kaynak.indexing.locks import local_lock, try_shared_lock
from kaynak.indexing.target import Target

CHANGES = 1000
"""Changes that are carried over in one write, at most."""
CHUNKS = 5000
"""Chunks in one write, at most, unless a single document has more."""

_log = structlog.get_logger(__name__)


class Step(Enum):
    """What a step of a follower came to."""

    MORE = "more"
    """Something was carried over, and there may be more."""
    DONE = "done"
    """The index reflects all there was when the step began."""
    BUSY = "busy"
    """Another process is writing this index."""


class Follower:
    """Carries the change log of a collection into one index.

    What the index reflects is stored in the index itself, atomically with each write. So after any crash the
    follower goes on where the index really is, and replaying a change does no harm: documents are always written
    as they are now.

    Args:
        catalog: The truth.
        target: The index.
        locks: Folder for the locks of indexes that are files of this host.

    Attributes:
        known: The highest revision that the index was seen to reflect.
        working: Steps that are being taken.
    """

    def __init__(self, catalog: Catalog, target: Target, locks: Path) -> None:
        self._catalog = catalog
        self.target = target
        self._locks = locks
        self._turn = asyncio.Lock()
        self.known = 0
        self.working: set[asyncio.Task[Step]] = set()

    async def revision(self) -> int:
        """Returns the revision the index reflects; 0 if it is missing or damaged."""
        try:
            self.known = await self.target.engine.revision(self.target.key)
        except CorruptIndex:
            self.known = 0
        return self.known

    async def step(self) -> Step:
        """Carries over one portion of what is new. A damaged or missing index is begun anew.

        Raises:
            EngineUnavailable: The engine does not answer; the next call goes on.
            CatalogUnavailable: The database does not answer.
            CollectionNotFound: The collection is gone.
        """
        # A write that has begun is finished, whoever has left: the lock must not be let go under it.
        working = asyncio.create_task(self._step_in_turn())
        self.working.add(working)
        working.add_done_callback(self._worked)
        return await asyncio.shield(working)

    def _worked(self, task: asyncio.Task[Step]) -> None:
        self.working.discard(task)
        if not task.cancelled():
            task.exception()  # seen by who waited; if nobody does any more, nobody misses it

    async def _step_in_turn(self) -> Step:
        target = self.target
        async with self._turn:
            if target.private:
                return await self._step(None)
            if target.engine.capabilities.shared:
                # The transaction that reads is the one that holds the lock: a step needs one connection, not two.
                async with self._catalog.begin() as unit:
                    held = await try_shared_lock(unit, target.generation.id)
                    return await self._step(unit) if held else Step.BUSY
            async with local_lock(self._locks, f"{target.key}-{target.side}") as held:
                return await self._step(None) if held else Step.BUSY

    async def _step(self, unit: Unit | None) -> Step:
        try:
            self.known = await self.target.engine.revision(self.target.key)
            if self.known:
                return await self._follow(unit)
            return await self._build(unit)
        except CorruptIndex as exc:
            self.known = 0
            await self._begin_anew(unit, exc)
            return Step.MORE

    async def _begin_anew(self, unit: Unit | None, cause: CorruptIndex) -> None:
        target = self.target
        async with self._reading(unit) as reader:
            # A collection that is gone needs no index; this says so before one is made.
            await reader.changes.revision(target.generation.collection_id)
        _log.warning("index_begun_anew", generation=target.key, side=target.side, cause=cause.message)
        await target.engine.drop(target.key)
        await target.create()

    async def _follow(self, unit: Unit | None) -> Step:
        generation = self.target.generation
        async with self._reading(unit) as reader:
            changes = await reader.changes.since(generation.collection_id, self.known, CHANGES)
            if not changes:
                latest = await reader.changes.revision(generation.collection_id)
                if self.known > latest:
                    # It belongs to another past, such as before a restored backup.
                    raise CorruptIndex(f"Index “{generation.key}” is ahead of its collection.")
                return Step.DONE
            documents = list(dict.fromkeys(change.document_id for change in changes))
            fitting = await self._fitting(reader, documents)
            chunks = await reader.chunks.of_documents(generation, fitting, self.target.side)
        if len(fitting) < len(documents):
            there = set(fitting)
            first_left = next(at for at, change in enumerate(changes) if change.document_id not in there)
            changes = changes[:first_left]
        whole = len(changes) < CHANGES and len(fitting) == len(documents)
        await self._write(chunks, fitting, changes[-1].revision)
        return Step.DONE if whole else Step.MORE

    async def _build(self, unit: Unit | None) -> Step:
        """Fills an empty index by the documents there are: a long history is not lived through again.

        Until all are there the index claims nothing, and the lock is kept: whoever comes after a crash begins
        again, and nobody else goes on in the middle.
        """
        generation = self.target.generation
        async with self._reading(unit) as reader:
            latest = await reader.changes.revision(generation.collection_id)
        if not latest:
            return Step.DONE
        after: UUID | None = None
        while True:
            async with self._reading(unit) as reader:
                documents = await reader.documents.ids(generation.collection_id, after=after, limit=CHANGES)
                fitting = await self._fitting(reader, documents)
                side = self.target.side
                chunks = await reader.chunks.of_documents(generation, fitting, side) if fitting else []
            last = len(fitting) == len(documents) < CHANGES
            await self._write(chunks, fitting, latest if last else 0)
            if last:
                return Step.MORE
            after = fitting[-1]

    async def _write(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID], revision: int) -> None:
        await self.target.apply(chunks, documents, revision)
        self.known = revision

    async def _fitting(self, reader: Unit, documents: Sequence[UUID]) -> Sequence[UUID]:
        """Returns as many of the first documents as have few enough chunks for one write, but at least one."""
        counts = await reader.chunks.count_of_documents(self.target.generation, documents)
        total = 0
        for at, document in enumerate(documents):
            total += counts.get(document, 0)
            if total > CHUNKS and at:
                return documents[:at]
        return documents

    def _reading(self, unit: Unit | None) -> AbstractAsyncContextManager[Unit]:
        return self._catalog.read() if unit is None else nullcontext(unit)
