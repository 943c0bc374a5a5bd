"""What pgvector does beside the default, with an index from the second row on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from kaynak.domain import Json
from kaynak.engines import DenseEngine, DenseSpec
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.testing.dense import DenseEngineSuite


class OfKind(PgVectorEngine):
    def __init__(self, url: str, params: Mapping[str, Json]) -> None:
        super().__init__(url, connections=2, exact_rows=1)
        self._params = params
        if params["precision"] == "bit":
            self.capabilities = replace(self.capabilities, metrics=frozenset({"cosine", "dot"}))

    async def create(self, spec: DenseSpec) -> None:
        await super().create(replace(spec, params={**self._params, **spec.params}))


class _Kind(DenseEngineSuite):
    params: Mapping[str, Json]

    @pytest.fixture
    def engine_factory(self, database_url: str) -> Callable[[], DenseEngine]:
        return lambda: OfKind(database_url, self.params)


class TestFull(_Kind):
    tolerance = 1e-5
    params: Mapping[str, Json] = {"index": "hnsw", "precision": "full"}


class TestLists(_Kind):
    params: Mapping[str, Json] = {"index": "ivfflat", "precision": "half", "lists": 10, "probes": 9}


class TestBits(_Kind):
    # Eight bits tell so few vectors apart that most of them have to be compared.
    params: Mapping[str, Json] = {"index": "hnsw", "precision": "bit", "rerank": 120}


class TestListsOfBits(_Kind):
    params: Mapping[str, Json] = {"index": "ivfflat", "precision": "bit", "rerank": 120, "lists": 4, "probes": 4}
