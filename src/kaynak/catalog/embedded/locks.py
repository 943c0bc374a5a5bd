"""Locks between processes. The kernel lets go of them when a process dies, however it dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kaynak.catalog.embedded.account import Account
from kaynak.domain import Misconfigured

try:
    import fcntl
except ImportError as exc:
    raise Misconfigured(
        "The embedded PostgreSQL needs Linux or macOS.",
        hint="Set KAYNAK_DATABASE_URL to a PostgreSQL server.",
    ) from exc


@contextlib.contextmanager
def exclusive(path: Path, account: Account) -> Iterator[None]:
    """Holds ``path`` alone; waits for others."""
    handle = _open(path, account)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class SharedHold:
    """One user among many of the thing that ``path`` stands for. Each hold counts, also within a process."""

    def __init__(self, path: Path, account: Account) -> None:
        self._handle = _open(path, account)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def release(self) -> bool:
        """Lets go, and returns whether nobody else holds it."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(self._handle)


def _open(path: Path, account: Account) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    account.own(path)
    return handle
