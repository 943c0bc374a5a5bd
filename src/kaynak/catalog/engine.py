"""The connection pool: how SQLAlchemy reaches PostgreSQL through psycopg."""

from __future__ import annotations

import json
import select
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import sqlalchemy.exc
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kaynak.domain import Misconfigured

Connection = psycopg.AsyncConnection[Any]

_CONNECT_TIMEOUT = 10

_ONLY_WHEN_ASKED = 2**31
"""Repetitions after which the driver prepares a statement by itself: never."""


def create_engine(url: str, pool_size: int, *, reading: bool = False) -> AsyncEngine:
    """Returns a pool of at most ``pool_size`` connections to a plain ``postgresql://`` URL.

    Args:
        url: Where to.
        pool_size: Most connections at a time.
        reading: Whether they are to be read-only by themselves. Then no statement needs a transaction around it,
            which spares two of three round trips.

    Raises:
        Misconfigured: It is no such URL.
    """
    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connector(url, reading=reading),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        json_serializer=_dump_json,
        json_deserializer=json.loads,
        isolation_level="AUTOCOMMIT" if reading else None,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def connector(url: str, *, reading: bool) -> Callable[[], Awaitable[Connection]]:
    """Returns what opens a connection; see `create_engine`."""
    conninfo = url.replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        given = psycopg.conninfo.conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as exc:
        raise Misconfigured(
            "The database URL is not one.", hint="KAYNAK_DATABASE_URL looks like postgresql://user@host/name."
        ) from exc
    if reading:
        options = f"{given.get('options') or ''} -c default_transaction_read_only=on"
        conninfo = psycopg.conninfo.make_conninfo(conninfo, options=options.strip())

    async def connect() -> Connection:
        connection = await _connect(conninfo)
        if reading:
            await _allow_prepared(connection)
        return connection

    return connect


async def connect_single(url: str) -> psycopg.AsyncConnection[Any]:
    """Returns a connection beside the pools, on which each statement is a transaction of its own."""
    return await _connect(url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True)


async def _connect(conninfo: str, *, autocommit: bool = False) -> psycopg.AsyncConnection[Any]:
    # No prepared statements: behind pgbouncer the next transaction may meet another server connection, and
    # generic plans of filtered searches are bad ones. See `_allow_prepared` for the exception.
    return await psycopg.AsyncConnection.connect(
        conninfo,
        autocommit=autocommit,
        prepare_threshold=None,
        connect_timeout=_CONNECT_TIMEOUT,
        application_name="kaynak",
    )


async def create_readers(url: str, pool_size: int) -> AsyncEngine | None:
    """Returns a pool of connections that cannot write, see `create_engine`; None if there cannot be one here.

    A pooler between us and the server may refuse the option that makes them so, or swallow it; this is asked once.
    """
    engine = create_engine(url, pool_size, reading=True)
    try:
        async with engine.connect() as connection:
            shown = await connection.exec_driver_sql("SHOW default_transaction_read_only")
            if shown.scalar_one() == "on":
                return engine
    except (sqlalchemy.exc.OperationalError, psycopg.OperationalError):
        pass
    except BaseException:
        await engine.dispose()
        raise
    await engine.dispose()
    return None


async def _allow_prepared(connection: Connection) -> None:
    """Lets statements that ask for it be prepared, which saves the server their planning each time.

    Only where nothing stands between us and the server: a pooler makes up the process id that clients are told.
    """
    try:
        cursor = await connection.execute("SELECT pg_backend_pid()")
        row = await cursor.fetchone()
        await connection.rollback()
    except BaseException:
        await connection.close()
        raise
    if row is not None and row[0] == connection.info.backend_pid:
        connection.prepare_threshold = _ONLY_WHEN_ASKED


def _dump_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def usable(connection: Connection) -> bool:
    """Returns whether the server has not closed a connection while nobody used it.

    An idle connection has nothing to read unless the server said goodbye. Asking the kernel costs a
    microsecond, where a ping of the server costs a round trip for every unit of work.

    A reader that was cancelled while it began can leave a connection that refuses to write; it is no good either.
    """
    if connection.closed or connection.read_only:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _refuse_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Keeps the pool from handing out a connection that is no longer `usable`."""
    if not usable(dbapi_connection.driver_connection):
        raise sqlalchemy.exc.DisconnectionError
