"""What stands around a model that weighs tokens."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from kaynak.catalog.token_weights import pack_weights, unpack_weights
from kaynak.domain import EmbedderUnavailable, Misconfigured, Unsupported
from kaynak.embedding import EmbedderPool, M3Model
from kaynak.embedding.sparse import SoundSparse, SparseQueryCache
from kaynak.testing.fake_sparse import FakeSparseEmbedder, token
from kaynak.testing.tiny_m3 import write_tiny_m3, write_torch_file
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool():
    made = EmbedderPool(threads=1, watch_seconds=0)
    yield made
    await made.close()


async def test_a_model_weighs_beside_its_vectors(pool: EmbedderPool, tmp_path: Path) -> None:
    name = str(write_tiny_m3(tmp_path / "m3", seed=5))
    weigher = await pool.sparse(name)
    assert await pool.sparse(name) is weigher
    assert weigher.fingerprint.startswith((await pool.get(name)).fingerprint + "-")
    alone = M3Model.load(tmp_path / "m3", threads=1)
    texts = ["the cat sat on the mat", "a river", ""]
    found = await weigher.embed_sparse(texts, "document")
    assert found == await alone.embed_sparse(texts, "document")
    assert found[0]
    await alone.close()


async def test_another_head_on_disk_is_noticed(pool: EmbedderPool, tmp_path: Path) -> None:
    directory = write_tiny_m3(tmp_path / "m3")
    dense, first = await pool.get(str(directory)), await pool.sparse(str(directory))
    head = {"weight": np.ones((1, 32), np.float32), "bias": np.full(1, 0.5, np.float32)}
    write_torch_file(directory / "sparse_linear.pt", head)
    second = await pool.sparse(str(directory))
    assert second.fingerprint != first.fingerprint
    assert (await pool.get(str(directory))).fingerprint == dense.fingerprint


async def test_what_weighs_nothing_is_refused(pool: EmbedderPool, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="sparse_linear"):
        await pool.sparse(str(write_tiny_model(tmp_path / "plain")))
    with pytest.raises(Unsupported):
        await pool.sparse("st:BAAI/bge-m3")


async def test_a_closed_pool_weighs_nothing(tmp_path: Path) -> None:
    pool = EmbedderPool(threads=1)
    weigher = await pool.sparse(str(write_tiny_m3(tmp_path / "m3")))
    await pool.close()
    with pytest.raises(EmbedderUnavailable):
        await weigher.embed_sparse(["cat"], "query")
    with pytest.raises(EmbedderUnavailable):
        await pool.sparse(str(tmp_path / "m3"))


async def test_queries_are_remembered_and_passages_are_not() -> None:
    inner = FakeSparseEmbedder()
    cache = SparseQueryCache(inner, most=2)
    first = await cache.embed_sparse(["herons", "otters", "herons"], "query")
    assert first[0] == first[2] == {token("herons"): 6 / 32}
    assert await cache.embed_sparse(["otters"], "query") == first[1:2]
    assert inner.calls == [(("herons", "otters"), "query")]
    await cache.embed_sparse(["badgers", "otters"], "query")
    await cache.embed_sparse(["herons"], "query")  # went first
    assert [texts for texts, _ in inner.calls] == [("herons", "otters"), ("badgers",), ("herons",)]
    await cache.embed_sparse(["herons"], "document")
    assert inner.calls[-1] == (("herons",), "document")
    assert await cache.embed_sparse([], "query") == []


async def test_only_sound_weights_come_through() -> None:
    inner = FakeSparseEmbedder()
    sound = SoundSparse(inner, "The model")
    assert await sound.embed_sparse(["herons"], "query") == [{token("herons"): 6 / 32}]
    for odd in (math.nan, math.inf, 0.0, -1.0):
        inner.odd = {"herons": odd}
        with pytest.raises(EmbedderUnavailable, match="The model"):
            await sound.embed_sparse(["herons"], "query")


def test_weights_are_kept_in_six_bytes_a_token() -> None:
    weights = {250_001: 0.25, 7: 0.3, 2**32 - 1: 65_504.0, 9: 1e-9}
    stored = pack_weights(weights)
    assert len(stored) == 3 * 6  # the least is none
    tokens, values = unpack_weights(stored)
    assert tokens.tolist() == [7, 250_001, 2**32 - 1]
    assert values.tolist() == pytest.approx([0.3, 0.25, 65_504.0], rel=1e-3)
    assert unpack_weights(pack_weights({}))[0].tolist() == []
