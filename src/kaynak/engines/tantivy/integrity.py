"""Notices damaged files before tantivy maps them into memory: a truncated map kills the process."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

from kaynak.domain import CorruptIndex
from kaynak.engines.tantivy.schema import SPEC_FILE, readable

_MAGIC = 1337
_BLOCK = 1 << 20


def sizes(directory: Path) -> dict[str, int]:
    """Returns the size of every file of the present commit; such files never change once written."""
    segments: dict[str, str] = {}
    for one in json.loads((directory / "meta.json").read_bytes())["segments"]:
        key = one["segment_id"].replace("-", "")
        segments[key] = f"{key}.{one['deletes']['opstamp']}.del" if one["deletes"] else ""
    found: dict[str, int] = {}
    with os.scandir(directory) as files:
        for file in files:
            deletes = segments.get(file.name.split(".")[0])
            if deletes is not None and (not file.name.endswith(".del") or file.name == deletes):
                found[file.name] = file.stat().st_size
    return found


def check_files(name: str, directory: Path, known: dict[str, int]) -> dict[str, int]:
    """Checks the files that are not in ``known`` by their checksum, the others by their size.

    Returns:
        The sizes of all files, to be passed as ``known`` the next time.

    Raises:
        CorruptIndex: A file is damaged, or the index was written by another version.
        OSError: The directory is gone.
        ValueError: Its own records cannot be read.
    """
    try:
        if not readable(directory):
            raise CorruptIndex(f"Index “{name}” was written by another version.")
        found = sizes(directory)
        damaged = [file for file in found if file not in known and not _sound(directory / file)]
    except (LookupError, TypeError, AttributeError) as exc:
        raise CorruptIndex(f"The records of index “{name}” are damaged.") from exc
    if damaged:
        raise CorruptIndex(f"A file of index “{name}” is damaged.")
    check_sizes(name, directory, {file: size for file, size in known.items() if file in found})
    return found


def check_sizes(name: str, directory: Path, known: dict[str, int]) -> None:
    """Checks that no file was cut or removed since it was checked.

    Raises:
        CorruptIndex: One was.
    """
    try:
        (directory / SPEC_FILE).stat()
        for file, size in known.items():
            if (directory / file).stat().st_size != size:
                raise CorruptIndex(f"A file of index “{name}” was cut.")
    except FileNotFoundError as exc:
        raise CorruptIndex(f"Files of index “{name}” are missing.") from exc


def _sound(path: Path) -> bool:
    """Returns whether the checksum in the footer that tantivy writes fits the file."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 8:
            return False
        file.seek(size - 8)
        length, magic = struct.unpack("<II", file.read(8))
        if magic != _MAGIC or length > size - 8:
            return False
        file.seek(size - 8 - length)
        expected = json.loads(file.read(length))["crc"]
        file.seek(0)
        left, crc = size - 8 - length, 0
        while left:
            block = file.read(min(_BLOCK, left))
            if not block:
                return False
            crc = zlib.crc32(block, crc)
            left -= len(block)
    return bool(crc == expected)
