"""What every search asks of the catalog, on the driver's own connections.

A unit of work goes through SQLAlchemy: its pool, its greenlets and its idea of a transaction take longer than the few
statements that a search needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from psycopg.pq import TransactionStatus

from kaynak.catalog.collections import named
from kaynak.catalog.engine import Connection, usable
from kaynak.catalog.gate import admit
from kaynak.catalog.records import Admitted
from kaynak.catalog.scopes import Resolved, of_key, of_session
from kaynak.catalog.users import ANYBODY
from kaynak.domain import CatalogUnavailable, Collection, Generation, Scope

_PATIENCE = 30.0
"""Seconds to wait for a connection."""


class Look:
    """One connection that only reads. Each of its statements sees what is committed by then.

    Args:
        connection: The driver's.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def collection(self, scope: Scope, name: str) -> Collection:
        """See `Collections.get`."""
        return await named(self._connection, scope, name)

    async def anybody(self) -> bool:
        """See `Users.any`."""
        found = await self._connection.execute(ANYBODY, prepare=True)
        row = await found.fetchone()
        return row is not None and bool(row[0])

    async def session(self, session_id: UUID, user_id: UUID, kid: str) -> Resolved | None:
        """See `Scopes.of_session`."""
        return await of_session(self._connection, session_id, user_id, kid)

    async def key(self, key_hash: bytes) -> Resolved | None:
        """See `Scopes.of_key`."""
        return await of_key(self._connection, key_hash)

    async def admit(
        self, scope: Scope, generation: Generation, ids: Sequence[int], *, payload: bool = False, details: bool = False
    ) -> list[Admitted]:
        """See `Gate.admit`."""
        return await admit(self._connection, scope, generation, ids, payload=payload, details=details)


class Lookers:
    """Connections for `Look`, opened when first used; the one that was used last is used first.

    Args:
        connect: Opens one that cannot write.
        most: How many at a time.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], most: int) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(most)
        self._closed = False

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """Lends a connection.

        Raises:
            CatalogUnavailable: All are busy.
        """
        await self._wait()
        try:
            connection = await self._take()
            try:
                yield Look(connection)
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Closes all; those that are lent when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().close()

    async def _wait(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once
            return
        try:
            await asyncio.wait_for(self._free.acquire(), _PATIENCE)
        except TimeoutError as exc:
            raise CatalogUnavailable("All database connections are busy.", hint="Try again.") from exc

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if usable(connection):
                return connection
            await connection.close()
        connection = await self._connect()
        try:
            await connection.set_autocommit(True)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
            await connection.close()  # a statement was cut off, or the server has gone
        else:
            self._idle.append(connection)
