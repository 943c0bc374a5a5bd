from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kaynak.catalog.vault import Vault


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Where the key of the installation is, and where the one before it may be.

    Attributes:
        path: The file that holds it where none is set.
        secret: The one that is set.
        old: The one before, while it is being replaced.
    """

    path: Path
    secret: str | None = None
    old: str | None = None

    @property
    def next(self) -> Path:
        """The file of the next one, while it is taking the place of the one in `path`."""
        return self.path.with_name(self.path.name + ".next")

    def current(self) -> Vault:
        """Returns the one that encrypts; the file is made if it is missing."""
        return Vault(self.secret, self.path)

    def candidates(self) -> Iterator[Vault]:
        """Yields those that may decrypt, the likeliest first."""
        if self.secret is not None:
            yield Vault(self.secret, self.path)
        if self.old is not None:
            yield Vault(self.old, self.path)
        for file in (self.path, self.next):
            if file.exists():
                yield Vault(None, file)

    def fresh(self) -> Vault:
        """Returns the one that is to take over: the one that is set, or a new one in `next`."""
        if self.secret is not None:
            return self.current()
        self.next.unlink(missing_ok=True)
        vault = Vault(None, self.next)
        vault.seal("", "")  # makes the file
        return vault

    def promote(self) -> None:
        """Has the key in `next` take over, if there is one and none is set."""
        if self.secret is None and self.next.exists():
            self.next.replace(self.path)
            _sync(self.path.parent)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps others of this machine from replacing the key at once."""
        import fcntl

        handle = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
