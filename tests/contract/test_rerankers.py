"""Every re-ranker against the re-ranker suite; services over a local server that is strict about their formats."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaynak.reranking import Reranker, RerankerOptions, open_reranker
from kaynak.testing.reranking_suite import RerankerSuite
from kaynak.testing.services import KEY, ServiceServer
from kaynak.testing.tiny_classifier import write_tiny_classifier
from kaynak.testing.tiny_m3 import write_tiny_m3

Make = Callable[[], Coroutine[Any, Any, Reranker]]


@pytest.fixture(scope="module")
def server() -> Iterator[ServiceServer]:
    with ServiceServer() as running:
        yield running


class TestCrossBert(RerankerSuite):
    @pytest.fixture
    def reranker(self, tmp_path: Path) -> Make:
        directory = write_tiny_classifier(tmp_path, labels=["LABEL_0"])
        return lambda: open_reranker(f"cross:{directory}")


class TestCrossXlmR(RerankerSuite):
    @pytest.fixture
    def reranker(self, tmp_path: Path) -> Make:
        directory = write_tiny_classifier(tmp_path, model_type="xlm-roberta", labels=["LABEL_0"])
        return lambda: open_reranker(f"cross:{directory}")


class TestColbert(RerankerSuite):
    @pytest.fixture
    def reranker(self, tmp_path: Path) -> Make:
        directory = write_tiny_m3(tmp_path)
        return lambda: open_reranker(f"colbert:{directory}")


class _Hosted(RerankerSuite):
    name: str

    @pytest.fixture
    def reranker(self, server: ServiceServer) -> Make:
        async def keys(_: str) -> str | None:
            return KEY

        urls = {name: server.url(name) for name in ("cohere", "jina")}
        options = RerankerOptions(keys=keys, urls=urls)
        return lambda: open_reranker(self.name.replace("SERVER", server.url("tei")), options)


class TestCohere(_Hosted):
    name = "cohere:rerank-v3.5"


class TestJina(_Hosted):
    name = "jina:jina-reranker-v3"


class TestTei(_Hosted):
    name = "tei:SERVER"
