"""One server per data directory: an advisory lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaynak.domain import DataDirectoryInUse

_NAME = "server.lock"
_LOOKS = 10


class ServerLock:
    """The held lock; its file says who holds it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def describe(self, **facts: Any) -> None:
        """Writes who serves where, for the message that a second server gets."""
        content = json.dumps({"pid": os.getpid(), **facts}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


@contextmanager
def server_lock(data_dir: Path) -> Iterator[ServerLock]:
    """Holds the lock of ``data_dir`` while the block runs. The file stays: removing it would race.

    Raises:
        DataDirectoryInUse: Another server holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise _in_use(data_dir, descriptor) from exc
        lock = ServerLock(descriptor)
        lock.describe()
        yield lock
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _in_use(data_dir: Path, descriptor: int) -> DataDirectoryInUse:
    who = ""
    for _ in range(_LOOKS):
        try:
            facts = json.loads(os.pread(descriptor, 4096, 0))
            who = f" (process {facts['pid']}" + (f", {facts['url']})" if "url" in facts else ")")
            break
        except (ValueError, KeyError, TypeError):
            time.sleep(0.02)  # it was taken at this very moment, and its holder has not said yet who it is
    return DataDirectoryInUse(
        f"A server already runs on {data_dir}{who}.",
        hint="Use that one, stop it, or serve another directory with --data-dir.",
    )
