from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kaynak.domain import Misconfigured
from kaynak.embedding.fingerprint import fingerprint_of
from kaynak.embedding.spec import Pooling, read_spec
from kaynak.embedding.weights import Weights
from kaynak.testing.tiny_model import write_tiny_model


def test_reads_what_the_directory_says(tmp_path: Path) -> None:
    prompts = {"query": "ask: ", "passage": "tell: "}
    spec = read_spec(write_tiny_model(tmp_path, model_type="xlm-roberta", pooling="cls", prompts=prompts))
    assert spec.pooling == (Pooling.CLS,)
    assert spec.position_offset == 2
    assert spec.max_tokens == 32
    assert spec.prompts == {"query": "ask: ", "document": "tell: "}


def test_a_bare_transformer_pools_by_mean(tmp_path: Path) -> None:
    directory = write_tiny_model(tmp_path)
    (directory / "modules.json").unlink()
    (directory / "sentence_bert_config.json").unlink()
    spec = read_spec(directory)
    assert spec.pooling == (Pooling.MEAN,)
    assert spec.max_tokens == 32


def test_pooling_mode_as_one_word(tmp_path: Path) -> None:
    directory = write_tiny_model(tmp_path)
    (directory / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": "lasttoken"}))
    assert read_spec(directory).pooling == (Pooling.LAST,)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "t5", "architectures": ["T5EncoderModel"]}, "T5EncoderModel"),
        ({"model_type": "modernbert", "architectures": None}, "modernbert"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"hidden_act": "swiglu"}, "swiglu"),
        ({"is_decoder": True}, "decoder"),
        ({"num_hidden_layers": None}, "num_hidden_layers"),
    ],
)
def test_names_what_it_cannot_load(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        read_spec(write_tiny_model(tmp_path, config=config))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("modules.json", '[{"idx": 0, "path": "", "type": "x.CLIPModel"}]', "CLIPModel"),
        ("modules.json", "[]", "nothing"),
        ("modules.json", "{", "modules.json"),
        ("modules.json", '[{"idx": 0}]', "modules.json"),
        ("config.json", "[]", "not a JSON object"),
        ("config.json", "\x00", "cannot be read"),
        ("1_Pooling/config.json", '{"pooling_mode_weightedmean_tokens": true}', "weightedmean"),
        ("2_Dense/config.json", '{"activation_function": "x.Swish"}', "Swish"),
    ],
)
def test_damaged_or_strange_descriptions(tmp_path: Path, file: str, content: str, says: str) -> None:
    directory = write_tiny_model(tmp_path, dense=8)
    (directory / file).write_text(content)
    with pytest.raises(Misconfigured, match=says):
        read_spec(directory)


@pytest.mark.parametrize(
    "file", ["config.json", "model.safetensors", "1_Pooling/config.json", "2_Dense/model.safetensors"]
)
def test_missing_files(tmp_path: Path, file: str) -> None:
    directory = write_tiny_model(tmp_path, dense=8)
    (directory / file).unlink()
    with pytest.raises(Misconfigured):
        read_spec(directory)


@pytest.mark.parametrize(
    "content",
    [b"", b"1234567", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"[:9], b"\x10\0\0\0\0\0\0\0" + b"[1,2,3,4,5,6,7]  ",
     b"\x45\0\0\0\0\0\0\0" + b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}       ',
     b"\x45\0\0\0\0\0\0\0" + b'{"a": {"dtype": "F8", "shape": [4], "data_offsets": [0, 16]}}        ' + b"\0" * 16],
    ids=["empty", "short", "long-header", "cut-header", "list", "outside", "type"],
)  # fmt: skip
def test_damaged_weights(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"model\.safetensors"):
        Weights([path])


def test_bf16_weights(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\xc0")
    weights = Weights([path])
    assert weights["a"].tolist() == [[1.0], [-2.0]]
    assert list(weights) == ["a"]
    assert len(weights) == 1
    weights.release()
    assert weights["a"].tolist() == [[1.0], [-2.0]]


def test_fingerprint_changes_with_what_shapes_vectors(tmp_path: Path) -> None:
    def of(name: str, **options: Any) -> str:
        return fingerprint_of(read_spec(write_tiny_model(tmp_path / name, **options)), "tokenizer")

    prints = {
        "same": of("a"),
        "seed": of("b", seed=1),
        "pooling": of("c", pooling="cls"),
        "prompts": of("d", prompts={"query": "q: "}),
        "cut": of("e", max_tokens=16),
        "dense": of("f", dense=8),
        "epsilon": of("g", config={"layer_norm_eps": 1e-6}),
    }
    assert len(set(prints.values())) == len(prints)
    assert of("h") == prints["same"]
    assert fingerprint_of(read_spec(tmp_path / "a"), "another") != prints["same"]


def test_one_changed_byte_changes_the_fingerprint(tmp_path: Path) -> None:
    directory = write_tiny_model(tmp_path)
    before = fingerprint_of(read_spec(directory), "t")
    content = bytearray((directory / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "model.safetensors").write_bytes(content)
    assert fingerprint_of(read_spec(directory), "t") != before
