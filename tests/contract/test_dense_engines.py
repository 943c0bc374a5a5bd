from __future__ import annotations

from collections.abc import Callable

import pytest

from kaynak.engines import DenseEngine
from kaynak.engines.memory import MemoryDense
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.testing.dense import DenseEngineSuite


class TestMemory(DenseEngineSuite):
    column = "memory"

    durable = False

    @pytest.fixture
    def engine_factory(self) -> Callable[[], DenseEngine]:
        return MemoryDense


class TestPgVector(DenseEngineSuite):
    @pytest.fixture
    def engine_factory(self, database_url: str) -> Callable[[], DenseEngine]:
        return lambda: PgVectorEngine(database_url, connections=2)


class TestPgVectorGraph(DenseEngineSuite):
    """The same with a graph from the second row on, where there would be none in so small an index."""

    column = "pgvector"

    @pytest.fixture
    def engine_factory(self, database_url: str) -> Callable[[], DenseEngine]:
        return lambda: PgVectorEngine(database_url, connections=2, exact_rows=1)
