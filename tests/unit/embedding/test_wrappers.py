from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import Kind, MicroBatching, QueryCache, Retrying
from kaynak.testing.fake_embedder import FakeEmbedder


class Slow(FakeEmbedder):
    """Takes a moment, as a model does, so that callers meet."""

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        await asyncio.sleep(0.005)
        return await super().embed(texts, kind)


def test_queries_meanwhile_are_joined() -> None:
    async def run() -> list[int]:
        inner = Slow()
        embedder = MicroBatching(inner, most=16)
        await asyncio.gather(*(embedder.embed([f"dog {number}"], "query") for number in range(40)))
        return [len(texts) for texts, _ in inner.calls]

    sizes = asyncio.run(run())
    assert sum(sizes) == 40
    assert max(sizes) == 16
    assert len(sizes) <= 4


def test_documents_and_large_calls_are_not_joined() -> None:
    async def run() -> list[tuple[int, Kind]]:
        inner = Slow()
        embedder = MicroBatching(inner, most=4)
        await asyncio.gather(
            embedder.embed(["a"], "document"), embedder.embed(["b"], "document"), embedder.embed(["c"] * 4, "query")
        )
        return [(len(texts), kind) for texts, kind in inner.calls]

    assert sorted(asyncio.run(run())) == [(1, "document"), (1, "document"), (4, "query")]


def test_an_error_reaches_all_it_concerns_and_no_others() -> None:
    async def run() -> list[object]:
        inner = Slow()
        inner.failures = [EmbedderUnavailable("away")]
        embedder = MicroBatching(inner, most=2)
        return list(
            await asyncio.gather(*(embedder.embed([str(n)], "query") for n in range(4)), return_exceptions=True)
        )

    results = asyncio.run(run())
    assert [isinstance(result, EmbedderUnavailable) for result in results] == [True, True, False, False]


def test_all_callers_left() -> None:
    async def run() -> int:
        inner = Slow()
        embedder = MicroBatching(inner)
        first = asyncio.create_task(embedder.embed(["first"], "query"))
        await asyncio.sleep(0)
        others = [asyncio.create_task(embedder.embed([str(n)], "query")) for n in range(3)]
        await asyncio.sleep(0)
        for task in others:
            task.cancel()
        await asyncio.gather(first, *others, return_exceptions=True)
        await embedder.embed(["last"], "query")
        return len(inner.calls)

    assert asyncio.run(run()) == 2


def test_cache_remembers_queries_only() -> None:
    async def run() -> list[tuple[str, ...]]:
        inner = FakeEmbedder()
        embedder = QueryCache(inner)
        first = await embedder.embed(["red", "blue"], "query")
        second = await embedder.embed(["blue", "green", "red"], "query")
        assert np.array_equal(second[[2, 0]], first)
        first[:] = 0  # what a caller does to its copy is its own affair
        assert np.linalg.norm((await embedder.embed(["red"], "query"))[0]) > 0.9
        await embedder.embed(["red"], "document")
        await embedder.embed(["red"], "document")
        return [texts for texts, _ in inner.calls]

    assert asyncio.run(run()) == [("red", "blue"), ("green",), ("red",), ("red",)]


def test_cache_forgets_the_least_recently_used() -> None:
    async def run() -> list[tuple[str, ...]]:
        inner = FakeEmbedder(dimensions=8)
        embedder = QueryCache(inner, max_bytes=2 * (8 * 4 + 200))
        for text in ["a", "b", "a", "c", "a", "b"]:
            await embedder.embed([text], "query")
        return [texts for texts, _ in inner.calls]

    assert asyncio.run(run()) == [("a",), ("b",), ("c",), ("b",)]


def test_retries_what_is_transient() -> None:
    async def run() -> int:
        inner = FakeEmbedder()
        inner.failures = [EmbedderUnavailable("away"), EmbedderUnavailable("away")]
        await Retrying(inner, attempts=3, first_wait=0).embed(["a"], "document")
        return len(inner.calls)

    assert asyncio.run(run()) == 3


@pytest.mark.parametrize(("failures", "calls"), [([EmbedderUnavailable("away")] * 3, 3), ([Misconfigured("never")], 1)])
def test_gives_up(failures: list[Exception], calls: int) -> None:
    async def run() -> int:
        inner = FakeEmbedder()
        inner.failures = list(failures)
        with pytest.raises(type(failures[0])):
            await Retrying(inner, attempts=3, first_wait=0).embed(["a"], "document")
        return len(inner.calls)

    assert asyncio.run(run()) == calls
