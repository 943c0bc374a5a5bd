from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from kaynak.engines.pgvector.vectors import register

T = TypeVar("T")


class Walk(NamedTuple):
    """How far a search goes through an index.

    Attributes:
        setting: Of pgvector; it depends on the index.
        breadth: Its value.
    """

    setting: str
    breadth: int


_UNKNOWN = Walk("", 0)


class Connection(AsyncConnection[tuple[Any, ...]]):
    """A connection of this engine.

    Attributes:
        walk: What it is set to; None as long as the planner may do as it likes.
    """

    walk: Walk | None = None


# A generic plan would be chosen without knowing the filter, so only statements are prepared that leave no choice, or
# ask who may read; relaxed order finds more in the same time, and rows are put in order afterwards; just-in-time
# compilation costs more than any of these statements.
_SETTINGS = {
    "plan_cache_mode": "auto",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "40000",
    "ivfflat.iterative_scan": "relaxed_order",
    "jit": "off",
}
_SET = "SELECT pg_backend_pid(), " + ", ".join(
    f"set_config('{key}', '{value}', false)" for key, value in _SETTINGS.items()
)

# The planner takes the index of the filter, or none, and sorts everything, where the index of vectors is far cheaper.
_UNWANTED = ("enable_seqscan", "enable_bitmapscan", "enable_sort")
_WALK = "SELECT set_config(%s, %s, false), " + ", ".join(f"set_config('{key}', 'off', false)" for key in _UNWANTED)
_REST = "; ".join(f"RESET {key}" for key in _UNWANTED)

_ONLY_WHEN_ASKED = 2**31
"""Repetitions after which the driver prepares a statement by itself: never."""

_WAIT = 5.0


class Pool:
    """Connections of this engine alone, opened when first used, in the event loop that uses them."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size = size
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._opening = asyncio.Lock()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs ``work`` in a transaction, once more if the connection turns out to be dead."""

        async def wrapped(connection: Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self.look(wrapped)

    async def look(self, work: Callable[[Connection], Awaitable[T]], *, walk: Walk | None = None) -> T:
        """Runs ``work``, whose statements are each committed by themselves; otherwise as `run`.

        To begin and to commit costs two round trips, which is a good part of a search. A server that was restarted
        leaves dead connections in the pool; what engines do can be repeated.

        Args:
            work: What to do.
            walk: What the connection is set to. The settings stay until something else is to be done: most searches are
                of one kind.
        """
        pool = await self._open()
        used: Connection | None = None
        try:
            async with pool.connection() as used:
                await _prepare(used, walk)
                return await work(used)
        except psycopg.OperationalError:
            if used is None or not (used.broken or used.closed):
                raise
        await pool.check()
        async with pool.connection() as connection:
            await _prepare(connection, walk)
            return await work(connection)

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Connection]:
        """Yields a connection that is not of the pool, for a statement that takes long; it is closed afterwards."""
        connection = await Connection.connect(self._url, autocommit=True, prepare_threshold=None, connect_timeout=5)
        async with connection:
            yield connection

    async def close(self) -> None:
        """Closes the connections of the pool."""
        async with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _open(self) -> AsyncConnectionPool[Connection]:
        if self._pool is not None:
            return self._pool
        async with self._opening:
            if self._pool is None:
                pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
                    self._url,
                    connection_class=Connection,
                    kwargs={"prepare_threshold": None, "connect_timeout": 5, "autocommit": True},
                    min_size=1,
                    max_size=self._size,
                    timeout=_WAIT,
                    reconnect_timeout=30.0,
                    configure=_configure,
                    open=False,
                    name="kaynak-pgvector",
                )
                await pool.open()
                self._pool = pool
        return self._pool


async def _configure(connection: Connection) -> None:
    register(connection)
    # The settings exist once the library is loaded; a name of its own loads it.
    cursor = await connection.execute(_SET)
    row = await cursor.fetchone()
    # A pooler between us and the server makes up the process id that clients are told; what is prepared on one server
    # connection would be asked of another.
    if row is not None and row[0] == connection.info.backend_pid:
        connection.prepare_threshold = _ONLY_WHEN_ASKED


async def _prepare(connection: Connection, walk: Walk | None) -> None:
    if connection.walk == walk:
        return
    connection.walk = _UNKNOWN  # should this be cut off
    if walk is not None:
        await connection.execute(_WALK, [walk.setting, str(walk.breadth)])
    else:
        await connection.execute(_REST)
    connection.walk = walk
