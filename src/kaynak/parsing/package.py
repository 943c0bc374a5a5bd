"""Office files are ZIP packages of XML: opening them safely."""

from __future__ import annotations

import posixpath
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from kaynak.domain import UnreadableDocument, UnreadableReason
from kaynak.parsing.safexml import parse_xml

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_PART = 512 * 1024 * 1024
_MAX_RATIO = 2000  # office XML deflates to 1:100 at most; a bomb reaches deflate's limit of about 1:1030 twice
_RELATIONSHIPS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


class Package:
    """A ZIP package opened for reading; parts are read whole, up to a limit.

    Raises:
        UnreadableDocument: It is no readable ZIP file.
    """

    def __init__(self, source: Path | IO[bytes]) -> None:
        try:
            self._zip = ZipFile(source)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as exc:
            raise _damaged() from exc
        self._names = {info.filename.replace("\\", "/").lstrip("/"): info for info in self._zip.infolist()}
        self._lower = {name.lower(): name for name in self._names}

    @property
    def names(self) -> list[str]:
        """The parts, in the order of the package."""
        return list(self._names)

    def has(self, name: str) -> bool:
        """Returns whether there is such a part; case does not matter."""
        return name.lstrip("/").lower() in self._lower

    def read(self, name: str) -> bytes | None:
        """Returns the bytes of a part, or None if there is none.

        Raises:
            UnreadableDocument: The part is damaged, encrypted, or unpacks to more than we accept.
        """
        actual = self._lower.get(name.lstrip("/").lower())
        if actual is None:
            return None
        info = self._names[actual]
        if info.flag_bits & 1:
            raise UnreadableDocument(
                UnreadableReason.ENCRYPTED,
                "The file is encrypted in a way that is not supported.",
                hint="Save it without a password.",
            )
        if info.file_size > _MAX_PART or info.file_size > _MAX_RATIO * max(info.compress_size, 1024):
            raise _bomb()
        try:
            with self._zip.open(info) as stream:
                data = stream.read(_MAX_PART + 1)
        except (BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as exc:
            raise _damaged() from exc
        if len(data) > _MAX_PART:
            raise _bomb()
        return data

    def xml(self, name: str) -> _Element | None:
        """Returns the root element of a part; None if there is no such part or it is beyond repair."""
        data = self.read(name)
        return None if data is None else parse_xml(data)

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """Returns the OOXML relationships of a part: id to (last word of the type, target part or URL)."""
        folder, _, name = part.rpartition("/")
        root = self.xml(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
        found: dict[str, tuple[str, str]] = {}
        for element in root.iter(_RELATIONSHIPS) if root is not None else ():
            kind = (element.get("Type") or "").rpartition("/")[2]
            target = element.get("Target") or ""
            if element.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/" + folder, target)).lstrip("/")
            found[element.get("Id") or ""] = (kind, target)
        return found

    def main_part(self, fallback: str) -> str:
        """Returns the part that the package says is its document."""
        for kind, target in self.related("").values():
            if kind == "officeDocument" and self.has(target):
                return target
        return fallback


def _damaged() -> UnreadableDocument:
    return UnreadableDocument(
        UnreadableReason.CORRUPT,
        "The file is damaged: its parts cannot be unpacked.",
        hint="Open it in the program that made it, save it again, and upload the new file.",
    )


def _bomb() -> UnreadableDocument:
    return UnreadableDocument(UnreadableReason.TOO_COMPLEX, "The file unpacks to far more data than a document has.")
