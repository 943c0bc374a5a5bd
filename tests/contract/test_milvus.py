from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaynak.engines import DenseEngine, MilvusOptions
from kaynak.testing.dense import DenseEngineSuite
from kaynak.testing.engines import NAME

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus import MilvusEngine
from kaynak.testing.milvus_server import CannotIsolate, MilvusServer, has_milvus, milvus_server


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A real Milvus for these tests; its log is kept if one of them fails."""
    if not has_milvus():
        pytest.skip("the wheel milvus is not installed")
    failed = request.session.testsfailed
    try:
        with milvus_server() as server:
            yield server
            if request.session.testsfailed > failed:
                shutil.copy(server.log, tmp_path_factory.mktemp("milvus") / "log")
    except CannotIsolate as exc:
        pytest.skip(str(exc))


@pytest.fixture
def served(server: MilvusServer, tmp_path: Path) -> Iterator[Callable[[], DenseEngine]]:
    """Makes engines of the server; what a test has made there is removed."""

    def make() -> DenseEngine:
        return MilvusEngine(MilvusOptions(uri=server.uri), tmp_path)

    yield make

    async def clear() -> None:
        engine = make()
        await engine.drop(NAME)
        await engine.close()

    asyncio.run(clear())


class TestServer(DenseEngineSuite):
    """Milvus 2.3, with HNSW."""

    @pytest.fixture
    def engine_factory(self, served: Callable[[], DenseEngine]) -> Callable[[], DenseEngine]:
        return served


class TestEmbedded(DenseEngineSuite):
    """milvus-lite, which by default compares with every vector."""

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: MilvusEngine(MilvusOptions(), tmp_path / "milvus")
