# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
"""Graphs and lists: built beside the writes, which neither wait for them nor are waited for."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from psycopg import errors

from kaynak.domain import CorruptIndex, Making
from kaynak.engines.pgvector.pool import Connection, Pool
from kaynak.engines.pgvector.spec import Layout
from kaynak.engines.protocol import VectorField

_LOOK_SECONDS = 1.0
"""How often one looks whether another process has built it."""
_PATIENCE = "2s"

_UNDISTURBED = "SET statement_timeout = 0; SET client_connection_check_interval = 0"
"""The second is so that the server goes on without whoever began it."""


class Limits(NamedTuple):
    """When an index of vectors is built, and how.

    Attributes:
        rows: Once there are more.
        at_once: In the write that makes it due, as long as there are no more.
        megabytes: Memory of the server for it, at most.
    """

    rows: int
    at_once: int
    megabytes: int


async def build_at_once(connection: Connection, layout: Layout, limits: Limits) -> None:
    """Builds what makes searches fast in the transaction of a write, if it is due and soon done.

    Until it is due rows go in without the work that HNSW is, which is most of the work of a write; and a graph that is
    built at once, in memory, is made several times as fast as one that grows row by row.
    """
    counted = await _count(connection, layout, limits.at_once)
    if limits.rows < counted <= limits.at_once and not await _begun(connection, layout):
        for one in layout.indexed_fields:
            megabytes = layout.build_megabytes(one, counted, limits.megabytes)
            await connection.execute(f"SET LOCAL maintenance_work_mem = '{megabytes}MB'")
            await connection.execute(layout.create_index(one, concurrently=False))
        await _noted(connection, layout)


class Building:
    """Builds what makes searches fast where that takes minutes or hours.

    It is built concurrently. A plain build locks the table against writes, so nothing could be deleted for as long; of
    60,000 vectors of 384 dimensions it took 40.0 s of processor time, and the concurrent one 39.6. And as that commits
    by itself, the server goes on with it whatever becomes of who began it.

    Args:
        pool: Where the tables are.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = asyncio.Lock()  # each takes as much memory

    async def finish(self, layout: Layout, limits: Limits) -> None:
        """Builds what is missing, and returns when nothing is; waits while another process builds it.

        Raises:
            CorruptIndex: The index is not registered.
        """
        while (
            missing := await self._pool.look(lambda connection: _missing(connection, layout, limits.rows))
        ) is not None:
            if not missing:
                await self._pool.look(lambda connection: _noted(connection, layout))
            elif not await self._built(layout, missing[0], limits.megabytes):
                await asyncio.sleep(_LOOK_SECONDS)

    async def unfinished(self, layout: Layout, limits: Limits) -> Making | None:
        """Returns what is missing, and how much of it is built."""

        async def look(connection: Connection) -> Making | None:
            missing = await _missing(connection, layout, limits.rows)
            if not missing:
                return None
            done = len(layout.indexed_fields) - len(missing)
            return await _progress(connection, layout, done)

        return await self._pool.look(look)

    async def _built(self, layout: Layout, field: VectorField, most: int) -> bool:
        """Builds an index; returns False if another process is at it."""
        async with self._turn, self._pool.apart() as connection:
            if not await _cleared(connection, layout, field):
                return False
            cursor = await connection.execute("SELECT pg_backend_pid(), count(*) FROM " + layout.table)
            backend, rows = await cursor.fetchone() or (0, 0)
            # A pooler between us and the server would give these settings to others.
            if backend == connection.info.backend_pid:
                megabytes = layout.build_megabytes(field, rows, most)
                await connection.execute(f"SET maintenance_work_mem = '{megabytes}MB'; {_UNDISTURBED}")
            await _left_to_the_server(connection, layout.create_index(field, concurrently=True))
        return True


async def give_up(connection: Connection, name: str) -> None:
    """Makes the server give up what it builds of an index, whoever began it."""
    await connection.execute(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE relid = to_regclass(%s)",
        [f'kaynak_index."{name}"'],
    )


async def _missing(connection: Connection, layout: Layout, rows: int) -> Sequence[VectorField] | None:
    """Returns the fields that lack their index; None if no index is due, or all were built before."""
    cursor = await connection.execute(
        "SELECT indexed OR revision = 0 FROM kaynak_index.registry WHERE name = %s", [layout.name]
    )
    known = await cursor.fetchone()
    if known is None:
        raise CorruptIndex(f"There is no index “{layout.name}”.")
    if known[0]:
        return None
    if await _count(connection, layout, rows) <= rows:
        return None
    cursor = await connection.execute(
        "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = to_regclass(%s) AND indisvalid",
        [layout.table],
    )
    there = {row[0].rpartition(".")[2].strip('"') for row in await cursor.fetchall()}
    return [one for one in layout.indexed_fields if layout.index(one).strip('"') not in there]


async def _begun(connection: Connection, layout: Layout) -> bool:
    """Returns whether an index is being built concurrently, or is left of a build that did not come to its end."""
    names = [f"kaynak_index.{layout.index(one)}" for one in layout.indexed_fields]
    cursor = await connection.execute(
        "SELECT 1 FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL", [names]
    )
    return await cursor.fetchone() is not None


async def _count(connection: Connection, layout: Layout, most: int) -> int:
    """Returns how many rows there are; more than ``most`` where there are more."""
    cursor = await connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {layout.table} LIMIT {most + 1}) AS counted"
    )
    counted = await cursor.fetchone()
    return 0 if counted is None else int(counted[0])


async def _noted(connection: Connection, layout: Layout) -> None:
    await connection.execute(f"ANALYZE {layout.table} (payload)")
    await connection.execute("UPDATE kaynak_index.registry SET indexed = true WHERE name = %s", [layout.name])


async def _cleared(connection: Connection, layout: Layout, field: VectorField) -> bool:
    """Removes what is left of a build that did not come to its end; returns False if one is under way.

    The lock is the one that a build takes: who has it knows that none is, whether its process still lives or not.
    """
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            await connection.execute(f"LOCK TABLE {layout.table} IN SHARE UPDATE EXCLUSIVE MODE")
            index = f"kaynak_index.{layout.index(field)}"
            cursor = await connection.execute(
                "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [index]
            )
            if await cursor.fetchone():
                await connection.execute(f"DROP INDEX {index}")
    except (errors.LockNotAvailable, errors.DeadlockDetected):
        return False
    return True


async def _left_to_the_server(connection: Connection, statement: str) -> None:
    """Runs a statement; whoever is cancelled leaves at once, and the server goes on with it.

    To stop a process costs nothing that was built, then: the next one finds it built, or waits for it.
    """
    running: asyncio.Task[Any] = asyncio.create_task(connection.execute(statement))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        # To close the connection properly would be to wait, or to tell the server to give up.
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # that the connection is lost, which is no news
        raise


async def _progress(connection: Connection, layout: Layout, done: int) -> Making:
    what = "the lists" if layout.lists else "the graph"
    cursor = await connection.execute(
        "SELECT phase, blocks_done, blocks_total FROM pg_stat_progress_create_index WHERE relid = to_regclass(%s)",
        [layout.table],
    )
    row = await cursor.fetchone()
    if row is None:
        return Making(f"building {what} has not begun")
    phase, blocks, total = row
    fields = len(layout.indexed_fields)
    if phase.startswith("waiting"):
        return Making(f"building {what} waits for other transactions of the database")
    if phase.startswith("index validation"):
        return Making(f"checking {what}")
    share = (done + blocks / total) / fields if total else done / fields or None
    return Making(f"building {what}", share)
