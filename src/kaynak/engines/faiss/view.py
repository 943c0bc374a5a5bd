"""What one process knows of an index at one moment: the files of faiss, and the rows that came after them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kaynak.engines.faiss.building import tombstones, without
from kaynak.engines.faiss.files import Files
from kaynak.engines.faiss.store import Connection, State
from kaynak.engines.faiss.structures import Chosen, chosen_from
from kaynak.engines.faiss.vectors import Mask, Matrix, Numbers, read_all
from kaynak.engines.protocol import VectorField

MOST_BYTES = 256 * 2**20
"""Of vectors that came after the files and are kept in memory; beyond it they are read from the database."""

_REMEMBERED = 16

D = TypeVar("D", bound=np.generic)


class Growing(Generic[D]):
    """An array that grows at its end without being copied each time. What was seen of it never changes."""

    def __init__(self, data: NDArray[D]) -> None:
        self._data = data
        self._count = len(data)

    def add(self, more: NDArray[D]) -> None:
        """Puts more at the end."""
        needed = self._count + len(more)
        if needed > len(self._data):
            grown = np.empty((max(needed, 2 * len(self._data)), *self._data.shape[1:]), dtype=self._data.dtype)
            grown[: self._count] = self._data[: self._count]
            self._data = grown
        self._data[self._count : needed] = more
        self._count = needed

    def seen(self) -> NDArray[D]:
        """Returns all of it."""
        return self._data[: self._count]


class Tail:
    """The rows that came after the files, as they come in."""

    def __init__(self, fields: Sequence[VectorField]) -> None:
        self._fields = fields
        self._numbers = Growing(np.zeros((0, 3), dtype=np.int64))
        self._having = {one.name: Growing(np.zeros(0, dtype=np.bool_)) for one in fields}
        self._vectors: dict[str, Growing[np.float32]] | None = {
            one.name: Growing(np.zeros((0, one.dimensions), dtype=np.float32)) for one in fields
        }

    def read(self, connection: Connection, after: int, until: int) -> None:
        """Adds the rows above ``after``, up to ``until``."""
        found = connection.execute(
            "SELECT row, id, payload FROM points WHERE row > ? AND row <= ? ORDER BY row", [after, until]
        ).fetchall()
        numbers = np.array(found, dtype=np.int64).reshape(-1, 3)
        self._numbers.add(numbers)
        size = sum(4 * one.dimensions for one in self._fields) * len(self._numbers.seen())
        if size > MOST_BYTES:
            self._vectors = None
        for one in self._fields:
            having = np.zeros(len(numbers), dtype=bool)
            if self._vectors is None:
                having[:] = True  # which is found out when they are read
            else:
                matrix = np.zeros((len(numbers), one.dimensions), dtype=np.float32)
                for rows, some in read_all(connection, one, after, until):
                    places = np.searchsorted(numbers[:, 0], rows)
                    having[places], matrix[places] = True, some
                self._vectors[one.name].add(matrix)
            self._having[one.name].add(having)

    def seen(self, gone: Numbers) -> SeenTail:
        """Returns what is there now, without the rows ``gone``."""
        numbers = self._numbers.seen()
        vectors = None if self._vectors is None else {key: one.seen() for key, one in self._vectors.items()}
        having = {key: one.seen() for key, one in self._having.items()}
        alive = without(np.ones(len(numbers), dtype=bool), numbers[:, 0], gone)
        return SeenTail(numbers[:, 0], numbers[:, 1], numbers[:, 2], alive, having, vectors)


@dataclass(frozen=True, slots=True)
class SeenTail:
    """The rows that came after the files, at one moment; arrays as in `kaynak.engines.faiss.files.Table`.

    Attributes:
        vectors: By field; zeros where there is none. None where they are too many for the memory.
    """

    rows: Numbers
    ids: Numbers
    payloads: Numbers
    alive: Mask
    having: Mapping[str, Mask]
    vectors: Mapping[str, Matrix] | None


@dataclass(frozen=True, slots=True)
class View:
    """An index at one moment.

    Attributes:
        state: Of the database then.
        files: Those of faiss; None where there are none.
        alive: Of the rows in the files, whether they are there.
        tail: The rows that came after.
        gone: Rows that were deleted since the files.
        growing: What `tail` is seen of.
    """

    state: State
    files: Files | None
    alive: Mask
    tail: SeenTail
    gone: Numbers
    growing: Tail
    _chosen: dict[tuple[str, Hashable], Chosen] = field(default_factory=dict)

    def chosen(self, files: Files, field: VectorField, key: Hashable, matching: Mask | None) -> Chosen:
        """Returns which places in the index of a field may be found.

        Args:
            files: Of this view.
            field: Of the vectors.
            key: Of the filter.
            matching: Whether it holds, by payload.
        """
        known = self._chosen.get((field.name, key))
        if known is None:
            mask = self.alive if matching is None else self.alive & matching[files.table.payloads]
            members = files.members[field.name]
            known = chosen_from(mask if members is None else mask[members])
            if len(self._chosen) >= _REMEMBERED:
                self._chosen.clear()
            self._chosen[field.name, key] = known
        return known

    def count(self, matching: Mask | None) -> int:
        """Returns how many points match."""
        if matching is None:
            return self.state.points
        found = np.count_nonzero(self.tail.alive & matching[self.tail.payloads])
        if self.files is not None:
            found += np.count_nonzero(self.alive & matching[self.files.table.payloads])
        return int(found)


def opened(connection: Connection, state: State, files: Files | None, fields: Sequence[VectorField]) -> View:
    """Returns the present state, with these files."""
    after, forgotten = (0, state.last_tombstone) if files is None else (files.watermark, files.forgotten)
    tail = Tail(fields)
    tail.read(connection, after, state.last_row)
    gone = tombstones(connection, forgotten)
    alive = _alive(files, gone)
    return View(state, files, alive, tail.seen(gone), gone, tail)


def followed(connection: Connection, state: State, view: View) -> View:
    """Returns the present state by what came since ``view``; only one may do so at a time."""
    tail = view.growing
    tail.read(connection, view.state.last_row, state.last_row)
    gone = np.concatenate([view.gone, tombstones(connection, view.state.last_tombstone)])
    return View(state, view.files, _alive(view.files, gone), tail.seen(gone), gone, tail)


def _alive(files: Files | None, gone: Numbers) -> Mask:
    if files is None:
        return np.zeros(0, dtype=bool)
    return without(files.table.alive, files.table.rows, gone)
