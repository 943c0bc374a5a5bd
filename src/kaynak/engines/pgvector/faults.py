from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from kaynak.domain import (
    CorruptIndex,
    EngineUnavailable,
    InvalidRequest,
    KaynakError,
    Misconfigured,
    StorageFull,
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turns errors of psycopg into ours; what can only be a defect of ours stays as it is.

    Args:
        name: Of the index, for messages.

    Raises:
        CorruptIndex: Its table is missing or damaged.
        StorageFull: The server's disk is full.
        EngineUnavailable: The server does not answer, or gave up this statement.
        InvalidRequest: A number is beyond what half precision can hold.
        Misconfigured: We may not do this on that server.
    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed) as exc:
        meaning = _meaning(exc, name)
        if meaning is None:
            raise
        raise meaning from exc


def _meaning(exc: Exception, name: str) -> KaynakError | None:
    match exc:
        case (
            errors.UndefinedTable()
            | errors.UndefinedColumn()
            | errors.InvalidSchemaName()
            | errors.DataCorrupted()
            | errors.IndexCorrupted()
            | errors.UndefinedFile()
        ):
            return CorruptIndex(f"Index “{name}” is missing or damaged.")
        case errors.DiskFull():
            return StorageFull("There is no space left for the index.", hint="Free some space on the database server.")
        case errors.NumericValueOutOfRange():
            return InvalidRequest("A vector has a number beyond ±65,504, the range of half precision.")
        case errors.InsufficientPrivilege():
            return Misconfigured(
                "The database account may not do this.",
                hint="It needs CREATE on the database, and the extension “vector”.",
            )
        case errors.UndefinedObject() | errors.FeatureNotSupported() | errors.UndefinedFunction():
            return Misconfigured("The database has no pgvector 0.8 or newer.", hint="Install the extension “vector”.")
        case errors.ReadOnlySqlTransaction():
            return EngineUnavailable(
                "The vector database is a replica, which takes no writes.",
                hint="Let the address lead to the primary: postgresql://one,two/db?target_session_attrs=read-write",
            )
        case errors.LockNotAvailable():
            return EngineUnavailable("The index is in use.", hint="Try again in a moment.")
        case errors.QueryCanceled():
            return EngineUnavailable("The vector database gave up what it was told to do.")
        case psycopg.OperationalError() | psycopg.InterfaceError() | PoolTimeout() | PoolClosed():
            return EngineUnavailable("The vector database does not answer.", hint="Is PostgreSQL running?")
    return None
