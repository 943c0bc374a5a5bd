from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kaynak.domain import ParsedDocument


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes to parse, lying in a local file.

    Attributes:
        path: The local file (never trusted, opened read-only).
        name: What the person called it; a hint for the type, no more.
        media_type: What the caller claimed, if anything; a hint, no more.
        password: For encrypted files.
    """

    path: Path
    name: str
    media_type: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one file may use. Beyond it the file fails with ``too-complex``.

    Attributes:
        memory_mb: Address space of the parsing process above its resting size.
        cpu_seconds: CPU time for one file.
        wall_seconds: Wall time for one file.
        text_chars: Characters of canonical text.
        pages: Pages, slides or sheets.
        archive_files: Entries of an archive, nested ones included.
        archive_mb: Unpacked size of an archive, nested ones included.
        archive_depth: Archives within archives.
    """

    memory_mb: int = 1024
    cpu_seconds: int = 120
    wall_seconds: int = 300
    text_chars: int = 50_000_000
    pages: int = 20_000
    archive_files: int = 10_000
    archive_mb: int = 2048
    archive_depth: int = 3


class Parser(Protocol):
    """Bytes of one format to canonical text."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """Returns the document's text with exact positions.

        Pure: no network, no writes, no global state. Runs in a guarded subprocess; may be killed.

        Raises:
            UnreadableDocument: With a reason a person understands. Any other exception is a defect, and is
                reported to the person as ``corrupt``.
        """
        ...
