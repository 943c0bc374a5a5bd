from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, Misconfigured, StorageFull
from kaynak.engines.milvus.library import MilvusException, grpc

_MISSING, _NO_DATABASE, _INVALID, _INVALID_END = 100, 800, 1100, 1200
_NO_MEMORY, _NO_DISK, _NO_QUOTA = 3, 7, 9
_LITE_FAULT = 1
_REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


@contextmanager
def translated(name: str, *, embedded: bool) -> Iterator[None]:
    """Turns errors of pymilvus and gRPC into ours; what can only be a defect of ours stays as it is.

    Args:
        name: Of the index, for messages.
        embedded: Whether it is milvus-lite, whose numbers for errors are other ones.

    Raises:
        CorruptIndex: A collection is missing or damaged.
        StorageFull: Disk or memory of the server are full.
        EngineUnavailable: It does not answer, or not yet.
        Misconfigured: The token or the database is wrong.
    """
    try:
        yield
    except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as exc:
        meaning = _meaning(exc, name, embedded=embedded)
        if meaning is None:
            raise
        raise meaning from exc


def _meaning(exc: Exception, name: str, *, embedded: bool) -> KaynakError | None:
    code = exc.code() if isinstance(exc, grpc.RpcError) else getattr(exc, "code", None)
    said = str(exc).lower()
    if code in _REFUSED or "auth check failure" in said or "unauthenticated" in said:
        return Misconfigured("Milvus refuses the token.", hint="Set milvus.token to “user:password” or an API key.")
    if "no space left" in said:
        return _full()
    if code == _MISSING:
        return CorruptIndex(f"Index “{name}” is missing or damaged.")
    if code == _NO_DATABASE or "database not found" in said:
        return Misconfigured("There is no such database in Milvus.", hint="Make it, or set milvus.database.")
    if embedded and code == _LITE_FAULT:
        return CorruptIndex(f"Index “{name}” is missing or damaged.")
    if not embedded and code in {_NO_MEMORY, _NO_DISK, _NO_QUOTA}:
        return _full()
    if isinstance(code, int) and _INVALID <= code < _INVALID_END:
        return None
    return EngineUnavailable("Milvus does not answer.", hint="Is it running, and is milvus.uri its address?")


def _full() -> StorageFull:
    return StorageFull("There is no space left for the index.", hint="Free some space where Milvus keeps its data.")
