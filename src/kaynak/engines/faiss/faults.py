from __future__ import annotations

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, StorageFull
from kaynak.engines.faiss.store import FILE

_LITTLE = 4 * 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_NOW = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS, errno.EIO}
_SQLITE_NOT_NOW = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


@contextmanager
def translated(name: str, directory: Path) -> Iterator[None]:
    """Turns what SQLite and the file system raise into our errors.

    Raises:
        StorageFull: There is no space left under ``directory``.
        EngineUnavailable: Another process is in the way, or the files may not be opened now.
        CorruptIndex: A file is missing or damaged.
    """
    try:
        yield
    except KaynakError:
        raise
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except (sqlite3.Error, OSError, MemoryError) as exc:
        raise _meaning(exc, name, directory) from exc


def _meaning(exc: BaseException, name: str, directory: Path) -> KaynakError:
    code = exc.errno if isinstance(exc, OSError) else None
    # The lower byte is the kind of error, the others say more about it.
    said = getattr(exc, "sqlite_errorcode", 0)
    kind = said & 0xFF
    if code in _FULL or kind == sqlite3.SQLITE_FULL or _space_left(directory) < _LITTLE:
        return StorageFull("There is no space left for the index.", hint="Free some space; indexing resumes.")
    if code in _NOT_NOW or kind in _SQLITE_NOT_NOW or isinstance(exc, MemoryError):
        return EngineUnavailable(f"The files of index “{name}” cannot be used now.")
    # SQLite tells a file that is not there from one that cannot be opened now as little as a cut file from a bad disk.
    if kind == sqlite3.SQLITE_CANTOPEN and _has_database(directory):
        return EngineUnavailable(f"The files of index “{name}” cannot be opened now.")
    if kind == sqlite3.SQLITE_IOERR and said != sqlite3.SQLITE_IOERR_SHORT_READ:
        return EngineUnavailable(f"The files of index “{name}” cannot be read or written now.")
    return CorruptIndex(f"Index “{name}” is missing or damaged.")


def _has_database(directory: Path) -> bool:
    try:
        return any(directory.glob(f"*/{FILE}"))
    except OSError:
        return True


def _space_left(directory: Path) -> int:
    for place in (directory, *directory.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return _LITTLE
