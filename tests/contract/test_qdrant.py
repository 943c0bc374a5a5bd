from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kaynak.engines import DenseEngine, LexicalEngine
from kaynak.engines.qdrant import QdrantDense, QdrantLexical
from kaynak.engines.qdrant.edge import EdgeTransport
from kaynak.testing.dense import DenseEngineSuite
from kaynak.testing.lexical import LexicalEngineSuite


class TestEmbeddedDense(DenseEngineSuite):
    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: QdrantDense(EdgeTransport(tmp_path))


class TestEmbeddedDenseGraph(DenseEngineSuite):
    """The same, asking Qdrant for an approximate search wherever more than one point matches."""

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: QdrantDense(EdgeTransport(tmp_path), exact_rows=1)


class TestEmbeddedLexical(LexicalEngineSuite):
    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], LexicalEngine]:
        return lambda: QdrantLexical(EdgeTransport(tmp_path))
