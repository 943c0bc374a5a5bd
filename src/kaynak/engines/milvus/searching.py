from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np

from kaynak.domain import Filter
from kaynak.engines.milvus.filters import EVERYTHING, LABELS, FilterCompiler
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.rows import comparable
from kaynak.engines.milvus.spec import Layout
from kaynak.engines.milvus.store import Store
from kaynak.engines.protocol import Candidates, Vector, VectorField

PAGE = 5000
"""Rows that are asked for at a time: servers give at most 16,384."""

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


class Reads:
    """What is asked of one collection, with the consistency that lets a read see every write that has returned.

    ``Session`` waits for what this process wrote; `writing.write` has already waited for it, and so did any other
    process with its writes, so that in fact nobody waits. A server that has just been started again may for a moment
    show others less than it did before; ``strong`` indexes are read with a wait for the server's clock instead.
    """

    def __init__(self, store: Store, client: MilvusClient, layout: Layout, collection: str) -> None:
        self._store = store
        self._client = client
        self._collection = collection
        self._embedded = store.embedded
        self._rest: dict[str, Any] = {
            "consistency_level": "Strong" if store.strong(layout) else "Session",
            "timeout": store.options.seconds,
        }
        # Asked by an iterator, milvus-lite gives the least ids first, as servers always do.
        self._sorted = {"iterator": "True"} if store.embedded else {}

    def count(self, expression: str) -> int:
        """Returns how many rows match."""
        if self._embedded and expression == EVERYTHING:
            # With a filter, milvus-lite would read every row.
            return self._count("") - self._count(f"id <= {LABELS}")
        return self._count(f"{EVERYTHING} and ({expression})")

    def more_than(self, number: int, expression: str) -> bool:
        """Returns whether more rows match than that."""
        if not self._embedded or expression == EVERYTHING:
            return self.count(expression) > number
        # Whatever it is asked for, milvus-lite makes up each row that matches, with its vector: no more than need be.
        found = self._client.query(
            self._collection,
            filter=f"{EVERYTHING} and ({expression})",
            output_fields=["id"],
            limit=number + 1,
            **self._rest,
        )
        return len(found) > number

    def _count(self, expression: str) -> int:
        found = self._client.query(self._collection, filter=expression, output_fields=["count(*)"], **self._rest)
        return int(found[0]["count(*)"])

    def pages(self, expression: str, fields: list[str], size: int) -> Iterator[list[dict[str, Any]]]:
        """Yields all rows that match, by id."""
        for page in self._pages(expression, fields, size):
            yield sorted(page, key=lambda row: int(row["id"]))

    def vectors(self, expression: str, size: int, dimensions: int) -> Iterator[tuple[list[int], Vector]]:
        """Yields all that match, a page at a time: ids, and their vectors as a matrix."""
        for page in self._pages(expression, ["vector"], size):
            # As they came: pymilvus would make a list of each, number by number, which takes longer than the rest.
            came = next((one for one in page._lazy_field_data if one.field_name == "vector"), None)
            data = [] if came is None else came.vectors.float_vector.data
            yield [int(row["id"]) for row in list.__iter__(page)], np.array(data, np.float32).reshape(-1, dimensions)

    def _pages(self, expression: str, fields: list[str], size: int) -> Iterator[Any]:
        after = LABELS
        while True:
            rest = f"id > {after} and ({expression})"
            page = self._client.query(
                self._collection, filter=rest, output_fields=["id", *fields], limit=size, **self._sorted, **self._rest
            )
            yield page
            if len(page) < size:
                return
            after = max(int(row["id"]) for row in list.__iter__(page))

    def nearest(self, vector: Vector, expression: str, limit: int, params: dict[str, int]) -> list[tuple[float, int]]:
        """Returns (what Milvus calls distance, id)."""

        def search(vectors: list[Vector]) -> list[list[tuple[float, int]]]:
            found = self._client.search(
                self._collection,
                data=vectors,
                filter="" if expression == EVERYTHING else expression,
                limit=limit,
                output_fields=["id"],
                search_params={"params": params},
                anns_field="vector",
                **self._rest,
            )
            return [[(float(hit["distance"]), int(hit["id"])) for hit in one if hit["id"] > LABELS] for one in found]

        return self._store.ask((self._collection, expression, limit, *params.items()), vector, search)


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
        self._expression = FilterCompiler(words=store.embedded).compile(condition)

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
        asked = self._limit + _TIES
        params = self._layout.search_params(asked, filtered=self._expression != EVERYTHING)
        found = self._reads.nearest(self._vector, self._expression, asked, params)
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
