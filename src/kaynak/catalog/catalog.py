from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kaynak.catalog import migrate
from kaynak.catalog.audit import Head
from kaynak.catalog.audit_writer import AuditWriter
from kaynak.catalog.engine import connector, create_engine, create_readers
from kaynak.catalog.failures import translated
from kaynak.catalog.looking import Look, Lookers
from kaynak.catalog.sql import driver
from kaynak.catalog.unit import Unit
from kaynak.domain import Misconfigured

_LEAST_SERVER = 15
_LEAST_VECTOR = (0, 8)
_READERS_MOST = 8
"""Connections that only read. More at a time than a small machine has cores would wait for each other."""
_LOOKERS_MOST = 4
"""The same, of searches alone, whose statements take a millisecond or two."""


def _unnoticed(_head: Head) -> None:
    pass


class Catalog:
    """All that is known, in PostgreSQL. Safe to share between tasks of one event loop.

    Attributes:
        url: Plain ``postgresql://`` URL, for those who need connections of their own.
        audit: Writes down what was read; what is written says so in its own unit of work, see `Unit.audit`.
        witness: Told the head of the audit log after each event of this process.
    """

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self.url = url
        self._engine = engine
        self._readers: AsyncEngine | None = None
        self._lookers: Lookers | None = None
        self.witness: Callable[[Head], None] = _unnoticed
        self.audit = AuditWriter(url, self.read, lambda head: self.witness(head))

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 8) -> Catalog:
        """Connects, and checks that the server can carry a catalog.

        Args:
            url: ``postgresql://…``, of the embedded server or any other from version 15 with pgvector.
            pool_size: Most connections at a time.

        Raises:
            CatalogUnavailable: The server does not answer.
            Misconfigured: The URL, the server or the rights on it cannot work; the message says what to do.
        """
        catalog = cls(url, create_engine(url, pool_size))
        try:
            await catalog._check_server()
            catalog._readers = await create_readers(url, min(pool_size, _READERS_MOST))
            if catalog._readers is not None:
                catalog._lookers = Lookers(connector(url, reading=True), min(pool_size, _LOOKERS_MOST))
        except BaseException:
            await catalog.close()
            raise
        return catalog

    async def migrate(self, target: str = "head") -> None:
        """Brings the tables to ``target``; a no-op if they are there. Safe to run from many processes.

        Raises:
            Misconfigured: The database was made by a newer Kaynak, or its user may not create tables.
            CatalogUnavailable: The server does not answer.
        """
        with translated():
            await migrate.migrate(self._engine, target)

    async def current_migration(self) -> str | None:
        """Returns the migration the database is at; None for an empty one."""
        with translated():
            return await migrate.current(self._engine)

    def begin(self) -> AbstractAsyncContextManager[Unit]:
        """Opens a unit of work that is committed when its block ends, and undone if the block raises."""
        return self._transaction(read_only=False)

    def read(self) -> AbstractAsyncContextManager[Unit]:
        """Opens a unit of work that cannot write. Each of its statements sees what is committed by then."""
        return self._transaction(read_only=True) if self._readers is None else self._look(self._readers)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Look]:
        """Opens what a search asks, for less than `read` costs; it cannot write either.

        Raises:
            CatalogUnavailable: The server does not answer, or all connections are busy.
        """
        with translated():
            if self._lookers is not None:
                async with self._lookers.look() as look:
                    yield look
                return
        async with self._transaction(read_only=True) as unit:
            yield Look(await driver(unit.connection))

    async def ping(self) -> None:
        """Returns if the server answers.

        Raises:
            CatalogUnavailable: It does not.
        """
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Closes all connections."""
        await self.audit.close()
        await self._engine.dispose()
        if self._readers is not None:
            await self._readers.dispose()
        if self._lookers is not None:
            await self._lookers.close()

    @asynccontextmanager
    async def _look(self, readers: AsyncEngine) -> AsyncIterator[Unit]:
        with translated():
            async with readers.connect() as connection:
                yield Unit(connection)

    @asynccontextmanager
    async def _transaction(self, *, read_only: bool) -> AsyncIterator[Unit]:
        with translated(writing=not read_only):
            async with self._engine.connect() as connection:
                if read_only:
                    await connection.execution_options(postgresql_readonly=True)
                async with connection.begin():
                    unit = Unit(connection)
                    yield unit
                    head = None if read_only or "audit" not in vars(unit) else await unit.audit.flush()
                if head is not None:
                    self.witness(head)

    async def _check_server(self) -> None:
        with translated():
            async with self._engine.connect() as connection:
                version = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
                vector = (
                    await connection.execute(
                        text(
                            "SELECT coalesce(installed_version, default_version) "
                            "FROM pg_available_extensions WHERE name = 'vector'"
                        )
                    )
                ).scalar_one_or_none()
        if int(version) < _LEAST_SERVER * 10_000:
            raise Misconfigured(
                f"The PostgreSQL server is of version {int(version) // 10_000}.",
                hint=f"Use version {_LEAST_SERVER} or newer, or unset KAYNAK_DATABASE_URL for the embedded one.",
            )
        if vector is None or tuple(int(part) for part in vector.split(".")[:2]) < _LEAST_VECTOR:
            raise Misconfigured(
                f"The PostgreSQL server has {f'pgvector {vector}' if vector else 'no pgvector extension'}.",
                hint="Install pgvector 0.8 or newer on the server (Debian: postgresql-NN-pgvector).",
            )
