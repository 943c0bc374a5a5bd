# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

from typing import Any

from kaynak.domain import Filter
from kaynak.engines.pgvector.columns import column, distance, negated_scores, walked
from kaynak.engines.pgvector.filters import where
from kaynak.engines.pgvector.pool import Connection, Walk
from kaynak.engines.pgvector.spec import Layout
from kaynak.engines.pgvector.vectors import wire_vector
from kaynak.engines.protocol import Candidates, Vector, VectorField

FILTERED_ROWS = 1.6
"""How many times `Layout.exact_rows` are still searched exactly under a filter, where HNSW is slower too."""

EXACT_MOST = 200_000
"""Rows that are searched exactly when HNSW gave too few."""

_TIES = 16
"""Asked for beyond the limit, as the graph does not know which of equal rows has the smaller id."""

_FILTERED_PROBES = 3
"""How many times as many lists are read under a filter."""

_RERANKED_MOST = 4000
"""Rows beyond the limit that are compared as they are stored, of those that are near by their bits."""

_SEEN = 160
"""Rows to be expected in a sample of the table's pages where as many match as are still searched exactly."""

_STEP = 28
"""How many comparisons one step of a walk takes as long as. It takes as many steps as are wanted, by the share that
matches."""


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
        if len(layout.fields) > 1:
            self._where = self._where.having(column(field))
        self._query = {"query": wire_vector(vector, full=layout.precision == "full")}
        self._distance = distance(field, layout.precision)
        self._wanted = limit + _TIES
        if layout.precision == "bit":
            self._wanted = max(self._wanted, min(limit * layout.number("rerank"), limit + _RERANKED_MOST))

    async def worth_walking(self, connection: Connection, most: int) -> bool:
        """Returns whether a walk through the graph is better than to compare with all that match.

        A few pages of the table tell it nearly always. To count takes long where nearly everything matches, and where
        no index answers the filter.

        Args:
            connection: To ask.
            most: Rows that are compared with at most; where the table has no more, there may be no graph.
        """
        if self._filtered:
            percent = min(100.0, _SEEN * 100 / most)
            sampled = await connection.execute(
                f"SELECT count(*) FILTER (WHERE {self._where.plain}) * 100 / {percent}, count(*) * 100 / {percent}"
                f" FROM {self._layout.table} TABLESAMPLE SYSTEM ({percent})",
                self._where.params,
            )
            row = await sampled.fetchone()
            matching, rows = (0.0, 0.0) if row is None else (float(row[0]), float(row[1]))
            if rows > most and matching * matching / rows > _STEP * (self._limit + _TIES):
                return True
            if matching > 2 * most or matching <= most / 2:
                return matching > most
        return await self.more_than(connection, most)

    async def more_than(self, connection: Connection, most: int) -> bool:
        """Returns whether more than ``most`` rows match."""
        cursor = await connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {self._layout.table} WHERE {self._where.indexed} LIMIT {most + 1})"
            " AS counted",
            self._where.params,
        )
        row = await cursor.fetchone()
        return row is not None and row[0] > most

    async def exact(self, connection: Connection) -> Candidates:
        """Compares with every row that matches.

        The distances are computed within OFFSET 0, out of which no planner takes them to think of an index.
        """
        cursor = await connection.execute(
            f"SELECT chunk_id, distance FROM (SELECT chunk_id, {self._distance} AS distance"
            f" FROM {self._layout.table} WHERE {self._where.indexed} OFFSET 0) AS found"
            f" ORDER BY CASE WHEN distance = 'NaN' THEN 1 ELSE distance END, chunk_id LIMIT {self._limit}",
            {**self._where.params, **self._query},
        )
        return self._candidates(await cursor.fetchall(), "exact")

    @property
    def walk(self) -> Walk:
        """What the connection of `approximate` is to be set to, see `Pool.look`."""
        if self._layout.lists:
            # What is nearest of the few that match is farther away, and reading on ends as soon as there are enough.
            wider = _FILTERED_PROBES if self._filtered else 1
            return Walk("ivfflat.probes", min(self._layout.number("lists"), wider * self._layout.number("probes")))
        # More than is wanted, as the last of what a graph search returns are its least sure ones.
        most = self._limit if self._layout.precision != "bit" else self._wanted
        return Walk("hnsw.ef_search", min(1000, max(self._layout.number("ef_search"), most * 6 // 5)))

    async def approximate(self, connection: Connection) -> Candidates:
        """Walks through the index, further and further until enough rows match.

        What it finds by bits is put in order by the distance, as all of it is.
        """
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                f"SELECT chunk_id, {self._distance} AS distance FROM {self._layout.table} WHERE {self._where.plain}"
                f" ORDER BY {walked(self._field, self._layout.precision)} LIMIT {self._wanted}",
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
