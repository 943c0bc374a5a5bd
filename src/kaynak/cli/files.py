"""Which files the paths on a command line mean, and under which ids they are kept."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kaynak.domain import InvalidRequest


@dataclass(frozen=True, slots=True)
class Found:
    """A file to add.

    Attributes:
        path: Where it lies.
        external_id: Path relative to what was typed, in POSIX form: stable from run to run.
        filename: What it is called; None: as its external id ends.
        media_type: What somebody else says it is.
    """

    path: Path
    external_id: str
    filename: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path or address that cannot be added, and why."""

    path: Path | str
    reason: str


def discover(paths: Iterable[str]) -> Iterator[Found | Skipped]:
    """Yields the files that ``paths`` mean: files, folders (recursively) and glob patterns.

    Inside folders, hidden entries are passed over; links are followed, but no folder is entered twice.

    Raises:
        InvalidRequest: A path does not exist and no file matches it as a pattern.
    """
    for typed in paths:
        path = Path(typed)
        if path.is_dir():
            yield from _folder(path)
        elif path.exists():
            yield _file(path, path.name)
        elif glob.has_magic(typed):
            yield from _pattern(typed)
        elif path.is_symlink():
            yield Skipped(path, "the link leads nowhere")
        else:
            raise InvalidRequest(f"{typed} does not exist.", hint="Check the path; quote patterns: 'docs/**/*.pdf'")


def _pattern(typed: str) -> Iterator[Found | Skipped]:
    root = Path(*_fixed_part(Path(typed)))
    matched = sorted(glob.glob(typed, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
    if not matched:
        raise InvalidRequest(f"No file matches {typed}.", hint="Patterns: *, ?, [abc], and ** for any folders.")
    for name in matched:
        path = Path(name)
        if path.is_dir():
            continue
        yield _file(path, _posix(path.relative_to(root)))


def _fixed_part(path: Path) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts


def _folder(root: Path) -> Iterator[Found | Skipped]:
    entered: set[tuple[int, int]] = set()
    failures: list[Skipped] = []

    def unreadable(error: OSError) -> None:
        failures.append(Skipped(Path(error.filename or root), error.strerror or "cannot be read"))

    for folder, folders, names in os.walk(root, followlinks=True, onerror=unreadable):
        here = os.stat(folder)  # noqa: PTH116 - os.walk deals in strings
        identity = (here.st_dev, here.st_ino)
        if identity in entered:
            folders.clear()
            continue
        entered.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                path = Path(folder, name)
                yield _file(path, _posix(path.relative_to(root)))
    yield from failures


def _file(path: Path, name: str) -> Found | Skipped:
    if path.is_symlink() and not path.exists():
        return Skipped(path, "the link leads nowhere")
    if not path.is_file():
        return Skipped(path, "not a regular file")
    if not os.access(path, os.R_OK):
        return Skipped(path, "permission denied")
    return Found(path, _printable(name))


def _posix(path: Path) -> str:
    return path.as_posix()


def _printable(name: str) -> str:
    """Returns ``name`` as an external id: NFC, so that macOS and Linux agree; unprintable bytes replaced."""
    text = unicodedata.normalize("NFC", os.fsencode(name).decode(errors="replace"))
    return "".join(char if char.isprintable() else "�" for char in text)[-1024:]
