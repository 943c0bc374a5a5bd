"""Every hosted embedder against the embedder suite, over a local server that is strict about the documented formats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from kaynak.embedding import Embedder, EmbedderPool
from kaynak.testing.embedding_suite import EmbedderSuite
from kaynak.testing.services import ServiceServer, hosted_options

Make = Callable[[], Embedder]


@pytest.fixture(scope="module")
def server() -> Iterator[ServiceServer]:
    with ServiceServer() as running:
        yield running


class _Hosted(EmbedderSuite):
    name: str
    api_version: str | None = None

    @pytest.fixture
    def embedder(self, server: ServiceServer) -> Iterator[Make]:
        pools: list[EmbedderPool] = []

        def make() -> Embedder:
            pool = EmbedderPool(hosted=hosted_options(server, api_version=self.api_version))
            pools.append(pool)
            return _in_thread(pool, self.name)

        yield make
        for pool in pools:
            asyncio.run(pool.close())


def _in_thread(pool: EmbedderPool, name: str) -> Embedder:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(pool.get(name))).result()


class TestOpenAI(_Hosted):
    name = "openai:text-embedding-3-small"


class TestOpenAIShortened(_Hosted):
    name = "openai:text-embedding-3-large@32"


class TestAzure(_Hosted):
    name = "azure:our-deployment"


class TestAzureDated(_Hosted):
    name = "azure:our-deployment"
    api_version = "2024-10-21"


class TestOpenRouter(_Hosted):
    name = "openrouter:openai/text-embedding-3-small"


class TestGemini(_Hosted):
    name = "gemini:gemini-embedding-001@48"


class TestGemini2(_Hosted):
    name = "gemini:gemini-embedding-2"


class TestOllama(_Hosted):
    name = "ollama:test-model"


class TestTei(_Hosted):
    name = "tei:test-model"


class TestHuggingFace(_Hosted):
    name = "huggingface:intfloat/multilingual-e5-large"
