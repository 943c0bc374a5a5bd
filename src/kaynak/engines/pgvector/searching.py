# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
from __future__ import annotations

from typing import Any, Literal

from kaynak.domain import Filter
from kaynak.engines.pgvector.columns import distance, negated_scores, query_bits, walked
from kaynak.engines.pgvector.groups import bits_column, has_bits
from kaynak.engines.pgvector.matching import matching
from kaynak.engines.pgvector.pool import Connection, Walk
from kaynak.engines.pgvector.spec import REFERENCE_DIMENSIONS, Layout
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

_SIFTED_LEAST = 2000
"""Rows up to which all that match are compared."""

_SIFTED = 400
"""Of more rows, those are compared that are nearest by their bits: so many, or more where vectors have few bits. Among
5,000 abstracts of papers these were .995 of the ten nearest, and .93 of the hundred nearest."""

_SIFTED_TIMES = 4
"""How many times the limit are compared at least."""

_SEEN = 160
"""Rows to be expected in a sample of the table's pages where as many match as are still searched exactly."""

_STEP = 28
"""How many comparisons one step of a walk takes as long as. It takes as many steps as are wanted, by the share that
matches."""

_ID = 2**48 - 1
"""Chunk ids are smaller: the catalog counts them up."""

_NEAREST = "CASE WHEN distance = 'NaN' THEN 1 ELSE distance END, chunk_id"
"""Order of what has a distance. The cosine with a vector of zeros is undefined; for us it is 0."""


class Search:
    """One search of one field."""

    def __init__(
        self, layout: Layout, field: VectorField, vector: Vector, limit: int, condition: Filter | None
    ) -> None:
        self._layout = layout
        self._field = field
        self._limit = limit
        self._filtered = condition is not None
        self._matching = matching(layout, condition, field)
        self._where = self._matching.where
        self._plain = self._where.plain + self._matching.present
        self._query = {"query": wire_vector(vector, full=layout.precision == "full")}
        self._distance = distance(field, layout.precision)
        self._has_bits = has_bits(field)
        self._kept = max(_SIFTED, _SIFTED * REFERENCE_DIMENSIONS // field.dimensions, limit * _SIFTED_TIMES)
        self._wanted = limit + _TIES
        self._sparing = self._filtered and layout.precision != "bit"
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
                f"SELECT count(*) FILTER (WHERE {self._plain}) * 100 / {percent}, count(*) * 100 / {percent}"
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
            f"SELECT coalesce(sum(n), 0) FROM ({self._matching.counted} LIMIT {most + 1}) AS counted",
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
            f" FROM {self._matching.rows} OFFSET 0) AS found ORDER BY {_NEAREST} LIMIT {self._limit}",
            {**self._where.params, **self._query},
        )
        return self._candidates(await cursor.fetchall(), "exact")

    @property
    def sift(self) -> int:
        """Rows up to which all that match are compared even where `sifted` can answer; 0 where it cannot."""
        return max(_SIFTED_LEAST, self._kept) if self._filtered and self._layout.grouped and self._has_bits else 0

    async def sifted(self, connection: Connection) -> Candidates:
        """Compares with those rows that match that are nearest by their bits.

        The groups have the ids and the bits of all that match in few pages. What is sorted of them is one number, in
        how many bits they differ and then the id: PostgreSQL would copy each row of two columns before it compares it.
        Rows are then looked up one by one; LATERAL and OFFSET 0 leave the planner no choice. The bits of the query
        stand in a SELECT so as to be computed once.
        """
        name = bits_column(self._field)
        present = f"WHERE {name} IS NOT NULL" if self._matching.present else ""
        differing = f"{name} <~> (SELECT {query_bits(self._field, self._layout.precision)})"
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                f"SELECT chunk_id, distance FROM (SELECT near & {_ID} AS chunk_id FROM ("
                f"SELECT ({differing})::bigint << {_ID.bit_length()} | chunk_id AS near FROM ("
                f"SELECT unnest(chunk_ids) AS chunk_id, unnest({name}) AS {name} FROM {self._layout.groups}"
                f" WHERE {self._where.indexed} OFFSET 0) AS points {present} ORDER BY near LIMIT {self._kept}"
                f") AS sorted) AS nearest CROSS JOIN LATERAL (SELECT {self._distance} AS distance"
                f" FROM {self._layout.table} WHERE chunk_id = nearest.chunk_id OFFSET 0) AS stored"
                f" ORDER BY {_NEAREST} LIMIT {self._limit}",
                {**self._where.params, **self._query},
                prepare=self._where.steady,
            )
            return self._candidates(await cursor.fetchall(), "ann", short=False)

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

        What it finds by bits is put in order by the distance, as all of it is. Under a filter each row more lengthens
        the walk, so ties are only asked for where the last row is one.
        """
        rows: list[tuple[Any, ...]] = []
        for wanted in (self._limit + 1, self._wanted) if self._sparing else (self._wanted,):
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(
                    f"SELECT chunk_id, {self._distance} AS distance FROM {self._layout.table} WHERE {self._plain}"
                    f" ORDER BY {walked(self._field, self._layout.precision)} LIMIT {wanted}",
                    {**self._where.params, **self._query},
                    prepare=True,  # the planner has no choice here, whatever the filter
                )
                rows = await cursor.fetchall()
            if len(rows) < wanted or len({distance for _, distance in rows[-2:]}) == 2:
                break
        return self._candidates(rows, "ann", short=len(rows) < self._limit)

    def _candidates(
        self, rows: list[tuple[Any, ...]], mode: Literal["exact", "ann"], *, short: bool = False
    ) -> Candidates:
        scored = sorted(
            zip(negated_scores(self._field, [row[1] for row in rows]), [row[0] for row in rows], strict=True)
        )
        del scored[self._limit :]
        return Candidates(
            ids=tuple([key for _, key in scored]),
            scores=tuple([-negated for negated, _ in scored]),
            mode=mode,
            short=short,
        )
