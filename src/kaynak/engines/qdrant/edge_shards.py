"""Shards of the embedded engine that this process has open.

Qdrant opens a shard once: not twice in a process, nor in two processes. So engines of one process share it, and it is
closed when the last of them is. Everything here is thread-safe.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kaynak.domain import CorruptIndex, EngineUnavailable

if TYPE_CHECKING:
    from qdrant_edge import EdgeConfig, EdgeShard

_OLD, _NEW = ".old", ".new"


class Shard:
    """One directory, open while somebody owns it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owners: set[object] = set()
        self._gate = threading.Condition()
        self._users = 0
        self._waiting = False
        self._edge: EdgeShard | None = None
        self._lock: IO[str] | None = None
        self.writing = threading.Lock()
        """Held while points are written, and while a copy of the files takes their place."""
        self.unflushed = 0
        """Points that are in the log only."""

    @property
    def copy(self) -> Path:
        """Where files are made that will take the place of these."""
        return self._path.with_name(self._path.name + _NEW)

    @property
    def path(self) -> Path:
        """The directory."""
        return self._path

    @contextmanager
    def use(self, owner: object | None) -> Iterator[EdgeShard]:
        """Opens it if need be, and keeps it open meanwhile and until ``owner`` leaves.

        Args:
            owner: Whose it is from now on; None for who only looks.

        Raises:
            CorruptIndex: There is none.
            EngineUnavailable: Another process has it.
        """
        with self._gate:
            while self._waiting:
                self._gate.wait()
            if self._edge is None:
                self._open()
            if owner is not None:
                self._owners.add(owner)
            edge = self._edge
            self._users += 1
        try:
            yield edge  # type: ignore[misc]  # opened above
        finally:
            self.done()

    def glance(self, owner: object) -> EdgeShard | None:
        """As `use`, but returns None where that would have to wait, or to open it; `done` says when it is not used."""
        if not self._gate.acquire(blocking=False):
            return None
        try:
            if self._waiting or owner not in self._owners:
                return None
            self._users += self._edge is not None
            return self._edge
        finally:
            self._gate.release()

    def done(self) -> None:
        """Lets those go on who wait until nobody uses it."""
        with self._gate:
            self._users -= 1
            if self._waiting:
                self._gate.notify_all()

    def make(self, owner: object, config: EdgeConfig) -> None:
        """Makes an empty one, unless it is there."""
        from qdrant_edge import EdgeShard

        with self._alone():
            self._hold()
            self._mend()
            if self._edge is None and not self._path.exists():
                self._path.mkdir(parents=True)
                self._edge = EdgeShard.create(str(self._path), config)
            self._owners.add(owner)

    def remove(self) -> None:
        """Removes it and all its files."""
        with self.writing, self._alone():
            if self._edge is None and not self._path.exists():
                return
            self._hold()
            self._close()
            for one in (self._path, self.copy, self._path.with_name(self._path.name + _OLD)):
                shutil.rmtree(one, ignore_errors=True)
            self._free()
            self._owners.clear()

    def is_last(self, owner: object) -> bool:
        """Returns whether nobody else owns it."""
        with self._gate:
            return not self._owners - {owner}

    def leave(self, owner: object) -> None:
        """Closes it if nobody else owns it."""
        with self._alone():
            self._owners.discard(owner)
            if not self._owners:
                try:
                    self._close()
                finally:
                    self._free()

    def settle(self) -> None:
        """Writes the log through to the disk.

        What is in it is done again when the shard is next opened, so nothing else has to be there. Qdrant's own
        ``flush`` writes everything, takes ten times as long, and holds the interpreter meanwhile.
        """
        log = self._path / "wal"
        with self.writing:
            for file in (*log.iterdir(), log):
                descriptor = os.open(file, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def exchange(self) -> None:
        """Puts the copy in the place of the files. A crash in between is mended when it is next opened."""
        old = self._path.with_name(self._path.name + _OLD)
        with self._alone():
            self._close()
            self._path.rename(old)
            self.copy.rename(self._path)
            shutil.rmtree(old, ignore_errors=True)
            self._open()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Waits until nobody uses it, and keeps everyone out."""
        with self._gate:
            while self._waiting:
                self._gate.wait()
            self._waiting = True
            try:
                while self._users:
                    self._gate.wait()
                yield
            finally:
                self._waiting = False
                self._gate.notify_all()

    def _open(self) -> None:
        from qdrant_edge import EdgeShard

        if self._lock is None and not self._path.parent.exists():
            raise CorruptIndex(f"There is no index in {self._path.name}.")
        self._hold()
        try:
            self._mend()
            if not self._path.exists():
                raise CorruptIndex(f"There is no index in {self._path.name}.")
            self._edge = EdgeShard.load(str(self._path))
        except BaseException:
            self._free()
            raise

    def _mend(self) -> None:
        old = self._path.with_name(self._path.name + _OLD)
        if self._edge is None:
            if old.exists() and not self._path.exists():
                old.rename(self._path)
            for one in (old, self.copy):
                shutil.rmtree(one, ignore_errors=True)

    def _close(self) -> None:
        edge, self._edge = self._edge, None
        if edge is not None:
            edge.flush()
            edge.close()
            self.unflushed = 0

    def _hold(self) -> None:
        """Takes the lock that keeps other processes out, as long as the shard is open."""
        if self._lock is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.with_name(self._path.name + ".lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.close()
            raise EngineUnavailable(
                "Another process has the embedded Qdrant index open.",
                hint="One process at a time can: stop the other, ask its server, or run a Qdrant server.",
            ) from exc
        except BaseException:
            file.close()
            raise
        self._lock = file

    def _free(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()


_SHARDS: dict[Path, Shard] = {}
_SHARDS_LOCK = threading.Lock()


def shard_at(path: Path) -> Shard:
    """Returns the one of a directory."""
    path = path.absolute()
    with _SHARDS_LOCK:
        return _SHARDS.setdefault(path, Shard(path))
