"""Makes the files that faiss searches from the database."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kaynak.domain import CorruptIndex, EngineUnavailable
from kaynak.engines.faiss.files import DamagedFileError, Table, read_index, read_table, sweep, write_files
from kaynak.engines.faiss.making import new_structure, sample_size
from kaynak.engines.faiss.places import write_lock
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.store import Connection, State, Store, read_state
from kaynak.engines.faiss.vectors import Mask, Matrix, Numbers, read_after, read_some
from kaynak.engines.protocol import VectorField

_MOST_APART = 50_000
"""Rows that are compared one by one beside the files, at most, until there are new files."""

_OUTGROWN = 4
"""How many times as many rows as it was fitted to an index may hold."""

_ADDED = 500
"""Vectors that are added at a time; in between a build can be given up."""


def due(state: State, rows: int) -> bool:
    """Returns whether it is time to build.

    Args:
        state: Of the database.
        rows: Fewer are never worth a build.
    """
    added = state.last_row - state.built
    gone = state.dead + state.last_tombstone - state.forgotten
    return added >= max(rows, min(state.covered // 8, _MOST_APART)) or gone >= max(rows, state.covered // 4)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of one index.

    Attributes:
        root: Of all indexes.
        directory: Of this one.
        layout: Of it.
        store: Its database.
        rows: Where there are fewer, no files are made: to compare with all of them is as fast.
        stopped: Whether to give up.
    """

    root: Path
    directory: Path
    layout: Layout
    store: Store
    rows: int
    stopped: Callable[[], bool]

    def run(self, *, damaged: int | None = None) -> bool:
        """Builds if that is due, and nobody else does.

        Args:
            damaged: The generation whose files are damaged; they are built anew.

        Returns:
            Whether there are new files.
        """
        with _alone(self.directory) as alone:
            if not alone:
                return False
            start = self._begin(damaged)
            if start is None:
                return False
            try:
                files = self._files(start)
            except DamagedFileError:  # those to which new rows were to be added
                start = self._begin(start.state.generation)
                if start is None:
                    return False
                files = self._files(start)
            self._publish(start, files)
            sweep(self.directory, files)
        return True

    def _begin(self, damaged: int | None) -> _Start | None:
        with self.store.transaction() as connection:
            state = read_state(connection, self.layout.name)
            if state.generation != damaged and not due(state, self.rows):
                return None
            return self._start(connection, state, fresh=state.generation == damaged)

    def _files(self, start: _Start) -> str:
        sweep(self.directory, start.state.files)
        if not len(start.table.rows):
            return "{}"
        table, indexes = self._indexes(start)
        return write_files(self.directory, start.state.generation + 1, table, indexes)

    def _start(self, connection: Connection, state: State, *, fresh: bool) -> _Start:
        """Decides what to build, and from which rows, as of one moment."""
        small = state.points < max(self.rows, 1)
        old = None if fresh or small else self._old(connection, state)
        after = 0 if old is None else state.watermark
        found = connection.execute(
            "SELECT row, id, payload FROM points WHERE row > ? AND row <= ? ORDER BY row",
            [after, 0 if small else state.last_row],
        ).fetchall()
        numbers = np.array(found, dtype=np.int64).reshape(-1, 3)
        new = Table(numbers[:, 0], numbers[:, 1], numbers[:, 2], np.ones(len(numbers), dtype=bool), {})
        return _Start(state, old, new if old is None else _joined(old, new))

    def _old(self, connection: Connection, state: State) -> Table | None:
        """Returns what is in the present files if new rows can be added to them: most are alive, and it fits."""
        if state.files == "{}" or (self.layout.trained and state.points > _OUTGROWN * state.trained):
            return None
        if state.dead + state.last_tombstone - state.forgotten >= max(self.rows, state.covered // 4):
            return None
        try:
            table = read_table(self.directory, state)
        except DamagedFileError:
            return None
        gone = tombstones(connection, state.forgotten)
        alive = without(table.alive, table.rows, gone)
        return Table(table.rows, table.ids, table.payloads, alive, table.having)

    def _indexes(self, start: _Start) -> tuple[Table, dict[str, Any]]:
        table = start.table
        having: dict[str, Mask] = {}
        indexes: dict[str, Any] = {}
        for field in self.layout.fields:
            mask = np.zeros(len(table.rows), dtype=bool)
            index = None
            after = 0
            if start.old is not None:
                index = read_index(self.directory, start.state, field.name, mapped=False)
                mask[: len(start.old.rows)] = start.old.having[field.name]
                after = start.state.watermark
            if index is None:
                index = self._empty(field, table.rows)
            for rows, matrix in self._vectors(field, after, start.state.last_row):
                # What was written since is left for the next time; and what was deleted since is not here.
                places = np.searchsorted(table.rows, rows)
                places[places == len(table.rows)] = 0
                there = table.rows[places] == rows
                mask[places[there]] = True
                index.add(matrix[there])
            having[field.name], indexes[field.name] = mask, index
        return Table(table.rows, table.ids, table.payloads, table.alive, having), indexes

    def _empty(self, field: VectorField, rows: Numbers) -> Any:
        # From everywhere: vectors that came together are alike. Twice as many as needed, as some rows may have none.
        wanted = sample_size(self.layout, len(rows))
        picked = np.random.default_rng(1).permutation(rows)[: 2 * wanted] if self.layout.trained else rows[:0]
        sample: list[Matrix] = []
        for part in np.array_split(np.sort(picked), max(1, len(picked) // 2000)):
            self._check()
            with self.store.transaction() as connection:
                sample.append(read_some(connection, field, part)[1])
        matrix = np.concatenate(sample)
        share = len(matrix) / max(1, len(picked)) if self.layout.trained else 1.0
        return new_structure(self.layout, field, _thinned(matrix, wanted), int(share * len(rows)), self.stopped)

    def _vectors(self, field: VectorField, after: int, until: int) -> Iterator[tuple[Numbers, Matrix]]:
        """Yields vectors, each time in a transaction of its own: a long one would keep the journal from being freed."""
        while True:
            self._check()
            with self.store.transaction() as connection:
                rows, matrix = read_after(connection, field, after, until, _ADDED)
            if not len(rows):
                return
            yield rows, matrix
            after = int(rows[-1])

    def _publish(self, start: _Start, files: str) -> None:
        state, table = start.state, start.table
        watermark = state.last_row if files != "{}" else 0
        fitted = state.trained if start.old is not None else len(table.rows)
        dead = int(len(table.rows) - np.count_nonzero(table.alive))
        with write_lock(self.root, self.layout.name):
            self._check()
            if not self.store.path.exists():
                raise CorruptIndex(f"Index “{self.layout.name}” was dropped.")
            with self.store.transaction("IMMEDIATE") as connection:
                # Those of the time before are kept once more: whoever is still at the old files follows by them.
                connection.execute("DELETE FROM tombstones WHERE number <= ?", [state.forgotten])
                connection.execute(
                    "UPDATE state SET generation = generation + 1, watermark = ?, forgotten = ?, built = ?,"
                    " covered = ?, dead = ?, trained = ?, files = ?",
                    [watermark, state.last_tombstone, state.last_row, len(table.rows), dead, fitted, files],
                )

    def _check(self) -> None:
        if self.stopped():
            raise EngineUnavailable("The engine is being closed.")


@dataclass(frozen=True, slots=True)
class _Start:
    state: State
    old: Table | None
    table: Table


def tombstones(connection: Connection, after: int) -> Numbers:
    """Returns the rows that were deleted since the tombstone ``after``."""
    found = connection.execute("SELECT row FROM tombstones WHERE number > ?", [after]).fetchall()
    return np.array([row for (row,) in found], dtype=np.int64)


def without(alive: Mask, rows: Numbers, gone: Numbers) -> Mask:
    """Returns ``alive`` with False where one of ``rows``, which rise, is among ``gone``."""
    left = alive.copy()
    if len(rows):
        places = np.minimum(np.searchsorted(rows, gone), len(rows) - 1)
        left[places[rows[places] == gone]] = False
    return left


def _joined(old: Table, new: Table) -> Table:
    return Table(
        np.concatenate([old.rows, new.rows]),
        np.concatenate([old.ids, new.ids]),
        np.concatenate([old.payloads, new.payloads]),
        np.concatenate([old.alive, new.alive]),
        {},
    )


def _thinned(matrix: Matrix, wanted: int) -> Matrix:
    if len(matrix) <= wanted:
        return matrix
    return matrix[np.random.default_rng(2).permutation(len(matrix))[:wanted]]


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Gives whether nobody else builds this index, in any process, for as long as it lasts."""
    try:
        file = (directory / "build.lock").open("a")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
