# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from kaynak.domain import Filter
from kaynak.engines.pgvector.filters import where
from kaynak.engines.pgvector.pool import Connection
from kaynak.engines.pgvector.spec import Layout, distance, negated_scores
from kaynak.engines.pgvector.vectors import half_vector
from kaynak.engines.protocol import Candidates, Vector, VectorField

_LUCK = 40
"""Rows of a sample that may be there by chance."""

FILTERED_ROWS = 1.6
"""How many times `Layout.exact_rows` are still searched exactly under a filter, where HNSW is slower too."""

EXACT_MOST = 200_000
"""Rows that are searched exactly when HNSW gave too few."""

_TIES = 16
"""Asked for beyond the limit, as the graph does not know which of equal rows has the smaller id."""

_SAMPLE = 0.5
"""Percent of the table's pages that are looked at before matches are counted: most of what is large is so by far."""

_REMEMBERED = 4096
_SECONDS = 300.0
_SMALL_SECONDS = 60.0
"""What is searched exactly because little matches takes longer as it grows."""


class Sizes:
    """Remembers for a while which filters match too much for exact search, so as not to find out each time."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, Filter | None], tuple[bool, float]] = OrderedDict()

    def large(self, key: tuple[str, Filter | None]) -> bool | None:
        """Returns whether ``key`` matches too much; None if that is not known."""
        large, until = self._known.get(key, (None, 0.0))
        return large if until > time.monotonic() else None

    def note(self, key: tuple[str, Filter | None], *, large: bool) -> None:
        """Remembers ``key``; forgets the oldest ones."""
        self._known.pop(key, None)
        self._known[key] = large, time.monotonic() + (_SECONDS if large else _SMALL_SECONDS)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def written(self, name: str) -> None:
        """Forgets what matched little of an index that was just written."""
        for key in [key for key, (large, _) in self._known.items() if key[0] == name and not large]:
            del self._known[key]


class Search:
    """One search of one field."""

    def __init__(
        self, layout: Layout, field: VectorField, vector: Vector, limit: int, condition: Filter | None
    ) -> None:
        self._layout = layout
        self._field = field
        self._limit = limit
        self._filtered = condition is not None
        self._where = where(condition, listed=layout.listed)
        self._query = {"query": half_vector(vector)}

    async def more_than(self, connection: Connection, most: int) -> bool:
        """Returns whether more than ``most`` rows match.

        To count up to ``most`` takes long where nearly everything matches; there a few pages tell it already.
        """
        table, params = self._layout.table, self._where.params
        if self._filtered:
            seen = await connection.execute(
                f"SELECT count(*) FROM {table} TABLESAMPLE SYSTEM ({_SAMPLE}) WHERE {self._where.plain}", params
            )
            row = await seen.fetchone()
            if row is not None and row[0] > most * 2 * _SAMPLE / 100 + _LUCK:
                return True
        counted = await connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {self._where.indexed} LIMIT {most + 1}) AS counted",
            params,
        )
        row = await counted.fetchone()
        return row is not None and row[0] > most

    async def exact(self, connection: Connection) -> Candidates:
        """Compares with every row that matches.

        The distances are computed within OFFSET 0, out of which no planner takes them to think of HNSW.
        """
        cursor = await connection.execute(
            f"SELECT chunk_id, distance FROM (SELECT chunk_id, {distance(self._field)} AS distance"
            f" FROM {self._layout.table} WHERE {self._where.indexed} OFFSET 0) AS found"
            f" ORDER BY CASE WHEN distance = 'NaN' THEN 1 ELSE distance END, chunk_id LIMIT {self._limit}",
            {**self._where.params, **self._query},
        )
        return self._candidates(await cursor.fetchall(), "exact")

    @property
    def breadth(self) -> int:
        """What the connection of `approximate` is to be set to, see `Pool.look`."""
        # More than the limit, as the last of what a graph search returns are its least sure ones.
        return min(1000, max(self._layout.params["ef_search"], self._limit * 6 // 5))

    async def approximate(self, connection: Connection) -> Candidates:
        """Walks the HNSW graph, further and further until enough rows match."""
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                f"SELECT chunk_id, {distance(self._field)} AS distance FROM {self._layout.table}"
                f" WHERE {self._where.plain} ORDER BY {distance(self._field)} LIMIT {self._limit + _TIES}",
                {**self._where.params, **self._query},
                prepare=not self._filtered,  # without a filter, one plan is as good as another
            )
            rows = await cursor.fetchall()
        return self._candidates(rows, "ann")

    def _candidates(self, rows: list[tuple[Any, ...]], mode: str) -> Candidates:
        scored = sorted(
            zip(negated_scores(self._field, [row[1] for row in rows]), [row[0] for row in rows], strict=True)
        )
        del scored[self._limit :]
        return Candidates(
            ids=tuple([key for _, key in scored]),
            scores=tuple([-negated for negated, _ in scored]),
            mode="exact" if mode == "exact" else "ann",
            short=mode == "ann" and len(rows) < self._limit,
        )
