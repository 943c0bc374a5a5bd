from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaynak.engines import DenseEngine, LexicalEngine, QdrantOptions
from kaynak.engines.qdrant import QdrantDense, QdrantLexical
from kaynak.engines.qdrant.edge import EdgeTransport
from kaynak.engines.qdrant.server import ServerTransport
from kaynak.testing.dense import DenseEngineSuite
from kaynak.testing.lexical import LexicalEngineSuite
from kaynak.testing.qdrant_server import qdrant_server


class TestEmbeddedDense(DenseEngineSuite):
    column = "Qdrant embedded"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: QdrantDense(EdgeTransport(tmp_path))


class TestEmbeddedDenseGraph(DenseEngineSuite):
    """The same, asking Qdrant for an approximate search wherever more than one point matches."""

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: QdrantDense(EdgeTransport(tmp_path), exact_rows=1)


class TestEmbeddedLexical(LexicalEngineSuite):
    column = "Qdrant embedded"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], LexicalEngine]:
        return lambda: QdrantLexical(EdgeTransport(tmp_path))


class TestServerDense(DenseEngineSuite):
    """The client on the wire, to a stand-in for the server that has the real engine behind it."""

    column = "Qdrant server"
    stands_for = "stub"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Iterator[Callable[[], DenseEngine]]:
        with qdrant_server(tmp_path) as server:
            options = QdrantOptions(server.url, replicas=3, write_consistency=2)
            yield lambda: QdrantDense(ServerTransport(options))


class TestServerLexical(LexicalEngineSuite):
    column = "Qdrant server"
    stands_for = "stub"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Iterator[Callable[[], LexicalEngine]]:
        with qdrant_server(tmp_path) as server:
            yield lambda: QdrantLexical(ServerTransport(QdrantOptions(server.url)))
