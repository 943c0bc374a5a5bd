from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import PairClassifier
from kaynak.testing.tiny_classifier import write_tiny_classifier
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio

PAIRS = [("the cat sat on the mat", "a cat sat"), ("the river ran", "the dog is big and the stone is small"), ("", "")]


@pytest.fixture(params=["openvino", "onnx"])
def runtime(request):
    pytest.importorskip("onnxruntime" if request.param == "onnx" else "openvino")
    return request.param


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
async def test_equals_the_reference(tmp_path, runtime, token_vectors, model_type):
    directory = write_tiny_classifier(tmp_path / "nli", model_type=model_type)
    classifier = PairClassifier.load(directory, precision="f32", runtime=runtime)
    likely = await classifier.classify(PAIRS)
    assert np.allclose(likely.sum(axis=1), 1, atol=1e-5)
    tensors = load_file(directory / "model.safetensors")
    bert = model_type == "bert"
    bare = tmp_path / "bare"
    write_tiny_model(bare, model_type=model_type)  # the same seed, so the same weights, under plain names
    before, after = classifier._tokenizer.frame
    for (first, second), found in zip(PAIRS, likely, strict=True):
        left, right = (classifier._tokenizer.bare(text) for text in (first, second))
        opening = [*before, *left, *after, *([] if bert else after)]
        closing = [*right, *after]
        segments = [0] * len(opening) + [1] * len(closing) if bert else []
        vector = token_vectors(bare, [*opening, *closing], segments)[0]
        inner = "bert.pooler.dense" if bert else "classifier.dense"
        last = "classifier" if bert else "classifier.out_proj"
        middle = np.tanh(vector @ tensors[f"{inner}.weight"].T + tensors[f"{inner}.bias"])
        scores = middle @ tensors[f"{last}.weight"].T + tensors[f"{last}.bias"]
        expected = np.exp(scores - scores.max())
        assert np.allclose(found, expected / expected.sum(), atol=1e-3)
    await classifier.close()


async def test_one_at_a_time_or_together_is_the_same(tmp_path):
    classifier = PairClassifier.load(write_tiny_classifier(tmp_path), precision="f32")
    together = await classifier.classify(PAIRS)
    alone = np.vstack([await classifier.classify([pair]) for pair in PAIRS])
    assert np.allclose(together, alone, atol=1e-4)
    assert (await classifier.classify([])).shape == (0, 3)
    await classifier.close()
    with pytest.raises(EmbedderUnavailable):
        await classifier.classify(PAIRS)


async def test_long_pairs_are_cut_and_long_texts_split_with_overlap(tmp_path):
    classifier = PairClassifier.load(write_tiny_classifier(tmp_path, max_tokens=24))
    long = " ".join(["the cat sat on the red mat and the dog ran far"] * 9)
    assert (await classifier.classify([(long, "a cat"), ("a cat", long), (long, long)])).shape == (3, 3)
    parts = classifier.split(long, "a cat sat")
    assert len(parts) > 3
    assert parts[0] == long[: len(parts[0])]
    assert long.endswith(parts[-1])
    assert all(part in long for part in parts)
    assert classifier.split("a cat", "a cat") == ["a cat"]
    await classifier.close()


def test_what_is_no_classifier_is_refused_with_a_reason(tmp_path):
    with pytest.raises(Misconfigured, match="names no classes"):
        PairClassifier.load(write_tiny_model(tmp_path / "plain"))
    headless = write_tiny_model(tmp_path / "headless")
    config = json.loads((headless / "config.json").read_text())
    (headless / "config.json").write_text(json.dumps(config | {"id2label": {"0": "a", "1": "b"}}))
    with pytest.raises(Misconfigured, match="lack the tensor"):
        PairClassifier.load(headless)
    with pytest.raises(Misconfigured, match="not a model directory"):
        PairClassifier.load(tmp_path / "nowhere")
