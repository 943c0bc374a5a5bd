from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kaynak.engines.milvus import labels
from kaynak.engines.milvus.filters import EVERYTHING, LABELS
from kaynak.engines.milvus.form import Form
from kaynak.engines.milvus.library import MilvusClient
from kaynak.engines.milvus.store import Store
from kaynak.engines.protocol import Vector

PAGE = 5000
"""Rows that are asked for at a time: servers give at most 16,384."""


class Reads:
    """What is asked of one collection, with the consistency that lets a read see every write that has returned.

    A read waits for what the revision speaks of that this process has seen last, whoever wrote it. The writer has
    already waited for that (see `writing.write`), so that nobody waits in fact but where a server was just started
    again. ``strong`` indexes are read with a wait for the server's clock instead.
    """

    def __init__(self, store: Store, client: MilvusClient, form: Form, collection: str) -> None:
        self._store = store
        self._client = client
        self._collection = collection
        self._embedded = store.embedded
        self._rest: dict[str, Any] = {
            "consistency_level": "Strong" if store.strong(form) else "Customized",
            "timeout": store.options.seconds,
        }
        if not store.strong(form):
            self._rest["guarantee_timestamp"] = labels.written(store, form.main)
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

    def rows(self, expression: str, fields: list[str]) -> list[dict[str, Any]]:
        """Returns the rows that match, those that are no points too; by ids, milvus-lite finds them at once."""
        found = self._client.query(self._collection, filter=expression, output_fields=["id", *fields], **self._rest)
        return list(found)

    def nearest(
        self, vector: Vector | Mapping[int, float], expression: str, limit: int, params: dict[str, int]
    ) -> list[tuple[float, int]]:
        """Returns (what Milvus calls distance, id)."""

        def search(vectors: list[Any]) -> list[list[tuple[float, int]]]:
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
