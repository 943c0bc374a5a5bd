# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from kaynak.domain import Filter
from kaynak.domain.filter_sql import to_sql
from kaynak.engines.pgvector.pool import Connection
from kaynak.engines.pgvector.spec import Layout, distance, negated_scores
from kaynak.engines.pgvector.vectors import half_vector
from kaynak.engines.protocol import Candidates, Vector, VectorField

FILTERED_ROWS = 1.6
"""How many times `Layout.exact_rows` are still searched exactly under a filter, where HNSW is slower too."""

EXACT_MOST = 200_000
"""Rows that are searched exactly when HNSW gave too few."""

_TIES = 16
"""Asked for beyond the limit, as the graph does not know which of equal rows has the smaller id."""

_REMEMBERED = 256
_SECONDS = 60.0


class Large:
    """Remembers for a while which filters match too much for exact search, so as not to find out each time."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, Filter | None], float] = OrderedDict()

    def __contains__(self, key: tuple[str, Filter | None]) -> bool:
        return self._known.get(key, 0.0) > time.monotonic()

    def add(self, key: tuple[str, Filter | None]) -> None:
        """Remembers ``key``; forgets the oldest ones."""
        self._known.pop(key, None)
        self._known[key] = time.monotonic() + _SECONDS
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def discard(self, key: tuple[str, Filter | None]) -> None:
        """Forgets ``key``."""
        self._known.pop(key, None)


class Search:
    """One search of one field."""

    def __init__(
        self, layout: Layout, field: VectorField, vector: Vector, limit: int, condition: Filter | None
    ) -> None:
        self._layout = layout
        self._field = field
        self._limit = limit
        self._filtered = condition is not None
        self._where, params = to_sql(condition, "payload", style="pyformat")
        self._params: dict[str, Any] = {**params, "query": half_vector(vector)}

    async def exact(self, connection: Connection, most: int | None) -> Candidates | None:
        """Compares with every row that matches; None if those are more than ``most``.

        The distances are computed in a materialized step without an order, where no planner can think of HNSW.
        """
        bound = "" if most is None else f" LIMIT {most + 1}"
        cursor = await connection.execute(
            f"WITH found AS MATERIALIZED (SELECT chunk_id, {distance(self._field)} AS distance"
            f" FROM {self._layout.table} WHERE {self._where}{bound}),"
            " tidy AS (SELECT chunk_id, CASE WHEN distance = 'NaN' THEN 1 ELSE distance END AS distance FROM found)"
            " SELECT chunk_id, distance, (SELECT count(*) FROM found) FROM tidy"
            f" ORDER BY distance, chunk_id LIMIT {self._limit}",
            self._params,
        )
        rows = await cursor.fetchall()
        if rows and most is not None and rows[0][2] > most:
            return None
        return self._candidates(rows, "exact")

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
                f" WHERE {self._where} ORDER BY {distance(self._field)} LIMIT {self._limit + _TIES}",
                self._params,
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
