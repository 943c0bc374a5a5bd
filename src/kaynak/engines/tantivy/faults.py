from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, StorageFull

_LITTLE = 4 * 2**20


@contextmanager
def translated(name: str, directory: Path) -> Iterator[None]:
    """Turns what tantivy and the file system raise into our errors.

    Tantivy says ValueError or OSError for anything, and its panics are no `Exception`.

    Raises:
        StorageFull: There is no space left under ``directory``.
        EngineUnavailable: Another process holds the writer, or the files may not be opened now.
        CorruptIndex: Anything else.
    """
    try:
        yield
    except KaynakError:
        raise
    except (OSError, ValueError) as exc:
        raise _meaning(exc, name, directory) from exc
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":
            raise
        raise _meaning(exc, name, directory) from exc


def _meaning(exc: BaseException, name: str, directory: Path) -> KaynakError:
    said = str(exc)
    code = exc.errno if isinstance(exc, OSError) else None
    if code in {errno.ENOSPC, errno.EDQUOT} or "os error 28" in said or "No space left" in said:
        return _full()
    if _space_left(directory) < _LITTLE:
        return _full()
    if code in {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS}:
        return EngineUnavailable(f"The files of index “{name}” cannot be opened now.")
    if "LockBusy" in said:
        return EngineUnavailable(f"Index “{name}” is being written by another process.")
    return CorruptIndex(f"Index “{name}” is missing or damaged.")


def _full() -> StorageFull:
    return StorageFull("There is no space left for the index.", hint="Free some space; indexing resumes.")


def _space_left(directory: Path) -> int:
    for place in (directory, *directory.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return _LITTLE
