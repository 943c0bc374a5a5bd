from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np

from kaynak.domain import Filter
from kaynak.engines.milvus.filters import EVERYTHING
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.reading import PAGE, Reads
from kaynak.engines.milvus.rows import comparable
from kaynak.engines.milvus.spec import Layout
from kaynak.engines.milvus.store import Store
from kaynak.engines.protocol import Candidates, Vector, VectorField

_PAGE_BYTES = 16 << 20
_TIES = 16
"""Asked for beyond the limit, as Milvus does not know which of equal rows has the smaller id."""

_REMEMBERED = 4096
_SECONDS = 60.0


class Large:
    """Remembers for a while what matches too much for exact search, so as not to count it each time."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __contains__(self, key: tuple[str, str]) -> bool:
        return self._known.get(key, 0.0) > time.monotonic()

    def note(self, key: tuple[str, str]) -> None:
        """Remembers ``key``; forgets the oldest ones."""
        self._known[key] = time.monotonic() + _SECONDS
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


class Search:
    """One search of one field.

    Args:
        store: Where to.
        client: Connected to it.
        layout: Of the index.
        field: Of which vectors.
        vector: To be near to.
        limit: At most this many.
        condition: On the payload.
    """

    def __init__(
        self,
        store: Store,
        client: MilvusClient,
        layout: Layout,
        field: VectorField,
        vector: Vector,
        limit: int,
        condition: Filter | None,
    ) -> None:
        self._reads = Reads(store, client, layout, layout.collection(field))
        self._layout = layout
        self._field = field
        self._vector = comparable(vector, field)
        self._limit = limit
        self._expression = store.expression(client, condition)

    def run(self, large: Large, exact_rows: int, *, exact: bool) -> Candidates:
        """Compares with all that match where they are few, and asks the index of Milvus otherwise."""
        if self._layout.exhaustive:
            return self._asked("exact")
        if exact:
            return self._compared()
        key = (self._layout.collection(self._field), self._expression)
        if key not in large:
            if not self._reads.more_than(exact_rows, self._expression):
                return self._compared()
            large.note(key)
        found = self._asked("ann")
        if len(found.ids) == self._limit or not self._reads.more_than(len(found.ids), self._expression):
            return found
        # The index gave up before it had found enough of what matches.
        return self._compared()

    def _asked(self, mode: str) -> Candidates:
        found: list[tuple[float, int]] = []
        # Rows beyond the limit take time; ties are only asked for where the last row is one.
        for asked in (self._limit + 1, self._limit + _TIES):
            params = self._layout.search_params(asked, filtered=self._expression != EVERYTHING)
            found = self._reads.nearest(self._vector, self._expression, asked, params)
            if len(found) > self._limit and found[-1][0] != found[-2][0]:
                break
        # Milvus gives L2 squared.
        scored = [(_root(distance), key) for distance, key in found] if self._field.metric == "l2" else found
        return self._best(scored, mode)

    def _compared(self) -> Candidates:
        """Reads the vectors that match, and compares with each: exact whatever the index is."""
        best: list[tuple[float, int]] = []
        size = max(1, min(PAGE, _PAGE_BYTES // (4 * self._field.dimensions)))
        for ids, matrix in self._reads.vectors(self._expression, size, self._field.dimensions):
            best += zip(self._scores(matrix).tolist(), ids, strict=True)
            best = sorted(best, key=_order)[: self._limit]
        return self._best(best, "exact")

    def _scores(self, matrix: Vector) -> Vector:
        if self._field.metric == "l2":
            negated: Vector = -np.linalg.norm(matrix - self._vector, axis=1)
            return negated
        product: Vector = matrix @ self._vector
        return product

    def _best(self, scored: list[tuple[float, int]], mode: str) -> Candidates:
        best = sorted(scored, key=_order)[: self._limit]
        return Candidates(
            ids=tuple([key for _, key in best]),
            scores=tuple([score for score, _ in best]),
            mode="exact" if mode == "exact" else "ann",
        )


def _order(one: tuple[float, int]) -> tuple[float, int]:
    return -one[0], one[1]


def _root(squared: float) -> float:
    return -float(np.sqrt(max(squared, 0.0)))
