"""milvus-lite in this process: one per directory, however many engines of this process use it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaynak.engines.milvus.library  # noqa: F401 - before milvus-lite, which imports pymilvus
from kaynak.domain import EngineUnavailable, Misconfigured

_SECONDS = 5.0


@dataclass(slots=True)
class _Running:
    """What runs in one directory."""

    server: Any
    database: Any
    folder: Path
    users: int = 0

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
    folder = Path(tempfile.mkdtemp(prefix="km-"))
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        # The address is made of both, so that this names a socket in the file system.
        server, database, _ = start_server_in_thread(str(root), "unix", str(folder / "socket"))  # type: ignore[arg-type]
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


def sync(root: Path, collections: list[str]) -> None:
    """Writes the logs of collections to the disk, which milvus-lite does only when it is done with them.

    Without this, a machine that loses power might remember a revision that was written later than lost points.
    """
    for name in collections:
        for log in sorted((root / "collections" / name / "wal").glob("*.arrow")):
            descriptor = os.open(log, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
