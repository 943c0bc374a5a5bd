from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from kaynak.reranking import open_reranker
from kaynak.testing.tiny_classifier import write_tiny_classifier
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio

PASSAGES = ["the cat sat", "a river is far", "the red dog"]


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
async def test_a_cross_encoder_equals_the_reference(tmp_path, token_vectors, model_type):
    """The logit of the head on the first token of the pair, through a sigmoid."""
    directory = write_tiny_classifier(tmp_path / "cross", model_type=model_type, labels=["LABEL_0"])
    bare = write_tiny_model(tmp_path / "bare", model_type=model_type)  # the same seed, so the same weights
    reranker = await open_reranker(f"cross:{directory}")
    found = await reranker.rerank("where is the cat", PASSAGES)
    tokenizer, tensors = reranker._classifier._tokenizer, load_file(directory / "model.safetensors")
    before, after = tokenizer.frame
    bert = model_type == "bert"
    inner, last = ("bert.pooler.dense", "classifier") if bert else ("classifier.dense", "classifier.out_proj")
    for passage, score in zip(PASSAGES, found, strict=True):
        opening = [*before, *tokenizer.bare("where is the cat"), *after, *([] if bert else after)]
        closing = [*tokenizer.bare(passage), *after]
        segments = [0] * len(opening) + [1] * len(closing) if bert else []
        vector = token_vectors(bare, [*opening, *closing], segments)[0]
        middle = np.tanh(vector @ tensors[f"{inner}.weight"].T + tensors[f"{inner}.bias"])
        (logit,) = middle @ tensors[f"{last}.weight"].T + tensors[f"{last}.bias"]
        assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=5e-3)
    await reranker.close()


async def test_of_a_pair_that_is_too_long_the_passage_is_cut(tmp_path):
    directory = write_tiny_classifier(tmp_path, labels=["LABEL_0"], max_tokens=32)
    reranker = await open_reranker(f"cross:{directory}")
    query = "the cat sat on the mat and the dog"
    whole, cut = await reranker.rerank(query, ["red " * 100, "red " * 20])
    assert whole == pytest.approx(cut, abs=1e-3)
    ids, _ = reranker._classifier._row(query, "red " * 100)
    assert len(ids) == 32
    assert reranker._classifier._tokenizer.bare(query) == ids[1:10]
    await reranker.close()
