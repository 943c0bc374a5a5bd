from __future__ import annotations

from typing import Any, Literal

import numpy as np

from kaynak.domain import Filter
from kaynak.engines.arangodb import aql
from kaynak.engines.arangodb.aql import Query
from kaynak.engines.arangodb.client import Client
from kaynak.engines.arangodb.filters import Conditions
from kaynak.engines.arangodb.spec import attribute, norm_attribute
from kaynak.engines.arangodb.terms import having
from kaynak.engines.protocol import Candidates, Vector, VectorField

_TIES = 16
"""Asked for beyond the limit, as a vector index does not know which of equal points has the smaller id."""


class Search:
    """One search of one field.

    Args:
        client: The server.
        name: Of the index, for messages.
        collection: Where it is kept.
        field: The field.
        vector: What to look for.
        limit: At most this many.
        condition: On what is found.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        collection: str,
        field: VectorField,
        vector: Vector,
        limit: int,
        condition: Filter | None,
    ) -> None:
        self._client = client
        self._name = name
        self._field = field
        self._limit = limit
        self._condition = condition
        self._binds: dict[str, Any] = {"@collection": collection, "vector": attribute(field), "query": vector}
        if field.metric == "dot":
            scale = float(np.linalg.norm(vector.astype(np.float64)))
            self._binds |= {"norm": norm_attribute(field), "scale": scale}

    async def exact(self) -> Candidates:
        """Compares with every point that matches."""
        conditions = Conditions(aql.FILTER)
        text = aql.EXACT.format(
            condition=conditions.of(self._condition, having(self._field.name)), score=aql.SCORES[self._field.metric]
        )
        binds = {**conditions.binds, **self._binds, "limit": self._limit}
        return self._candidates(await self._client.rows(self._name, Query(text, binds)), "exact")

    async def near(self, probes: int) -> Candidates:
        """Looks into so many lists of the vector index.

        Raises:
            CorruptIndex: There is none that can be used.
        """
        conditions = Conditions(aql.FILTER)
        # What has no vector is not in the index.
        condition = None if self._condition is None else conditions.matching(self._condition)
        binds = {**conditions.binds, **self._binds, "probes": probes, "limit": self._limit + _TIES}
        rows = await self._client.rows(self._name, Query(aql.near(self._field.metric, condition), binds))
        return self._candidates(rows, "ann")

    def _candidates(self, rows: list[Any], mode: Literal["exact", "ann"]) -> Candidates:
        # Our own record has a vector too, and no id.
        found = sorted((-float(score), int(key)) for key, score in rows if key is not None)
        return Candidates(
            ids=tuple(key for _, key in found[: self._limit]),
            scores=tuple(-negated for negated, _ in found[: self._limit]),
            mode=mode,
            short=mode == "ann" and len(found) < self._limit,
        )
