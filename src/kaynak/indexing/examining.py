from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import numpy as np
import structlog

from kaynak.catalog import Catalog, holdings
from kaynak.domain import (
    Ailment,
    CatalogUnavailable,
    CorruptIndex,
    Finding,
    Generation,
    IndexSide,
    KaynakError,
    Misconfigured,
    NotFound,
)
from kaynak.engines import Engine
from kaynak.indexing.follower import Follower
from kaynak.indexing.followers import Followers

CATCH_UP_SECONDS = 60.0
REPAIR = "Repair it: kaynak doctor --repair"
_TRIES, _CHANCES = 5, 2
_PAUSE = 0.5
_AILMENTS = {Misconfigured: Ailment.MISCONFIGURED, CorruptIndex: Ailment.DAMAGED}
_log = structlog.get_logger(__name__)


class IndexExamination:
    """Compares one index of a generation with the catalog, and mends it.

    Args:
        catalog: The truth.
        followers: Write indexes.
        generation: The generation.
        follower: Of the index.
    """

    def __init__(self, catalog: Catalog, followers: Followers, generation: Generation, follower: Follower) -> None:
        self._catalog = catalog
        self._followers = followers
        self._generation = generation
        self._follower = follower
        self._engine: Engine = follower.target.engine
        self._side: IndexSide = follower.target.side

    @property
    def where(self) -> str:
        """Name of the index, for people."""
        spec = self._generation.spec
        return f"{getattr(spec, self._side).name} {self._generation.key}"

    async def findings(self, *, repair: bool) -> AsyncIterator[Finding]:
        """Yields what is wrong, mended if asked for and possible."""
        try:
            await self._engine.health()
            async for finding in self._compared(repair=repair):
                yield finding
        except (CatalogUnavailable, NotFound):
            raise
        except KaynakError as error:
            ailment = _AILMENTS.get(type(error), Ailment.UNAVAILABLE)
            yield Finding(self.where, ailment, 1, error.message, hint=error.hint)

    async def _compared(self, *, repair: bool) -> AsyncIterator[Finding]:
        state = await self._state(repair=repair)
        if state is not None:
            yield state
            if not state.repaired:
                return
        difference = await self._difference()
        if difference is None:
            yield Finding(
                self.where,
                Ailment.LAGGING,
                1,
                "It is being written all the time and could not be compared.",
                hint="Try again when less comes in.",
            )
            return
        missing, orphaned, documents = difference
        repaired = repair and bool(missing or orphaned) and await self._renewed(documents)
        hint = None if repaired else REPAIR
        if missing:
            said = f"{missing:,} passages of the collection are not in it."
            yield Finding(self.where, Ailment.MISSING, missing, said, repaired, hint)
        if orphaned:
            said = f"{orphaned:,} passages in it belong to nothing, or to another document."
            yield Finding(self.where, Ailment.ORPHANED, orphaned, said, repaired, hint)

    async def _state(self, *, repair: bool) -> Finding | None:
        """Looks whether the index can be read and has the last changes."""
        latest = await self._latest()
        try:
            reached = await self._engine.revision(self._follower.target.key)
            for _ in range(_CHANCES):
                if reached >= latest:
                    break
                await asyncio.sleep(_PAUSE)  # a follower may be about to write it
                reached = await self._engine.revision(self._follower.target.key)
            latest = max(latest, min(reached, await self._latest()))
        except CorruptIndex as error:
            finding = Finding(self.where, Ailment.DAMAGED, 1, error.message, hint=REPAIR)
        else:
            if reached == latest:
                return None
            said = f"It is at revision {reached:,}, its collection at {latest:,}."
            finding = Finding(
                self.where, Ailment.LAGGING, abs(latest - reached), said, hint="Is a worker running? kaynak up"
            )
        if not repair:
            return finding
        try:
            await self._follower.revision()  # what it was known to have, it may have lost
            await self._followers.reach(self._follower, latest, CATCH_UP_SECONDS)
        except KaynakError as error:
            return replace(finding, hint=error.message)
        return replace(finding, repaired=True, hint=None)

    async def _latest(self) -> int:
        async with self._catalog.read() as unit:
            return await unit.changes.revision(self._generation.collection_id)

    async def _difference(self) -> tuple[int, int, set[UUID]] | None:
        """Returns what is missing, what is too much, and of which documents; None if it does not hold still."""
        for _ in range(_TRIES):
            before = await self._engine.revision(self._follower.target.key)
            ids, documents = [], []
            async for key, document in self._engine.scan(self._follower.target.key):
                ids.append(key)
                documents.append(document.bytes)
            async with self._catalog.read() as unit:
                wanted = await holdings(unit.connection, self._generation, self._side)
            latest = await self._latest()
            after = await self._engine.revision(self._follower.target.key)
            found = await asyncio.to_thread(_compare, np.array(ids, dtype=np.int64), documents, *wanted)
            if not found[2] or before == after == latest:
                return found
            await asyncio.sleep(_PAUSE)
        return None

    async def _renewed(self, documents: set[UUID]) -> bool:
        for _ in range(_TRIES):
            if await self._follower.renew(sorted(documents)):
                found = await self._difference()
                return found is not None and not found[2]
            await asyncio.sleep(_PAUSE)
        return False


def _compare(
    ids: np.ndarray[tuple[int], np.dtype[np.int64]],
    documents: list[bytes],
    wanted: np.ndarray[tuple[int], np.dtype[np.int64]],
    owners: list[bytes],
) -> tuple[int, int, set[UUID]]:
    """Returns how many of ``wanted`` are not among ``ids``, how many of those are too much, and their documents."""
    here = {(key, document) for key, document in zip(ids.tolist(), documents, strict=True)}
    there = {(key, document) for key, document in zip(wanted.tolist(), owners, strict=True)}
    missing, orphaned = there - here, here - there
    doubled = len(ids) - len(here)
    concerned = {UUID(bytes=document) for _, document in missing | orphaned}
    if doubled:
        seen: set[int] = set()
        concerned |= {
            UUID(bytes=document)
            for key, document in zip(ids.tolist(), documents, strict=True)
            if key in seen or seen.add(key)  # type: ignore[func-returns-value]
        }
    return len(missing), len(orphaned) + doubled, concerned
