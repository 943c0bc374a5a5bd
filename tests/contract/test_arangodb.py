from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kaynak.engines import ArangoOptions, DenseEngine, LexicalEngine
from kaynak.engines.arangodb import ArangoDense, ArangoLexical
from kaynak.testing.arangodb import ArangoServer
from kaynak.testing.dense import DenseEngineSuite
from kaynak.testing.lexical import LexicalEngineSuite


def options_of(server: ArangoServer, **more: int) -> ArangoOptions:
    return ArangoOptions(server.url, server.user, server.password, **more)


@pytest.fixture
def server() -> Iterator[ArangoServer]:
    with ArangoServer() as running:
        yield running


class TestArangoDense(DenseEngineSuite):
    column = "ArangoDB"
    stands_for = "stub"

    @pytest.fixture
    def engine_factory(self, server: ArangoServer) -> Callable[[], DenseEngine]:
        return lambda: ArangoDense(options_of(server))


class TestArangoDenseNear(DenseEngineSuite):
    """The same with vector indexes from the second point on, where there would be none in so small an index."""

    @pytest.fixture
    def engine_factory(self, server: ArangoServer) -> Callable[[], DenseEngine]:
        return lambda: ArangoDense(options_of(server), exact_rows=1)


class TestArangoDenseShards(DenseEngineSuite):
    """The same where one transaction cannot hold a write."""

    @pytest.fixture
    def engine_factory(self, server: ArangoServer) -> Callable[[], DenseEngine]:
        return lambda: ArangoDense(options_of(server, shards=3))


class TestArangoLexical(LexicalEngineSuite):
    column = "ArangoDB"
    stands_for = "stub"

    @pytest.fixture
    def engine_factory(self, server: ArangoServer) -> Callable[[], LexicalEngine]:
        return lambda: ArangoLexical(options_of(server))


class TestArangoLexicalShards(LexicalEngineSuite):
    """The same where one transaction cannot hold a write."""

    @pytest.fixture
    def engine_factory(self, server: ArangoServer) -> Callable[[], LexicalEngine]:
        return lambda: ArangoLexical(options_of(server, shards=3))


class TestArangoDenseOldest(DenseEngineSuite):
    """The same on the oldest version that has vector indexes, which can do the least with them."""

    @pytest.fixture
    def engine_factory(self) -> Iterator[Callable[[], DenseEngine]]:
        with ArangoServer((3, 12, 4)) as server:
            yield lambda: ArangoDense(options_of(server), exact_rows=1)
