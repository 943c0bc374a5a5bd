from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, Misconfigured, StorageFull

_LITTLE = 4 * 2**20
_OTHERS = frozenset({errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS})


@contextmanager
def edge_translated(path: Path) -> Iterator[None]:
    """Turns what the embedded engine and the file system raise into our errors, see `edge_raise`."""
    try:
        yield
    except BaseException as exc:
        edge_raise(exc, path)


def edge_raise(exc: BaseException, path: Path) -> NoReturn:
    """Raises what the embedded engine or the file system raised, as one of our errors.

    It says plain Exception for anything, and its panics are no `Exception`.

    Raises:
        StorageFull: There is no space left around ``path``.
        EngineUnavailable: The files may not be opened now.
        CorruptIndex: Anything else.
    """
    theirs = type(exc) is Exception or type(exc).__name__ == "PanicException"
    if isinstance(exc, KaynakError) or not (theirs or isinstance(exc, OSError)):
        raise exc
    raise _meaning(exc, path) from exc


def _meaning(exc: BaseException, path: Path) -> KaynakError:
    said = str(exc)
    code = exc.errno if isinstance(exc, OSError) else None
    if code in {errno.ENOSPC, errno.EDQUOT} or "os error 28" in said or "No space left" in said:
        return _full()
    if "os error 24" in said or "os error 13" in said or code in _OTHERS:
        return EngineUnavailable(f"The files of {path.name} cannot be opened now.")
    if _space_left(path) < _LITTLE:
        return _full()
    return CorruptIndex(f"The index in {path.name} is missing or damaged.")


def _space_left(path: Path) -> int:
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return _LITTLE


def _full() -> StorageFull:
    return StorageFull("There is no space left for the index.", hint="Free some space; indexing resumes.")


@contextmanager
def server_translated(name: str) -> Iterator[None]:
    """Turns what the server's client raises into our errors.

    Raises:
        CorruptIndex: The collection is missing, or has not the vectors it was made with.
        StorageFull: The server's disk is full.
        Misconfigured: The key is wrong, or the server refuses what we do.
        EngineUnavailable: The server does not answer, or cannot now.
    """
    from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        yield
    except UnexpectedResponse as exc:
        raise _answer(exc.status_code or 500, _said(exc.content), name) from exc
    except ResponseHandlingException as exc:
        raise EngineUnavailable("Qdrant does not answer.", hint="Is the server running, and is its URL right?") from exc
    except ResourceExhaustedResponse as exc:
        raise EngineUnavailable("Qdrant has too much to do.", hint="The same request may succeed later.") from exc


def _answer(status: int, said: str, name: str) -> KaynakError:
    if status == 507 or "No space left" in said or "os error 28" in said:
        return StorageFull("Qdrant has no space left.", hint="Free some space on the Qdrant server.")
    if status in {401, 403}:
        return Misconfigured(
            "Qdrant does not accept the API key, or allows it too little.", hint="Check qdrant.api_key."
        )
    if status == 404:
        return CorruptIndex(f"Qdrant has no collection “{name}”.")
    if status in {408, 409, 429} or status >= 500:
        return EngineUnavailable(f"Qdrant cannot answer now ({status}).")
    if "vector name" in said or "dimension" in said:
        return CorruptIndex(f"Collection “{name}” has other vectors than it was made with.")
    return Misconfigured(f"Qdrant refuses what is asked of it ({status}): {said[:200]}")


def _said(content: bytes) -> str:
    try:
        return str(json.loads(content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return content[:500].decode("utf-8", "replace")
