"""Every embedder and every wrapper against the embedder suite."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kaynak.embedding import Embedder, EmbedderPool, LocalEmbedder, MicroBatching, QueryCache, Retrying
from kaynak.embedding.sentence_transformer import SentenceTransformersEmbedder
from kaynak.embedding.soundness import Sound
from kaynak.testing import fake_sentence_transformers
from kaynak.testing.embedding_suite import EmbedderSuite
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.tiny_model import write_tiny_model

Make = Callable[[], Embedder]


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("xlmr"), model_type="xlm-roberta", pooling="cls")


class TestFake(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Make:
        return FakeEmbedder


class TestWrapped(EmbedderSuite):
    @pytest.fixture
    def embedder(self) -> Make:
        return lambda: QueryCache(MicroBatching(Retrying(Sound(FakeEmbedder(), "It")), most=8))


class TestOpenVino(EmbedderSuite):
    @pytest.fixture
    def embedder(self, bert: Path) -> Make:
        return lambda: LocalEmbedder.load(bert, runtime="openvino", batch_tokens=128)


class TestOpenVinoXlmR(EmbedderSuite):
    @pytest.fixture
    def embedder(self, xlmr: Path) -> Make:
        return lambda: LocalEmbedder.load(xlmr, runtime="openvino", precision="f32", batch_tokens=128)


class TestOnnx(EmbedderSuite):
    @pytest.fixture
    def embedder(self, bert: Path) -> Make:
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed", exc_type=ImportError)
        return lambda: LocalEmbedder.load(bert, runtime="onnx", batch_tokens=128)


class TestSentenceTransformers(EmbedderSuite):
    """Over a stand-in for the library: torch is not part of the tests."""

    @pytest.fixture
    def embedder(self, monkeypatch: pytest.MonkeyPatch) -> Make:
        monkeypatch.setitem(sys.modules, "sentence_transformers", fake_sentence_transformers.module())
        return lambda: SentenceTransformersEmbedder.load("any")


class TestPooled(EmbedderSuite):
    @pytest.fixture
    def embedder(self, bert: Path) -> Make:
        def make() -> Embedder:
            return asyncio.run(_from_pool(bert)) if not _in_loop() else _get_in_thread(bert)

        return make


async def _from_pool(path: Path) -> Embedder:
    return await EmbedderPool().get(str(path))


def _get_in_thread(path: Path) -> Embedder:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(_from_pool(path))).result()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
