from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from kaynak.domain import Conflict, CorruptIndex
from kaynak.engines.faiss.spec import Layout, layout_from
from kaynak.engines.faiss.store import FILE, Store, make_database, read_spec
from kaynak.engines.file_lock import file_lock

_WAIT = 60.0


@contextmanager
def write_lock(root: Path, name: str) -> Iterator[None]:
    """Lets one writer of an index in; the lock lies beside the directory, so that it also covers making and removing.

    Raises:
        EngineUnavailable: Another writer kept it for a minute.
    """
    root.mkdir(parents=True, exist_ok=True)
    with file_lock(root / f"{name}.lock", name, _WAIT):
        yield


def find(root: Path, name: str) -> Path:
    """Returns the directory in which the files of an index are.

    It has another name each time that an index is made: SQLite removes its journal by name when the last connection is
    closed, which may be one to an index that was dropped.

    Raises:
        CorruptIndex: There is none.
    """
    try:
        with os.scandir(root / name) as found:
            for one in found:
                if one.is_dir():
                    return Path(one.path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    raise CorruptIndex(f"There is no index “{name}”.")


def make(root: Path, layout: Layout) -> None:
    """Makes an empty index, complete or not at all; an equal one is left alone.

    Raises:
        Conflict: One that is built differently exists.
        CorruptIndex: One exists and is damaged.
    """
    target = root / layout.name
    if target.exists():
        store = Store(find(root, layout.name) / FILE, layout.name)
        try:
            with store.transaction() as connection:
                stored = layout_from(layout.name, read_spec(connection, layout.name))
        finally:
            store.close()
        if not layout.same(stored):
            raise Conflict(f"Index “{layout.name}” exists and is built differently.")
        return
    fresh = root / f".new-{uuid4().hex}"
    inner = fresh / uuid4().hex
    inner.mkdir(parents=True)
    try:
        make_database(inner / FILE, layout)
        for one in (inner / FILE, inner, fresh):
            synced(one)
        fresh.rename(target)
        synced(root)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def remove(root: Path, name: str) -> None:
    """Removes an index at once for every process; those that have it open keep reading until they look."""
    gone = root / f".gone-{uuid4().hex}"
    try:
        (root / name).rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def synced(path: Path) -> None:
    """Returns once a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
