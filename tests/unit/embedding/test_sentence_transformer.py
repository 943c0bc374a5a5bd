"""sentence-transformers, over a stand-in that enforces the documented calls: torch is not part of the tests."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import EmbedderPool
from kaynak.embedding.sentence_transformer import SentenceTransformersEmbedder
from kaynak.testing import fake_sentence_transformers
from kaynak.testing.models.listing import vector_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake_sentence_transformers.module())


def load(name="any"):
    return SentenceTransformersEmbedder.load(name)


async def test_kinds_are_told_by_the_prompts_of_the_model(library):
    plain, prompted = load(), load("prompted")
    for embedder, texts, names in (
        (plain, {"query": "cat", "document": "cat"}, ["document", "query", "document"]),
        (prompted, {"query": "query: cat", "document": "passage: cat"}, ["passage", "query", "passage"]),
    ):
        for kind, text in texts.items():
            (vector,) = await embedder.embed(["cat"], kind)
            assert vector @ vector_of(text, 48) > 0.999
        assert [name for _, name in embedder._model.calls] == names
        assert embedder.dimensions == 48
    assert plain.max_tokens == 126
    assert prompted.max_tokens == 124  # the prompts are two tokens
    assert plain.fingerprint != prompted.fingerprint
    for embedder in (plain, prompted):
        await embedder.close()


async def test_weights_make_the_fingerprint(library, monkeypatch):
    first, again = load(), load()
    assert first.fingerprint == again.fingerprint
    monkeypatch.setattr(
        fake_sentence_transformers.SentenceTransformer,
        "state_dict",
        lambda self: {"0.weight": fake_sentence_transformers.Tensor(self.weights * 2)},
    )
    other = load()
    assert other.fingerprint != first.fingerprint
    for embedder in (first, again, other):
        await embedder.close()


async def test_a_tokenizer_in_python_is_estimated(library):
    embedder = load("slow")
    assert embedder.tokenizer.estimated
    await embedder.close()


async def test_a_batch_that_fails_is_away(library):
    embedder = load()
    embedder._model.fails = True
    with pytest.raises(EmbedderUnavailable, match="out of memory"):
        await embedder.embed(["cat"], "document")
    await embedder.close()


async def test_what_cannot_be_loaded_is_told(library):
    with pytest.raises(Misconfigured, match="not a local folder"):
        load("broken")


async def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(Misconfigured) as caught:
        load()
    assert "kaynak[sentence-transformers]" in caught.value.hint


async def test_by_name(library):
    pool = EmbedderPool()
    embedder = await pool.get("st:any")
    vectors = await embedder.embed([f"cat {number}" for number in range(200)], "document")
    assert np.allclose(vectors, [vector_of(f"cat {number}", 48) for number in range(200)], atol=1e-5)
    assert await pool.price_of("st:any") == 0
    await pool.close()
