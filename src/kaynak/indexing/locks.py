"""One process at a time writes an index; the lock of a dead one is free at once."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from kaynak.catalog import Catalog, Unit
from kaynak.domain import IndexSide

_CLASS = {"dense": 0x6B79, "lexical": 0x6B78}
"""First half of the advisory lock's key; the second is the generation's number."""


async def try_shared_lock(unit: Unit, generation_id: int, side: IndexSide) -> bool:
    """Returns whether this process may write the shared index until the transaction ends, on any number of hosts."""
    taken = await unit.connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:one, :two)"), {"one": _CLASS[side], "two": generation_id % 2**31}
    )
    return bool(taken.scalar_one())


@asynccontextmanager
async def shared_lock(catalog: Catalog, generation_id: int, side: IndexSide) -> AsyncIterator[bool]:
    """Yields whether this process may write the shared index while the block runs."""
    async with catalog.begin() as unit:
        yield await try_shared_lock(unit, generation_id, side)


@asynccontextmanager
async def local_lock(folder: Path, key: str) -> AsyncIterator[bool]:
    """Yields whether this process may write the index that lies on this host."""
    handle = await asyncio.to_thread(_open, folder, key)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def _open(folder: Path, key: str) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(folder / f"{key}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def host_of(folder: Path) -> str:
    """Returns the name of this host, as far as indexes in files are concerned: all who share the folder share it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "host"
    if not path.exists():
        own = folder / f"host-{uuid4().hex}"
        own.write_text(uuid4().hex)
        with contextlib.suppress(FileExistsError):
            os.link(own, path)  # whole or not at all, and the first one counts
        own.unlink()
    return path.read_text()
