"""The files that faiss searches. Each is written once; the database says which are valid, and their checksums."""

from __future__ import annotations

import errno
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from kaynak.engines.faiss.places import synced
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.store import State
from kaynak.engines.faiss.structures import Structure
from kaynak.engines.faiss.vectors import Mask, Numbers

_TABLE = "table"
_UNFINISHED = ".new"
_BLOCK = 1 << 20


class DamagedFileError(Exception):
    """A file is not what was written; or is not there."""


@dataclass(frozen=True, slots=True)
class Table:
    """What is in a generation of files, one number for each row.

    Attributes:
        rows: Of the database, rising.
        ids: Of the points.
        payloads: Their numbers.
        alive: Whether it was there when the files were written.
        having: By field, whether it has a vector of that; those that have are in the index of faiss in this order.
    """

    rows: Numbers
    ids: Numbers
    payloads: Numbers
    alive: Mask
    having: Mapping[str, Mask]


@dataclass(frozen=True, slots=True)
class Files:
    """A generation of files, open for searching.

    Attributes:
        generation: Its number.
        watermark: It holds rows up to this one.
        forgotten: It knows of the tombstones up to this one.
        names: What the database keeps of the files.
        table: What is in it.
        structures: By field.
        members: By field, the place in the table of each place in the index of faiss; None where they are the same.
    """

    generation: int
    watermark: int
    forgotten: int
    names: str
    table: Table
    structures: Mapping[str, Structure]
    members: Mapping[str, Numbers | None]


def write_files(directory: Path, generation: int, table: Table, indexes: Mapping[str, Any]) -> str:
    """Writes a generation of files; returns what the database has to keep of them.

    Raises:
        OSError: They cannot be written.
    """
    written: dict[str, list[object]] = {}
    for key, index in (*indexes.items(), (_TABLE + "!", table)):
        path = directory / f"{generation}-{key.rstrip('!')}{'.npz' if index is table else '.faiss'}"
        fresh = path.with_name(path.name + _UNFINISHED)
        if index is table:
            _write_table(fresh, table)
        else:
            _write_index(fresh, index)
        size, checksum = fresh.stat().st_size, _checksum(fresh)
        synced(fresh)
        fresh.rename(path)
        written[key] = [path.name, size, checksum]
    synced(directory)
    return json.dumps(written)


def _write_index(path: Path, index: Any) -> None:
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as exc:  # which is all that faiss has for errors
        full = "No space left" in str(exc)
        raise OSError(errno.ENOSPC if full else errno.EIO, "faiss could not write", str(path)) from exc


def _write_table(path: Path, table: Table) -> None:
    arrays: dict[str, Any] = {f"having_{key}": np.packbits(one) for key, one in table.having.items()}
    arrays |= {"rows": table.rows, "ids": table.ids, "payloads": table.payloads, "alive": np.packbits(table.alive)}
    with path.open("wb") as file:
        np.savez(file, **arrays)


def read_table(directory: Path, state: State) -> Table:
    """Returns what is in the present generation.

    Raises:
        DamagedFileError: That cannot be told.
    """
    data = io.BytesIO(_sound(directory, json.loads(state.files)[_TABLE + "!"]).read_bytes())
    with np.load(data) as found:
        rows = found["rows"]
        having = {
            key.removeprefix("having_"): np.unpackbits(found[key], count=len(rows)).astype(bool)
            for key in found.files
            if key.startswith("having_")
        }
        alive = np.unpackbits(found["alive"], count=len(rows)).astype(bool)
        return Table(rows, found["ids"], found["payloads"], alive, having)


def read_index(directory: Path, state: State, field: str, *, mapped: bool) -> Any:
    """Returns an index of the present generation.

    Args:
        directory: Of the files.
        state: Of the database.
        field: Of the index.
        mapped: Whether to leave it in its file, which processes share; it can be searched, and nothing else.

    Raises:
        DamagedFileError: The file is damaged.
    """
    path = _sound(directory, json.loads(state.files)[field])
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mapped else 0)
    except RuntimeError as exc:
        raise DamagedFileError from exc


def open_files(directory: Path, layout: Layout, state: State) -> Files:
    """Opens the present generation.

    Raises:
        DamagedFileError: A file is damaged.
    """
    table = read_table(directory, state)
    structures = {
        one.name: Structure(read_index(directory, state, one.name, mapped=True), layout) for one in layout.fields
    }
    members = {key: None if having.all() else np.flatnonzero(having) for key, having in table.having.items()}
    if any(one.size != np.count_nonzero(table.having[key]) for key, one in structures.items()):
        raise DamagedFileError
    return Files(state.generation, state.watermark, state.forgotten, state.files, table, structures, members)


def check_sizes(directory: Path, files: str) -> None:
    """Looks whether files that are mapped were cut since: to read beyond the end of one would kill the process.

    Raises:
        DamagedFileError: One was.
    """
    for name, size, _ in json.loads(files).values():
        try:
            found = (directory / name).stat().st_size
        except FileNotFoundError:
            continue  # another generation has come, and what is mapped stays
        if found != size:
            raise DamagedFileError


def sweep(directory: Path, files: str) -> None:
    """Removes the files of other generations, and what a process that was killed has left."""
    kept = {one[0] for one in json.loads(files).values()}
    for path in directory.iterdir():
        if path.name not in kept and (path.suffix in {".npz", ".faiss", _UNFINISHED}):
            path.unlink(missing_ok=True)


def _sound(directory: Path, entry: list[Any]) -> Path:
    path = directory / str(entry[0])
    try:
        if path.stat().st_size == entry[1] and _checksum(path) == entry[2]:
            return path
    except FileNotFoundError as exc:
        raise DamagedFileError from exc
    raise DamagedFileError


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum
