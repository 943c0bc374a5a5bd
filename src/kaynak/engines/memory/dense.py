from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Filter, matches
from kaynak.engines.checks import (
    check_fields,
    check_limit,
    check_params,
    check_points,
    check_vector,
    pick_field,
)
from kaynak.engines.memory.store import MemoryStore, Table
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector, VectorField

_Matrix = tuple[int, NDArray[np.int64], NDArray[np.float32]]


class MemoryDense(MemoryStore[DenseSpec, Point]):
    """Exact search by comparing with every vector."""

    capabilities = Capabilities(
        metrics=frozenset({"cosine", "dot", "l2"}), named_vectors=True, filters=True, shared=False
    )

    def __init__(self) -> None:
        super().__init__()
        self._matrices: dict[tuple[str, str], _Matrix] = {}

    async def create(self, spec: DenseSpec) -> None:
        """Makes an empty index."""
        check_fields(spec)
        check_params(spec, ())
        self._make(spec)

    async def drop(self, name: str) -> None:
        """Removes the index."""
        await super().drop(name)
        self._matrices = {key: value for key, value in self._matrices.items() if key[0] != name}

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""
        check_points(upserts, self._table(name).spec.fields)
        self._write(name, upserts, deletes, revision)

    async def search(
        self,
        name: str,
        vector: Vector,
        limit: int,
        *,
        field: str | None = None,
        condition: Filter | None = None,
        exact: bool = False,
    ) -> Candidates:
        """See `DenseEngine.search`; always exact."""
        table = self._table(name)
        which = pick_field(table.spec.fields, field)
        query = check_vector(vector, which)
        check_limit(limit)
        return await asyncio.to_thread(self._search, table, which, query, limit, condition)

    def _search(
        self,
        table: Table[DenseSpec, Point],
        field: VectorField,
        query: Vector,
        limit: int,
        condition: Filter | None,
    ) -> Candidates:
        ids, matrix = self._matrix(table, field)
        if condition is not None:
            records = table.records
            kept = [
                row
                for row, key in enumerate(ids.tolist())
                if key in records and matches(condition, records[key].payload)
            ]
            ids, matrix = ids[kept], matrix[kept]
        scores = _similarity(matrix, query, field.metric)
        order = np.lexsort((ids, -scores))[:limit]
        return Candidates(tuple(ids[order].tolist()), tuple(scores[order].tolist()), "exact")

    def _matrix(
        self, table: Table[DenseSpec, Point], field: VectorField
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns all ids and vectors of a field; built once per write."""
        key = (table.spec.name, field.name)
        with self._lock:
            version, records = table.version, table.records
            known = self._matrices.get(key)
            if known is not None and known[0] == version:
                return known[1], known[2]
            having = {key: one.vectors[field.name] for key, one in records.items() if field.name in one.vectors}
            ids = np.fromiter(having, dtype=np.int64, count=len(having))
            rows = [np.asarray(one, dtype=np.float32) for one in having.values()]
            matrix = np.stack(rows) if rows else np.zeros((0, field.dimensions), dtype=np.float32)
            self._matrices[key] = (version, ids, matrix)
        return ids, matrix


def _similarity(matrix: NDArray[np.float32], query: Vector, metric: str) -> NDArray[np.float32]:
    """Returns one score per row, higher is better; the cosine with a zero vector is 0."""
    scores: NDArray[np.float32]
    if metric == "l2":
        scores = -np.linalg.norm(matrix - query, axis=1)
    elif metric == "dot":
        scores = matrix @ query
    else:
        norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(query)
        scores = np.divide(matrix @ query, norms, out=np.zeros_like(norms), where=norms > 0)
    return scores
