from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kaynak.engines.faiss.files import Files
from kaynak.engines.faiss.spec import Layout
from kaynak.engines.faiss.store import Connection
from kaynak.engines.faiss.structures import Chosen
from kaynak.engines.faiss.vectors import Mask, Matrix, Numbers, prepared_one, read_all, read_some, similarity
from kaynak.engines.faiss.view import View
from kaynak.engines.protocol import Candidates, Vector, VectorField

_GATHERED = 4000
"""Places that are compared exactly, where a walk or a look at every code would be no faster."""
_SPARSE = 200
"""Where one place in so many may be found, it takes as long to pick those out as to pass over the others."""
_READ = 1000
"""The same where vectors have to be read from the database."""

_TIES = 16
"""Asked for beyond the limit, as faiss does not know which of equal vectors has the smaller id."""

_SAME = 1e-6
"""How far scores may be apart that faiss takes for equal, or for each other."""

_BATCH = 4000
_READ_MOST = 4000
"""Vectors that are read from the database to be compared once more, at most, unless the limit is greater."""

_NO_IDS: Numbers = np.zeros(0, dtype=np.int64)
_NO_SCORES: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

Mode = Literal["exact", "ann"]


class Best:
    """The nearest points there are among those that were compared.

    Args:
        limit: At most this many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.ids = _NO_IDS
        self.scores = _NO_SCORES

    def add(self, ids: Numbers, scores: NDArray[np.float32]) -> None:
        """Compares more points."""
        if len(self.ids):
            ids, scores = np.concatenate([self.ids, ids]), np.concatenate([self.scores, scores])
        order = np.lexsort((ids, -scores))[: self.limit]
        self.ids, self.scores = ids[order], scores[order]

    def candidates(self, mode: Mode) -> Candidates:
        """Returns what engines return."""
        return Candidates(tuple(self.ids.tolist()), tuple(self.scores.tolist()), mode)


class Search:
    """One search of one field, in one transaction.

    Args:
        connection: In the transaction that ``view`` is of.
        view: Of the index.
        layout: Of the index.
        vector: What to search for.
        which: The field.
        limit: At most this many.
    """

    def __init__(
        self, connection: Connection, view: View, layout: Layout, vector: Vector, which: VectorField, limit: int
    ) -> None:
        self._connection = connection
        self._view = view
        self._layout = layout
        self._field = which
        self._query = prepared_one(vector, which)
        self._limit = limit
        self._best = Best(limit)

    def run(self, key: Hashable, matching: Mask | None, *, exact: bool) -> Candidates:
        """Returns the nearest points.

        Args:
            key: Of the filter.
            matching: Whether it holds, by payload.
            exact: Whether to compare with all that match.
        """
        mode: Mode = "exact"
        files = self._view.files
        if files is not None:
            chosen = self._view.chosen(files, self._field, key, matching)
            mode = self._in_files(files, chosen, exact=exact)
        self._in_tail(matching)
        return self._best.candidates(mode)

    def _in_files(self, files: Files, chosen: Chosen, *, exact: bool) -> Mode:
        structure = files.structures[self._field.name]
        kept = structure.kept
        few = chosen.count <= max(_GATHERED if kept else _READ, self._limit)
        if few and (not kept or chosen.count <= max(structure.size // _SPARSE, self._limit)):
            self._compare(files, np.flatnonzero(chosen.mask))
            return "exact"
        exact = exact or few
        if exact and not structure.exact:
            self._scan(files, chosen)
            return "exact"
        wanted = self._limit + _TIES
        if not structure.exact:
            wanted = max(wanted, min(self._limit * self._layout.refine, _READ_MOST))
        wanted = min(wanted, chosen.count)
        places, whole = (
            (structure.all(self._query, wanted, chosen), True)
            if exact
            else structure.nearest(self._query, wanted, chosen)
        )
        if len(places) < wanted:  # too few in the lists that were looked at
            places, whole = structure.all(self._query, wanted, chosen), True
        scores = self._compare(files, places)
        if not (whole and structure.exact):
            return "ann"
        # As long as the last one is as near as the last that is wanted, there may be more of the same.
        while wanted < chosen.count and len(scores) and scores.min() >= self._last - _SAME * max(1.0, abs(self._last)):
            wanted = min(4 * wanted, chosen.count)
            self._best = Best(self._limit)
            scores = self._compare(files, structure.all(self._query, wanted, chosen))
        return "exact"

    @property
    def _last(self) -> float:
        return float(self._best.scores[-1])

    def _compare(self, files: Files, places: Numbers) -> NDArray[np.float32]:
        """Compares with the vectors at these places as they came; returns their scores in any order."""
        members = files.members[self._field.name]
        every: list[NDArray[np.float32]] = []
        for start in range(0, len(places), _BATCH):
            part = places[start : start + _BATCH]
            inside = part if members is None else members[part]
            raw = files.structures[self._field.name].raw(part)
            if raw is None:
                rows, raw = read_some(self._connection, self._field, files.table.rows[inside])
                inside = np.searchsorted(files.table.rows, rows)
            every.append(self._add(files.table.ids[inside], raw))
        return every[0] if len(every) == 1 else np.concatenate([_NO_SCORES, *every])

    def _scan(self, files: Files, chosen: Chosen) -> None:
        """Compares with all that were chosen, one batch of rows after the other."""
        members = files.members[self._field.name]
        places = np.flatnonzero(chosen.mask)
        inside = places if members is None else members[places]
        self._read(files.table.rows[inside], files.table.ids[inside], files.watermark)

    def _in_tail(self, matching: Mask | None) -> None:
        tail = self._view.tail
        if not len(tail.rows):
            return
        wanted = tail.alive & tail.having[self._field.name]
        if matching is not None:
            wanted &= matching[tail.payloads]
        if tail.vectors is None:
            self._read(tail.rows[wanted], tail.ids[wanted], self._view.state.last_row)
            return
        matrix = tail.vectors[self._field.name]
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            ids, rows = tail.ids[start : start + _BATCH], matrix[start : start + _BATCH]
            if part.all():
                self._add(ids, rows)
            elif part.any():
                self._add(ids[part], rows[part])

    def _read(self, rows: Numbers, ids: Numbers, until: int) -> None:
        """Compares with the vectors in these rows, which rise, by reading them all from the database."""
        if not len(rows):
            return
        if len(rows) <= _READ:
            there, matrix = read_some(self._connection, self._field, rows)
            self._add(ids[np.searchsorted(rows, there)], matrix)
            return
        for there, matrix in read_all(self._connection, self._field, int(rows[0]) - 1, until):
            places = np.minimum(np.searchsorted(rows, there), len(rows) - 1)
            found = rows[places] == there
            self._add(ids[places[found]], matrix[found])

    def _add(self, ids: Numbers, matrix: Matrix) -> NDArray[np.float32]:
        scores = similarity(matrix, self._query, self._field)
        self._best.add(ids, scores)
        return scores
