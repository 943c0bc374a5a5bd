"""milvus-lite in this process: one per directory, however many engines of this process use it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kaynak.engines.milvus.library  # noqa: F401 - before milvus-lite, which imports pymilvus
from kaynak.domain import EngineUnavailable, Misconfigured
from kaynak.engines.milvus.gate import Gate
from kaynak.engines.milvus.together import Together

_SECONDS = 5.0
_LOOSE_ROWS = 1000
_LONGEST_PATH = 80


@dataclass(slots=True)
class _Running:
    """What runs in one directory."""

    server: Any
    database: Any
    folder: Path
    users: int = 0
    gate: Gate = field(default_factory=Gate)
    together: Together[Any, Any] = field(default_factory=Together)
    loose: dict[str, int] = field(default_factory=dict)
    synced: dict[Path, int] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"unix:{self.folder / 'socket'}"


_lock = threading.Lock()
_running: dict[Path, _Running] = {}


def acquire(root: Path) -> str:
    """Returns where milvus-lite of ``root`` listens; starts it if nobody of this process has.

    Raises:
        EngineUnavailable: Another process holds the directory, or it cannot be used.
    """
    root = root.resolve()
    with _lock:
        running = _running.get(root)
        if running is None:
            running = _running[root] = _start(root)
        running.users += 1
        return running.uri


def release(root: Path) -> None:
    """Undoes one `acquire`; the last one stops it."""
    root = root.resolve()
    with _lock:
        running = _running[root]
        running.users -= 1
        if running.users:
            return
        del _running[root]
        running.server.stop(grace=_SECONDS).wait()
        running.database.close()
        shutil.rmtree(running.folder, ignore_errors=True)


def _start(root: Path) -> _Running:
    try:
        from milvus_lite import DataDirLockedError
        from milvus_lite.adapter.grpc.server import start_server_in_thread
    except ImportError as exc:
        raise Misconfigured(
            "Milvus is not installed in this environment, and no server is named.",
            hint="Set milvus.uri, or install it: pip install 'kaynak[milvus-embedded]'",
        ) from exc

    logging.getLogger("milvus_lite").setLevel(logging.CRITICAL + 1)
    # It has no passwords: a socket in a directory that only this account may enter keeps other people of this host out.
    # Its path must be short.
    place = "/tmp" if len(tempfile.gettempdir()) > _LONGEST_PATH else None  # noqa: S108 - what is made there is ours
    folder = Path(tempfile.mkdtemp(prefix="km-", dir=place))
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        # The address is made of both, so that this names a socket in the file system.
        server, database, _ = start_server_in_thread(str(root), "unix", str(folder / "socket"))
    except DataDirLockedError as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise EngineUnavailable(
            "The files of Milvus are in use by another process.",
            hint="Embedded Milvus is for one process: stop the other one, or run a Milvus server and set milvus.uri.",
        ) from exc
    except (OSError, RuntimeError) as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise EngineUnavailable("The directory of embedded Milvus cannot be used.") from exc
    return _Running(server, database, folder)


def gate(root: Path) -> Gate:
    """Returns what all readers of a directory pass."""
    return _running[root.resolve()].gate


def together(root: Path) -> Together[Any, Any]:
    """Returns what carries searches of a directory that are asked at the same time."""
    return _running[root.resolve()].together


def put_away(root: Path, collection: str, rows: int, flush: Callable[[], object]) -> None:
    """Has rows that were written put away once there are many.

    milvus-lite looks at rows of its log one by one in Python, and at those it has put away ten times as fast, but puts
    them away at 128 MB only.
    """
    running = _running[root.resolve()]
    running.loose[collection] = running.loose.get(collection, 0) + rows
    if running.loose[collection] >= _LOOSE_ROWS:
        with running.gate.shut():
            flush()
        running.loose[collection] = 0


def sync(root: Path, collections: Sequence[str]) -> None:
    """Has what was written to collections reach the disk.

    milvus-lite leaves that to the operating system: a process that is killed loses nothing; but without this, a machine
    that loses power might remember a revision, and not its points.
    """
    running = _running[root.resolve()]
    for name in collections:
        _sync(root / "collections" / name, running.synced)


def _sync(folder: Path, synced: dict[Path, int]) -> None:
    """Syncs the files that have changed since the last time."""
    for path in sorted(folder.rglob("*")):
        try:
            changed = path.stat().st_mtime_ns
            if synced.get(path) == changed:
                continue
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # put away meanwhile
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        synced[path] = changed
