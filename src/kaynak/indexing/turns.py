from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from kaynak.catalog import Catalog
from kaynak.indexing.locks import local_lock, shared_lock
from kaynak.indexing.target import Target

T = TypeVar("T")


class Turn:
    """Sees that an index is written by one at a time, of this process and of all.

    Args:
        catalog: Where locks of indexes are that several hosts share.
        target: The index.
        locks: Folder for the locks of indexes that are files of this host.

    Attributes:
        here: Whose turn it is in this process.
        working: Writes that have begun.
    """

    def __init__(self, catalog: Catalog, target: Target, locks: Path) -> None:
        self._catalog = catalog
        self._target = target
        self._locks = locks
        self.here = asyncio.Lock()
        self.working: set[asyncio.Task[Any]] = set()

    @property
    def shared(self) -> bool:
        """Whether the lock is one of the catalog."""
        return self._target.engine.capabilities.shared and not self._target.private

    @asynccontextmanager
    async def taken(self, patience: float = 0.0) -> AsyncIterator[bool]:
        """Waits for its turn in this process, and yields whether no other process has it.

        Args:
            patience: Seconds for which another process is waited for.
        """
        async with self.here, self._held(patience) as held:
            yield held

    async def whatever_comes(self, work: Coroutine[Any, Any, T]) -> T:
        """Does something to its end: whoever leaves meanwhile must not let go the lock of a write that has begun."""
        working = asyncio.create_task(work)
        self.working.add(working)
        working.add_done_callback(self._worked)
        return await asyncio.shield(working)

    def _held(self, patience: float) -> AbstractAsyncContextManager[bool]:
        target = self._target
        if target.private:
            return nullcontext(enter_result=True)
        if self.shared:
            return shared_lock(self._catalog, target.generation.id, target.side, patience)
        return local_lock(self._locks, f"{target.key}-{target.side}", patience)

    def _worked(self, task: asyncio.Task[Any]) -> None:
        self.working.discard(task)
        if not task.cancelled():
            task.exception()  # seen by who waited; if nobody does any more, nobody misses it
