from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.archive_names import NameBook, is_junk, safe_name
from kaynak.parsing.detect import detect
from kaynak.parsing.protocol import ParseLimits

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """A file out of an archive.

    Attributes:
        name: Its path in the archive, nested archives included, with ``/``: ``inner.zip/folder/file.txt``.
        path: Where its bytes lie; gone when the next member is asked for.
    """

    name: str
    path: Path


class Budget:
    """What an archive, with all archives in it, may still use.

    Args:
        limits: As set.
        archive: Name of the outermost archive, for messages.
    """

    def __init__(self, limits: ParseLimits, archive: str) -> None:
        self._limits, self._archive = limits, archive
        self._files, self._bytes = 0, 0

    def entry(self) -> None:
        """Counts an entry.

        Raises:
            UnreadableDocument: There are too many.
        """
        self._files += 1
        if self._files > self._limits.archive_files:
            raise self._too_much(f"has more than {self._limits.archive_files:,} files")

    def fits(self, size: int) -> None:
        """Checks a declared size before anything is unpacked.

        Raises:
            UnreadableDocument: It would be too much.
        """
        if self._bytes + size > self._limits.archive_mb * 1024 * 1024:
            raise self._too_much(f"unpacks to more than {self._limits.archive_mb:,} MB")

    def spend(self, size: int) -> None:
        """Counts bytes that were unpacked.

        Raises:
            UnreadableDocument: They are too many.
        """
        self.fits(size)
        self._bytes += size

    def descend(self, depth: int) -> None:
        """Checks how deep archives lie in archives; the outermost is at depth 1.

        Raises:
            UnreadableDocument: Too deep.
        """
        if depth > self._limits.archive_depth:
            raise self._too_much(f"has archives nested more than {self._limits.archive_depth} deep")

    def _too_much(self, what: str) -> UnreadableDocument:
        return UnreadableDocument(
            UnreadableReason.TOO_COMPLEX,
            f"The archive “{self._archive}” {what}.",
            hint="Unpack it, and upload its files or smaller archives.",
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, not unpacked yet: its cleaned name, how to open it, whether it takes a password."""

    name: str
    open: Callable[[], IO[bytes]]
    encrypted: bool = False


def is_archive(path: Path, name: str) -> bool:
    """Returns whether `expand` takes the file apart. Office files and e-books are no archives."""
    try:
        return detect(path, name) in media.ARCHIVES
    except UnreadableDocument:
        return False


def expand(path: Path, name: str, limits: ParseLimits, password: str | None = None) -> Iterator[Member]:
    """Yields the files in a ZIP, TAR, GZ, BZ2 or XZ archive, and in archives within it, one at a time.

    Each lies in a temporary file that is deleted when the next one is asked for or the iterator is closed.
    Litter of operating systems, links and devices are left out. An archive within that cannot be opened is
    yielded as a file, so that it fails alone.

    Args:
        path: The archive.
        name: What the person called it.
        limits: What it may use, nested archives included.
        password: For encrypted ZIP entries.

    Raises:
        UnreadableDocument: ``unsafe-archive`` for names that would leave the archive and for overlapping or
            absurdly compressed entries, ``too-complex`` beyond the limits, ``encrypted``, ``wrong-password``,
            ``corrupt``; ``empty`` where no file is in it. Names and declared sizes are checked first.
    """
    found = False
    with tempfile.TemporaryDirectory(prefix="kaynak-") as folder:
        for member in _expand(path, name, Budget(limits, name), password, Path(folder), 1):
            found = True
            yield member
    if not found:
        raise UnreadableDocument(UnreadableReason.EMPTY, f"The archive “{name}” has no files.")


def _expand(path: Path, name: str, budget: Budget, password: str | None, folder: Path, depth: int) -> Iterator[Member]:
    budget.descend(depth)
    names = NameBook()
    for entry in _entries(path, name, budget, password):
        if is_junk(entry.name):
            continue
        budget.entry()
        target = folder / f"{depth}"
        _unpack(entry, target, budget)
        own = names.unique(entry.name)
        if is_archive(target, own):
            yield from _nested(target, own, budget, password, folder, depth)
        else:
            yield Member(own, target)
        target.unlink(missing_ok=True)


def _nested(path: Path, name: str, budget: Budget, password: str | None, folder: Path, depth: int) -> Iterator[Member]:
    begun = False
    try:
        for inner in _expand(path, name, budget, password, folder, depth + 1):
            begun = True
            yield Member(f"{name}/{inner.name}", inner.path)
    except UnreadableDocument as exc:
        alone = {UnreadableReason.CORRUPT, UnreadableReason.ENCRYPTED, UnreadableReason.WRONG_PASSWORD}
        if exc.reason not in alone or begun:
            raise
        yield Member(name, path)


def _entries(path: Path, name: str, budget: Budget, password: str | None) -> Iterator[Entry]:
    from kaynak.parsing import archive_formats

    media_type = detect(path, name)
    if media_type == media.ZIP:
        return archive_formats.zip_entries(path, budget, password)
    if media_type == media.TAR or archive_formats.holds_tar(path, media_type):
        return archive_formats.tar_entries(path, budget)
    if media_type in media.ARCHIVES:
        return archive_formats.single_entry(path, safe_name(Path(name).name), media_type)
    raise media.unsupported(media_type)


def _unpack(entry: Entry, target: Path, budget: Budget) -> None:
    from kaynak.parsing.archive_formats import translated

    with translated(entry.name, entry.encrypted), entry.open() as stream, target.open("wb") as out:
        while block := stream.read(_BLOCK):
            budget.spend(len(block))
            out.write(block)
