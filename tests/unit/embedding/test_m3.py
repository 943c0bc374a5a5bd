"""The heads of BGE-M3 against the arithmetic of its reference implementation, written down here in NumPy.

From FlagEmbedding (`BGEM3ForInference` and `BGEM3FlagModel.encode`): token weights are ``relu(sparse_linear(hidden))``,
of each token id the largest counts, and those of the special tokens are dropped; token vectors are
``normalize(colbert_linear(hidden[1:]))``; the score of a pair is the mean over the query's vectors of the largest
product with one of the passage's.
"""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding import LocalEmbedder, M3Model, late_interaction
from kaynak.embedding.torch_file import read_entries
from kaynak.embedding.weights import Weights
from kaynak.testing.tiny_m3 import pickled, write_tiny_m3, write_torch_file
from kaynak.testing.tiny_model import write_tiny_model

pytestmark = pytest.mark.anyio

TEXTS = ["the cat sat on the mat", "a river", "the 東 cat far from the cat", "", "red " * 100]
UNUSED = {0, 1, 2, 3}  # <s> <pad> </s> <unk>


@pytest.fixture(params=["openvino", "onnx"])
def runtime(request):
    pytest.importorskip("onnxruntime" if request.param == "onnx" else "openvino")
    return request.param


@pytest.fixture
async def loaded(tmp_path, runtime):
    model = M3Model.load(write_tiny_m3(tmp_path / "m3"), precision="f32", runtime=runtime)
    yield model, tmp_path
    await model.close()


def hidden_of(model, tmp_path, token_vectors, text):
    """Returns the token ids of a text and the vectors of the encoder for them."""
    plain = tmp_path / "plain"
    if not plain.exists():
        write_tiny_m3(plain, weights="safetensors", heads="safetensors")  # the same seed, so the same weights
    (row,) = model._tokenizer.encode([text], 32)
    return plain, row, token_vectors(plain, row)


def reference_sparse(plain, row, hidden):
    head = load_file(plain / "sparse_linear.safetensors")
    weights = np.maximum(hidden @ head["weight"].T + head["bias"], 0)[:, 0]
    found = {}
    for token, weight in zip(row, weights, strict=True):
        if token not in UNUSED and weight > 0:
            found[token] = max(found.get(token, 0), weight)
    return found


def reference_vectors(plain, hidden):
    head = load_file(plain / "colbert_linear.safetensors")
    vectors = hidden[1:] @ head["weight"].T + head["bias"]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["query", "document"])
async def test_lexical_weights_equal_the_reference(loaded, token_vectors, kind):
    model, tmp_path = loaded
    found = await model.embed_sparse(TEXTS, kind)
    assert len(found) == len(TEXTS)
    for text, weights in zip(TEXTS, found, strict=True):
        plain, row, hidden = hidden_of(model, tmp_path, token_vectors, text)
        expected = reference_sparse(plain, row, hidden)
        assert weights.keys() == expected.keys()
        assert all(abs(weights[token] - expected[token]) < 1e-3 for token in expected)
    assert any(found)


async def test_late_interaction_equals_the_reference(loaded, token_vectors):
    model, tmp_path = loaded
    vectors = await model.embed_tokens(TEXTS, "document")
    expected = []
    for text, found in zip(TEXTS, vectors, strict=True):
        plain, row, hidden = hidden_of(model, tmp_path, token_vectors, text)
        expected.append(reference_vectors(plain, hidden))
        assert found.shape == (len(row) - 1, 32)
        assert np.allclose(found, expected[-1], atol=1e-3)
    for query in (0, 1):
        for passage in range(len(TEXTS)):
            score = sum(max(one @ other for other in expected[passage]) for one in expected[query])
            found = late_interaction(vectors[query], vectors[passage])
            assert abs(found - score / len(expected[query])) < 1e-3
    assert late_interaction(vectors[0], vectors[0]) > 0.999


async def test_company_and_order_do_not_matter(loaded):
    model, _ = loaded
    texts = [f"the {'big ' * (size % 7)}cat" for size in range(40)]
    together = await model.embed_sparse(texts, "document")
    for at in (0, 13, 39):
        (alone,) = await model.embed_sparse([texts[at]], "document")
        assert alone.keys() == together[at].keys()
        assert all(abs(alone[token] - together[at][token]) < 1e-3 for token in alone)
    assert await model.embed_sparse([], "query") == []


async def test_the_dense_head_is_that_of_any_such_directory(tmp_path, reference):
    directory = write_tiny_m3(tmp_path / "m3")
    plain = write_tiny_m3(tmp_path / "plain", weights="safetensors")
    embedder = LocalEmbedder.load(directory, precision="f32")
    rows = embedder._tokenizer.encode(TEXTS, 32)
    assert np.allclose(await embedder.embed(TEXTS, "document"), reference(plain, rows, "cls"), atol=1e-3)
    await embedder.close()


async def test_all_formats_give_the_same(tmp_path):
    found = []
    for weights in ("safetensors", "torch"):
        for heads in ("safetensors", "torch"):
            directory = write_tiny_m3(tmp_path / f"{weights}-{heads}", weights=weights, heads=heads)
            model = M3Model.load(directory, precision="f32")
            found.append((await model.embed_sparse(TEXTS, "query"), await model.embed_tokens(TEXTS[:1], "query")))
            await model.close()
    assert all(one[0] == found[0][0] and np.array_equal(one[1][0], found[0][1][0]) for one in found)


async def test_other_heads_are_another_model(tmp_path):
    directory = write_tiny_m3(tmp_path / "m3")
    first = M3Model.load(directory)
    write_torch_file(
        directory / "sparse_linear.pt", {"weight": np.ones((1, 32), np.float32), "bias": np.zeros(1, np.float32)}
    )
    second = M3Model.load(directory)
    assert first.fingerprint != second.fingerprint
    for model in (first, second):
        await model.close()
    with pytest.raises(EmbedderUnavailable):
        await first.embed_sparse(["cat"], "query")


async def test_what_is_no_such_model_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match=r"sparse_linear\.pt"):
        M3Model.load(write_tiny_model(tmp_path / "plain", model_type="xlm-roberta"))
    directory = write_tiny_m3(tmp_path / "m3")
    write_torch_file(directory / "colbert_linear.pt", {"weight": np.zeros((32, 32), np.float32)})
    with pytest.raises(Misconfigured, match="bias"):
        M3Model.load(directory)
    (directory / "pytorch_model.bin").unlink()
    with pytest.raises(Misconfigured, match="no weights"):
        M3Model.load(directory)


async def test_nan_is_told(tmp_path):
    directory = write_tiny_m3(tmp_path / "m3")
    write_torch_file(
        directory / "colbert_linear.pt",
        {"weight": np.full((32, 32), np.nan, np.float32), "bias": np.zeros(32, np.float32)},
    )
    model = M3Model.load(directory)
    with pytest.raises(EmbedderUnavailable, match="NaN"):
        await model.embed_sparse(["cat"], "query")
    await model.close()


def test_files_of_torch(tmp_path):
    path = tmp_path / "some.pt"
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(4, dtype=np.float16),
        "c": np.array(7, dtype=np.int64),
    }
    write_torch_file(path, tensors)
    found = Weights([path])
    assert set(found) == set(tensors)
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def _write(path, pickle, *, compressed=False, storage=b"\0" * 64):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/data/0", storage)


ONE = {"a": np.zeros((4, 4), np.float32)}
PLAIN = pickled(ONE)
SIZES = b"J\x04\0\0\0J\x04\0\0\0t("
BAD = {
    "a call": (b"cos\nsystem\n(X\x04\x00\x00\x00truetR.", {}),
    "another function of torch": (PLAIN.replace(b"_rebuild_tensor_v2", b"_load_from_file_xx"), {}),
    "a builtin": (b"cbuiltins\neval\n(X\x01\x00\x00\x001tR.", {}),
    "compressed": (PLAIN, {"compressed": True}),
    "too few numbers": (PLAIN, {"storage": b"\0" * 60}),
    "no dictionary": (b"\x80\x02K\x01.", {}),
    "cut": (PLAIN[:40], {}),
    "empty": (b"", {}),
    "negative size": (PLAIN.replace(SIZES, b"J\xfc\xff\xff\xffJ\xfc\xff\xff\xfft("), {}),
    "a view": (PLAIN.replace(b"t(J\x04\0\0\0J\x01\0\0\0", b"t(J\x01\0\0\0J\x04\0\0\0"), {}),
    "sizes beyond all numbers": (
        PLAIN.replace(b"J\x04\0\0\0J\x04\0\0\0t(", b"\x8a\x05\0\0\0\0\x01\x8a\x05\0\0\0\0\x01t("),
        {},
    ),
    "no storage": (PLAIN.replace(b"storage", b"steerage"[:7]), {}),
}


@pytest.mark.parametrize("case", BAD)
def test_files_that_hold_more_or_less_than_tensors_are_refused(tmp_path, case):
    content, options = BAD[case]
    path = tmp_path / "bad.pt"
    _write(path, content, **options)
    with pytest.raises(ValueError):
        list(read_entries(path))
    with pytest.raises(Misconfigured, match=r"bad\.pt"):
        Weights([path])


def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "bad.pt"
    path.write_bytes(PLAIN)
    with pytest.raises(Misconfigured):
        Weights([path])
