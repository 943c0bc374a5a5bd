from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from kaynak.engines import DenseEngine, Point
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


class Beside(PgVectorEngine):
    """Has its graph after each write all the same."""

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        await super().apply(name, upserts, deletes, revision)
        await self.finish(name)


class TestPgVectorGraphBeside(DenseEngineSuite):
    """The same with a graph that is built beside the writes, as a large one is."""

    column = "pgvector"

    @pytest.fixture
    def engine_factory(self, database_url: str) -> Callable[[], DenseEngine]:
        return lambda: Beside(database_url, connections=2, exact_rows=1, at_once=0)
