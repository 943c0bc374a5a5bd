"""How a blob gets to its place in a directory: written beside it, flushed, renamed, and its folder flushed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

from kaynak.domain import StorageFull, TooLarge

_PIECE = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Places:
    """Where blobs are: ``ab/cd/abcd…``.

    Attributes:
        incoming: Where they are written.
        settling: Blobs and folders that are there, but would not be after a power failure: the folder around them is
            flushed soon. Whoever finds one there flushes it for himself.
    """

    def __init__(self, root: Path, incoming: Path) -> None:
        self._root = root
        self.incoming = incoming
        self.settling: set[Path] = set()
        self.making = threading.Lock()

    def of(self, content_hash: bytes) -> Path:
        """Returns the place of a blob."""
        name = content_hash.hex()
        return self._root / name[:2] / name[2:4] / name

    def settled(self, content_hash: bytes) -> bool:
        """Returns whether the blob is there to stay."""
        place = self.of(content_hash)
        return place.is_file() and place not in self.settling

    def unsettled(self, place: Path) -> list[Path]:
        """Returns which folders must be flushed for a blob that is there."""
        return [path.parent for path in (place.parent.parent, place.parent, place) if path in self.settling]


class Draft:
    """A blob on its way in.

    Args:
        places: Where to.
        limit: Most bytes taken.

    Raises:
        StorageFull: There is no room for it.
    """

    def __init__(self, places: Places, limit: int | None) -> None:
        with _room():
            handle, name = tempfile.mkstemp(dir=places.incoming)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._path = Path(name)
        self._places = places
        self._limit = limit
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Takes the next bytes."""
        self._size += len(piece)
        _check_size(self._size, self._limit)
        self._hash.update(piece)
        with _room():
            rest = memoryview(piece)
            while rest:
                rest = rest[self._file.write(rest) :]

    def copy(self, source: Path) -> None:
        """Takes the bytes of a file."""
        with source.open("rb") as file:
            while piece := file.read(_PIECE):
                self.write(piece)

    def keep(self) -> tuple[bytes, int]:
        """Puts it into its place for good; returns its SHA-256 and its size."""
        content_hash = self._hash.digest()
        place = self._places.of(content_hash)
        with _room():
            if not place.exists():
                self._path.chmod(0o400)
                os.fsync(self._file.fileno())
                for folder in (place.parent.parent, place.parent):
                    _make_folder(folder)
                self._path.replace(place)
                _sync_folder(place.parent)
            for folder in self._places.unsettled(place):
                _sync_folder(folder)
        return content_hash, self._size

    def drop(self) -> None:
        """Removes what was not kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Portion:
    """Small blobs on their way in together: folders are flushed once, when the block ends.

    Args:
        places: Where to.
    """

    def __init__(self, places: Places) -> None:
        self._draft = places.incoming / uuid4().hex
        self._places = places
        self._marked: list[Path] = []
        self._ready: set[Path] = set()
        self._unflushed: set[Path] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with _room():
            for folder in self._unflushed.union(path.parent for path in self._marked):
                _sync_folder(folder)
        self._places.settling.difference_update(self._marked)

    def add(self, content: bytes, limit: int | None) -> bytes:
        """Puts a blob into its place, where it is for good when the block has ended; returns its SHA-256.

        Raises:
            TooLarge: It is over the limit.
            StorageFull: There is no room for it.
        """
        _check_size(len(content), limit)
        content_hash = hashlib.sha256(content).digest()
        place = self._places.of(content_hash)
        with _room():
            if not place.is_file():
                self._write(content, place)
            self._unflushed.update(self._places.unsettled(place))
        return content_hash

    def _write(self, content: bytes, place: Path) -> None:
        try:
            handle = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
            with os.fdopen(handle, "wb", buffering=0) as file:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(handle)
            for folder in (place.parent.parent, place.parent):
                self._make_folder(folder)
            self._mark(place)
            self._draft.replace(place)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self._draft.unlink()
            raise

    def _make_folder(self, folder: Path) -> None:
        if folder in self._ready:
            return
        # Marked before it is there, so that nobody finds it unmarked.
        with self._places.making:
            if not folder.is_dir():
                self._mark(folder)
                with contextlib.suppress(FileExistsError):  # another process was faster
                    folder.mkdir(mode=0o700)
        self._ready.add(folder)

    def _mark(self, path: Path) -> None:
        self._places.settling.add(path)
        self._marked.append(path)


def _check_size(size: int, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise TooLarge(
            f"The file is larger than the limit of {limit:,} bytes.",
            hint="Split it, or raise KAYNAK_LIMITS__UPLOAD_MB.",
        )


def _make_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise StorageFull(
                "There is no space for the file.", hint="Free some space on the disk of the data directory."
            ) from exc
        raise
