from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast
from uuid import UUID

import structlog

from kaynak.catalog import Catalog, Unit
from kaynak.domain import CorruptIndex
from kaynak.engines import FinishingEngine
from kaynak.indexing.locks import try_shared_lock
from kaynak.indexing.preparing import Preparing
from kaynak.indexing.taking import Taking
from kaynak.indexing.target import Target
from kaynak.indexing.turns import Turn

CHANGES = 1000
"""Changes that are carried over in one write, at most."""
CHUNKS = 5000
"""Chunks in one write, at most, unless a single document has more."""
PREPARED = 100
"""Documents that are made ready together, where they are not."""

_SLACK = 1.0
T = TypeVar("T")
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
    as they are now. While an index is being filled it claims nothing; how far that is stands in the catalog.

    Args:
        catalog: The truth.
        target: The index.
        preparing: Gives documents what the generation needs of them.
        locks: Folder for the locks of indexes that are files of this host.
        host: Names this host, for indexes that are files of it.

    Attributes:
        known: The highest revision that the index was seen to reflect.
        trouble: What keeps the engine from finishing the index, as its steps go on all the same.
    """

    def __init__(self, catalog: Catalog, target: Target, preparing: Preparing, locks: Path, host: str) -> None:
        self._catalog = catalog
        self.target = target
        self._turn = Turn(catalog, target, locks)
        self._taking = Taking(catalog, target, preparing, "" if target.engine.capabilities.shared else host)
        self.known = 0
        self.trouble: str | None = None
        self._finished_at = 0

    @property
    def working(self) -> set[asyncio.Task[Any]]:
        """Writes that have begun."""
        return self._turn.working

    async def revision(self) -> int:
        """Returns the revision the index reflects; 0 if it is missing or damaged."""
        try:
            self.known = await self.target.engine.revision(self.target.key)
        except CorruptIndex:
            self.known = 0
        return self.known

    async def waits(self, error: str | None) -> None:
        """Notes in the catalog what keeps the index from being up to date, or that nothing does."""
        await self._taking.waits(error)

    async def step(self) -> Step:
        """Carries over one portion of what is new. A damaged or missing index is begun anew.

        Raises:
            EngineUnavailable: The engine does not answer; the next call goes on.
            EmbedderUnavailable: The model does not, or is not the one of the generation.
            CatalogUnavailable: The database does not answer.
            CollectionNotFound: The collection is gone.
            GenerationNotFound: The generation is.
        """
        return await self._turn.whatever_comes(self._step_in_turn())

    @property
    def finished(self) -> bool:
        """Whether the engine has nothing to make of the index beside its writes, as far as is known."""
        return self.known in (0, self._finished_at) or not self.target.engine.capabilities.finishes

    @property
    def once_finished(self) -> bool:
        """Whether it had nothing to make of it once, since the index was filled."""
        return bool(self._finished_at) or not self.target.engine.capabilities.finishes

    async def finish(self) -> None:
        """Lets the engine make what it makes of the index beside its writes; steps may be taken meanwhile.

        Raises:
            EngineUnavailable: The engine does not answer.
            CorruptIndex: The index is missing or damaged.
            GenerationNotFound: The generation is gone.
        """
        if self.finished:
            return
        known, generation = self.known, self.target.generation
        async with self._catalog.read() as unit:
            await unit.generations.get(generation.collection_id, generation.id)
        await cast("FinishingEngine", self.target.engine).finish(self.target.key)
        self._finished_at = known

    async def settled(self, look: Callable[[], Awaitable[T]], revision: int, patience: float) -> T | None:
        """Returns what ``look`` does, once no write can be under way that knows less than ``revision``.

        Args:
            look: Looks into the index.
            revision: Of the collection.
            patience: Seconds for which a write that is under way is waited for.

        Returns:
            None if it took longer.

        Raises:
            EngineUnavailable: The engine does not answer.
            CorruptIndex: The index is missing or damaged.
        """
        if await self.revision() >= revision:
            return await look()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience + _SLACK) as limit, self._turn.taken(patience) as held:
                limit.reschedule(None)
                return await look() if held else None
        return None

    async def renew(self, documents: Sequence[UUID], patience: float = 0.0) -> bool:
        """Writes documents as they are now, whatever the index has of them; returns False if another one writes it.

        Args:
            documents: What to write.
            patience: Seconds for which another process is waited for.

        Raises:
            EngineUnavailable: The engine does not answer.
            CorruptIndex: The index is missing or damaged.
        """
        return await self._turn.whatever_comes(self._renew(documents, patience))

    async def _renew(self, documents: Sequence[UUID], patience: float) -> bool:
        async with self._turn.taken(patience) as held:
            if not held:
                return False
            self.known = await self.target.engine.revision(self.target.key)
            for start in range(0, len(documents), PREPARED):
                await self._taking.take(None, documents[start : start + PREPARED], self.known, self.known)
            base, after, _ = await self._taking.filled(None)
            if not self.known and after is not None:
                # It holds another number of entries now than when its last portion was written.
                await self._taking.fills(None, base, after, await self.target.engine.count(self.target.key))
            return True

    async def _step_in_turn(self) -> Step:
        if self._turn.shared:
            # The transaction that reads is the one that holds the lock: a step needs one connection, not two.
            async with self._turn.here, self._catalog.begin() as unit:
                held = await try_shared_lock(unit, self.target.generation.id, self.target.side)
                return await self._step(unit) if held else Step.BUSY
        async with self._turn.taken() as held:
            return await self._step(None) if held else Step.BUSY

    async def _step(self, unit: Unit | None) -> Step:
        try:
            self.known = await self.target.engine.revision(self.target.key)
            if self.known:
                return await self._follow(unit)
            return await self._fill(unit)
        except CorruptIndex as exc:
            self.known = 0
            await self._begin_anew(unit, exc)
            return Step.MORE

    async def _begin_anew(self, unit: Unit | None, cause: CorruptIndex) -> None:
        target = self.target
        async with self._reading(unit) as reader:
            # A generation that is gone needs no index; this says so before one is made.
            await reader.generations.get(target.generation.collection_id, target.generation.id)
        self._finished_at = 0
        _log.warning("index_begun_anew", generation=target.key, side=target.side, cause=cause.message)
        await self._taking.begins(unit, 0)
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
                await self._taking.reached(unit, self.known)
                return Step.DONE
            documents = list(dict.fromkeys(change.document_id for change in changes))
            fitting = await self._fitting(reader, documents)
        if len(fitting) < len(documents):
            there = set(fitting)
            first_left = next(at for at, change in enumerate(changes) if change.document_id not in there)
            changes = changes[:first_left]
        whole = len(changes) < CHANGES and len(fitting) == len(documents)
        await self._taking.take(unit, fitting, self.known, changes[-1].revision)
        self.known = changes[-1].revision
        if whole:
            await self._taking.reached(unit, self.known)
        return Step.DONE if whole else Step.MORE

    async def _fill(self, unit: Unit | None) -> Step:
        """Fills an empty index by the documents there are, a portion at a time.

        A long history is not lived through again: the index claims nothing until all are there, and then what the
        collection was when this began. Whoever comes after a crash goes on behind the last portion.
        """
        target = self.target
        generation = target.generation
        base, after, entries = await self._taking.filled(unit)
        if after is not None and await target.engine.count(target.key) < entries:
            raise CorruptIndex(f"Index “{generation.key}” has lost what was written into it.")
        async with self._reading(unit) as reader:
            # How far one is that is gone is written nowhere: it would be begun for ever.
            await reader.generations.get(generation.collection_id, generation.id)
            if after is None:
                base = await reader.changes.revision(generation.collection_id)
                if not base:
                    return Step.DONE
                await self._taking.begins(unit, base)
            documents = await reader.documents.ids(generation.collection_id, after=after, limit=CHANGES)
            fitting = await self._fitting(reader, documents)
        last = len(fitting) == len(documents) < CHANGES
        written = await self._taking.take(unit, fitting, 0, base if last else 0)
        if last:
            self.known = base
            await self._taking.reached(unit, base)
        else:
            await self._taking.fills(unit, base, fitting[-1], entries + written)
        return Step.MORE

    async def _fitting(self, reader: Unit, documents: Sequence[UUID]) -> Sequence[UUID]:
        """Returns as many of the first documents as go into one write, but at least one."""
        generation = self.target.generation
        counts = await reader.chunks.count_of_documents(generation, documents)
        if not generation.active and len(counts) < len(documents):
            # Some have still to be cut, and nobody knows into how many pieces.
            documents = documents[:PREPARED]
        total = 0
        for at, document in enumerate(documents):
            total += counts.get(document, 0)
            if total > CHUNKS and at:
                return documents[:at]
        return documents

    def _reading(self, unit: Unit | None) -> AbstractAsyncContextManager[Unit]:
        return self._catalog.read() if unit is None else nullcontext(unit)
