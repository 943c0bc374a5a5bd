"""One process at a time writes an index; the lock of a dead one is free at once."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from kaynak.catalog import Catalog, Unit
from kaynak.domain import IndexSide

_CLASS = {"dense": 0x6B79, "lexical": 0x6B78}
"""First half of the advisory lock's key; the second is the generation's number."""

_LOOK_SECONDS = 0.005
"""The lock of a file is free for about as long between two portions."""


async def try_shared_lock(unit: Unit, generation_id: int, side: IndexSide) -> bool:
    """Returns whether this process may write the shared index until the transaction ends, on any number of hosts.

    It may not either while another one is waiting to do so.
    """
    taken = await unit.connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:one, :two)"), {"one": _CLASS[side], "two": generation_id % 2**31}
    )
    return bool(taken.scalar_one())


@asynccontextmanager
async def shared_lock(
    catalog: Catalog, generation_id: int, side: IndexSide, patience: float = 0.0
) -> AsyncIterator[bool]:
    """Yields whether this process may write the shared index while the block runs.

    Args:
        catalog: Where the lock is.
        generation_id: Of the index.
        side: Of the index.
        patience: Seconds for which another process is waited for, which stops at its next portion.
    """
    async with catalog.begin() as unit:
        yield await (
            _await_shared_lock(unit, generation_id, side, patience)
            if patience
            else try_shared_lock(unit, generation_id, side)
        )


async def _await_shared_lock(unit: Unit, generation_id: int, side: IndexSide, patience: float) -> bool:
    key = {"one": _CLASS[side], "two": generation_id % 2**31}
    await unit.connection.execute(
        text("SELECT set_config('lock_timeout', :patience, true)"), {"patience": f"{int(patience * 1000) + 1}ms"}
    )
    try:
        async with unit.connection.begin_nested():
            await unit.connection.execute(text("SELECT pg_advisory_xact_lock(:one, :two)"), key)
    except OperationalError as exc:
        if not isinstance(exc.orig, LockNotAvailable):
            raise
        return False
    await unit.connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    return True


@asynccontextmanager
async def local_lock(folder: Path, key: str, patience: float = 0.0) -> AsyncIterator[bool]:
    """Yields whether this process may write the index that lies on this host; otherwise as `shared_lock`."""
    handle = await asyncio.to_thread(_open, folder, key)
    until = time.monotonic() + patience
    try:
        while not (held := _locked(handle)) and time.monotonic() < until:  # noqa: ASYNC110 - another process lets go
            await asyncio.sleep(_LOOK_SECONDS)
        yield held
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
