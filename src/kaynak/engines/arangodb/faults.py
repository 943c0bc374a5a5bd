from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from arangoasync import errno  # type: ignore[import-untyped]
from arangoasync.exceptions import (  # type: ignore[import-untyped]
    ArangoClientError,
    ArangoServerError,
    ClientConnectionAbortedError,
    ClientConnectionError,
    DeserializationError,
)

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, Misconfigured, StorageFull

_MISSING = {
    errno.CORRUPTED_DATAFILE,
    errno.CORRUPTED_COLLECTION,
    errno.DOCUMENT_NOT_FOUND,
    errno.DATA_SOURCE_NOT_FOUND,
    errno.INDEX_NOT_FOUND,
    errno.QUERY_VECTOR_SEARCH_NOT_APPLIED,
    1555,  # a vector index that has not learned yet; the driver has no name for it
}
_LATER = {
    errno.LOCK_TIMEOUT,
    errno.REQUEST_CANCELED,
    errno.LOCKED,
    errno.DEADLOCK,
    errno.SHUTTING_DOWN,
    errno.RESOURCE_LIMIT,
    errno.STARTING_UP,
    errno.READ_ONLY,
    errno.CONFLICT,
    errno.TRY_AGAIN,
    errno.BUSY,
    errno.IO_ERROR,
    errno.QUERY_KILLED,
    errno.QUERY_COLLECTION_LOCK_FAILED,
    errno.CURSOR_NOT_FOUND,
    errno.CURSOR_BUSY,
    *range(
        errno.REPLICATION_NO_RESPONSE, errno.QUERY_KILLED
    ),  # of clusters: leaders that change, servers that are away
    *range(errno.TRANSACTION_INTERNAL, errno.TRANSACTION_NOT_FOUND + 1),
}
_NO_SPACE = ("no space left", "disk full", "disk is full")
_VECTORS_OFF = "vector index feature is not enabled"


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turns errors of the driver into ours; what can only be a defect of ours stays as it is.

    Args:
        name: Of the index, for messages.

    Raises:
        CorruptIndex: Its collection, view or vector index is missing or damaged.
        StorageFull: The server's disk is full.
        EngineUnavailable: The server does not answer, or not now.
        Misconfigured: The server does not know us, or does not let us, or has no vector indexes.
    """
    try:
        yield
    except ArangoServerError as exc:
        meaning = _meaning(exc, name)
        if meaning is None:
            raise
        raise meaning from exc
    except (ClientConnectionError, ClientConnectionAbortedError, DeserializationError) as exc:
        raise _away() from exc
    except ArangoClientError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise _away() from exc


@contextmanager
def existing() -> Iterator[None]:
    """Passes over that something to be made exists already: others make the same."""
    try:
        yield
    except ArangoServerError as exc:
        if exc.error_code != errno.DUPLICATE_NAME:
            raise


@contextmanager
def unprepared() -> Iterator[None]:
    """Passes over that a vector index cannot be made of nothing, as before 3.12.9; not over that there are none."""
    try:
        yield
    except ArangoServerError as exc:
        # By which number it refuses is not documented. Other trouble comes back with the next request.
        if _VECTORS_OFF in str(exc):
            raise


def _meaning(exc: ArangoServerError, name: str) -> KaynakError | None:
    code, said = exc.error_code, (exc.error_message or "").lower()
    if _VECTORS_OFF in said:
        return Misconfigured(
            "This ArangoDB was started without vector indexes.",
            hint="Start it with --vector-index, which was --experimental-vector-index at first.",
        )
    if code == errno.FILESYSTEM_FULL or any(one in said for one in _NO_SPACE):
        return StorageFull("There is no space left for the index.", hint="Free some space on the ArangoDB server.")
    if code == errno.DATABASE_NOT_FOUND:
        return Misconfigured("There is no such database in ArangoDB.", hint="Make it, or set arangodb.database.")
    if exc.http_code == errno.HTTP_UNAUTHORIZED:
        return Misconfigured(
            "ArangoDB does not accept the user or the password.", hint="Set arangodb.user and arangodb.password."
        )
    if code in _LATER:
        return EngineUnavailable("ArangoDB cannot do this now.", hint=_HINTS.get(code))
    if exc.http_code == errno.HTTP_FORBIDDEN or code == errno.FORBIDDEN:
        return Misconfigured(
            "The user of ArangoDB may not do this.", hint="It needs administrate access to the database."
        )
    if code in _MISSING:
        return CorruptIndex(f"Index “{name}” is missing or damaged.")
    # Without a number of its own, it is no answer of ArangoDB, or about a job that did not survive a restart.
    away = exc.http_code >= errno.HTTP_SERVER_ERROR or code == errno.HTTP_NOT_FOUND
    return _away() if away else None


_HINTS = {
    errno.RESOURCE_LIMIT: "It reached a limit of memory or size: see --query.memory-limit.",
    errno.READ_ONLY: "The server is in read-only mode.",
}


def _away() -> EngineUnavailable:
    return EngineUnavailable("ArangoDB does not answer.", hint="Is it running, and is arangodb.url its address?")
