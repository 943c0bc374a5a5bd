from __future__ import annotations

import re

from kaynak.domain import UnreadableDocument, UnreadableReason

_JUNK_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized", "ehthumbs.db"})
_JUNK_FOLDERS = frozenset({"__macosx", ".git", ".svn", "__pycache__", ".spotlight-v100", ".trashes", ".fseventsd"})
_MAX_NAME = 700


def safe_name(name: str) -> str:
    """Returns the name of an entry as it may be shown and stored: relative, with ``/``, printable.

    Raises:
        UnreadableDocument: ``unsafe-archive``: it is absolute or leads out of the archive.
    """
    plain = name.replace("\\", "/")
    parts = plain.split("/")
    if plain.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", plain):
        raise UnreadableDocument(
            UnreadableReason.UNSAFE_ARCHIVE,
            f"The archive has an entry that points outside of it: “{_printable(name)[:200]}”.",
            hint="Pack the files again with names relative to one folder.",
        )
    kept = [_printable(part).strip() for part in parts if part not in {"", "."}]
    short = "/".join(part for part in kept if part) or "unnamed"
    return short if len(short) <= _MAX_NAME else "…" + short[-_MAX_NAME:]


def is_junk(name: str) -> bool:
    """Returns whether an entry is litter of an operating system or version control."""
    *folders, last = name.lower().split("/")
    return last in _JUNK_FILES or last.startswith("._") or any(folder in _JUNK_FOLDERS for folder in folders)


class NameBook:
    """Tells apart entries of one archive that have the same name."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Returns the name; ``name (2)`` for the second of it, its extension kept last."""
        times = self._seen[name] = self._seen.get(name, 0) + 1
        if times == 1:
            return name
        stem, dot, extension = name.rpartition(".")
        numbered = f"{stem} ({times}).{extension}" if dot and "/" not in extension else f"{name} ({times})"
        return self.unique(numbered)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "_" for char in text)
