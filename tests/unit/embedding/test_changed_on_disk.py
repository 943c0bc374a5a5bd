"""A model whose files change while it is in use is noticed, and vectors that are none are not let through."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import EmbedderPool, check_fingerprint
from kaynak.embedding.soundness import Sound, sound
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool():
    opened = EmbedderPool(threads=1, watch_seconds=0.0)
    yield opened
    await opened.close()


async def test_another_model_in_the_same_place_is_loaded_and_told_apart(tmp_path, pool):
    directory = write_tiny_model(tmp_path / "model", seed=1)
    first = await pool.get(str(directory))
    assert await pool.get(str(directory)) is first
    check_fingerprint(first, first.fingerprint)
    (old,) = await first.embed(["the cat"], "document")
    shutil.rmtree(directory)
    write_tiny_model(directory, seed=2)
    second = await pool.get(str(directory))
    assert second is not first
    with pytest.raises(Misconfigured, match="not the one") as caught:
        check_fingerprint(second, first.fingerprint)
    assert "kaynak index build" in caught.value.hint
    # Whoever has the old one in hand goes on with it.
    assert (await first.embed(["the dog", "the cat"], "document"))[1] @ old > 0.999
    await first.close()


async def test_the_old_model_put_back_is_the_old_model(tmp_path, pool):
    directory = write_tiny_model(tmp_path / "model", seed=1)
    found = [await pool.get(str(directory))]
    for seed in (2, 1):
        write_tiny_model(directory, seed=seed)
        found.append(await pool.get(str(directory)))
    assert found[0].fingerprint == found[2].fingerprint != found[1].fingerprint
    for embedder in found[:2]:
        await embedder.close()


async def test_half_a_model_is_not_used(tmp_path, pool):
    directory = write_tiny_model(tmp_path / "model", seed=1)
    first = await pool.get(str(directory))
    whole = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(Misconfigured):
            await pool.get(str(directory))
    (directory / "model.safetensors").write_bytes(whole)
    assert (await pool.get(str(directory))).fingerprint == first.fingerprint
    await first.close()


async def test_files_are_not_looked_at_for_every_query(tmp_path):
    pool = EmbedderPool(threads=1, watch_seconds=3600)
    directory = write_tiny_model(tmp_path / "model", seed=1)
    first = await pool.get(str(directory))
    shutil.rmtree(directory)
    assert await pool.get(str(directory)) is first
    await pool.close()


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ([[1.0, float("nan")]], EmbedderUnavailable, "NaN"),
        ([[1.0, float("inf")]], EmbedderUnavailable, "NaN"),
        ([[0.0, 0.0]], EmbedderUnavailable, "zeros"),
        ([[1.0, 2.0, 3.0]], Misconfigured, "3 dimensions in place of 2"),
        ([[1.0, 2.0], [1.0, 2.0]], EmbedderUnavailable, "2 vectors for 1"),
        ([], EmbedderUnavailable, "0 vectors for 1"),
        ([[[1.0, 2.0]]], Misconfigured, "single"),
        ([["a", "b"]], EmbedderUnavailable, "rows of numbers"),
    ],
    ids=["nan", "inf", "zero", "size", "many", "few", "tokens", "words"],
)
def test_vectors_that_are_none(rows, error, says):
    with pytest.raises(error, match=says):
        sound(rows, 1, 2, "It")


async def test_vectors_are_looked_at_whatever_the_model(monkeypatch):
    inner = FakeEmbedder()
    embedder = Sound(inner, "It")
    assert (await embedder.embed(["cat"], "query")).shape == (1, 64)
    assert (await embedder.embed([], "query")).shape == (0, 64)
    monkeypatch.setattr(inner, "_vector", lambda text: np.full(64, np.nan, np.float32))
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed(["cat"], "document")
    await embedder.close()
