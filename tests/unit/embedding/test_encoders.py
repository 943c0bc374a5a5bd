from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from kaynak.domain import Misconfigured
from kaynak.embedding.batches import to_arrays
from kaynak.embedding.runtime import RuntimeName, load_runtime
from kaynak.embedding.spec import ModelSpec, read_spec
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.testing.tiny_model import write_tiny_model

Reference = Callable[..., NDArray[Any]]
TEXTS = ["the cat sat on the mat", "a", "stone of the red river, far and big!", "", "zz9 ran"]


@pytest.fixture(params=["openvino", "onnx"])
def runtime(request: pytest.FixtureRequest) -> RuntimeName:
    if request.param == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed", exc_type=ImportError)
    return request.param


def _run(directory: Path, runtime: RuntimeName, precision: str = "f32") -> tuple[NDArray[Any], list[list[int]]]:
    spec = read_spec(directory)
    tokenizer = ModelTokenizer.load(directory, padding_id=spec.padding_id)
    rows = tokenizer.encode(TEXTS, spec.max_tokens)
    loaded = load_runtime(spec, threads=1, precision=precision, runtime=runtime)  # type: ignore[arg-type]
    return loaded.run(*to_arrays(rows, spec.padding_id, 24)), rows


@pytest.mark.parametrize("model_type", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken"])
def test_equals_the_reference(
    tmp_path: Path, runtime: RuntimeName, reference: Reference, model_type: Any, pooling: str
) -> None:
    directory = write_tiny_model(tmp_path, model_type=model_type, pooling=pooling)
    vectors, rows = _run(directory, runtime)
    assert np.allclose(vectors, reference(directory, rows, pooling), atol=2e-4)


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_equals_the_reference_with_other_activations(
    tmp_path: Path, runtime: RuntimeName, reference: Reference, activation: str
) -> None:
    directory = write_tiny_model(tmp_path, config={"hidden_act": activation})
    vectors, rows = _run(directory, runtime)
    assert np.allclose(vectors, reference(directory, rows), atol=1e-3)


def test_layer_after_pooling_and_prefixed_names(tmp_path: Path, runtime: RuntimeName, reference: Reference) -> None:
    directory = write_tiny_model(tmp_path, dense=16, prefix="bert.")
    vectors, rows = _run(directory, runtime)
    assert vectors.shape == (len(TEXTS), 16)
    assert np.allclose(vectors, reference(directory, rows), atol=2e-4)


def test_several_poolings_are_concatenated(tmp_path: Path, runtime: RuntimeName, reference: Reference) -> None:
    directory = write_tiny_model(tmp_path)
    poolings = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(poolings))
    vectors, rows = _run(directory, runtime)
    assert vectors.shape == (len(TEXTS), 64)
    first = vectors[:, :32] / np.linalg.norm(vectors[:, :32], axis=1, keepdims=True)
    assert np.allclose(first, reference(directory, rows, "cls"), atol=2e-4)


def test_bf16_is_close(tmp_path: Path, reference: Reference) -> None:
    directory = write_tiny_model(tmp_path)
    vectors, rows = _run(directory, "openvino", "auto")
    assert ((vectors * reference(directory, rows)).sum(axis=1) > 0.999).all()


@pytest.mark.parametrize("stored", ["float16", "old-names", "sharded"])
def test_weights_as_they_come(tmp_path: Path, runtime: RuntimeName, reference: Reference, stored: str) -> None:
    directory = write_tiny_model(tmp_path / "model")
    plain = write_tiny_model(tmp_path / "plain")
    tensors = load_file(directory / "model.safetensors")
    if stored == "float16":
        save_file({name: value.astype(np.float16) for name, value in tensors.items()}, directory / "model.safetensors")
    elif stored == "old-names":
        renamed = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for name, value in tensors.items()
        }
        save_file(renamed, directory / "model.safetensors")
    else:
        (directory / "model.safetensors").unlink()
        names = sorted(tensors)
        parts = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
        for file, part in parts.items():
            save_file({name: tensors[name] for name in part}, directory / file)
        index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
        (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    vectors, rows = _run(directory, runtime)
    assert np.allclose(vectors, reference(plain, rows), atol=2e-3)


def _finished_graph(spec: ModelSpec, directory: Path, kind: str) -> None:
    """Replaces the weights by a graph of the token vectors or of the sentence vectors."""
    from kaynak.embedding.encoder import build_encoder
    from kaynak.embedding.onnx_runtime import OnnxOps
    from kaynak.embedding.openvino_runtime import OpenVinoOps
    from kaynak.embedding.weights import Weights

    weights = Weights(list(spec.weights))
    if kind == "onnx":
        ops = OnnxOps()
        ops.file.output(build_encoder(ops, spec, weights), 2)
        (directory / "onnx").mkdir()
        (directory / "onnx" / "model.onnx").write_bytes(ops.file.finish())
    else:
        import openvino as ov

        nodes = OpenVinoOps()
        nodes.pool = lambda _kind, value, _mask: value  # type: ignore[method-assign]
        nodes.unit = lambda value: value  # type: ignore[method-assign]
        model = ov.Model([build_encoder(nodes, spec, weights).output(0)], nodes.inputs)
        ov.save_model(model, directory / "openvino_model.xml", compress_to_fp16=False)
    (directory / "model.safetensors").unlink()


def test_openvino_file_in_the_directory(tmp_path: Path, reference: Reference) -> None:
    directory = write_tiny_model(tmp_path / "graph")
    plain = write_tiny_model(tmp_path / "plain")
    spec = read_spec(directory)
    # Token vectors come out of it, so that pooling is left to do.
    _finished_graph(spec, directory, "openvino")
    vectors, rows = _run(directory, "openvino")
    assert np.allclose(vectors, reference(plain, rows), atol=1e-3)


def test_onnx_file_in_the_directory(tmp_path: Path, runtime: RuntimeName, reference: Reference) -> None:
    directory = write_tiny_model(tmp_path / "graph")
    plain = write_tiny_model(tmp_path / "plain")
    _finished_graph(read_spec(directory), directory, "onnx")
    vectors, rows = _run(directory, runtime)
    assert np.allclose(vectors, reference(plain, rows), atol=1e-3)


def test_onnx_runtime_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed", exc_type=ImportError)
    directory = write_tiny_model(tmp_path)
    spec = read_spec(directory)
    with pytest.raises(Misconfigured, match="f32"):
        load_runtime(spec, threads=1, precision="bf16", runtime="onnx")
    _finished_graph(spec, directory, "openvino")
    with pytest.raises(Misconfigured, match="OpenVINO file"):
        load_runtime(read_spec(directory), threads=1, precision="auto", runtime="onnx")


def test_missing_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = read_spec(write_tiny_model(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Misconfigured) as caught:
        load_runtime(spec, threads=1, precision="auto", runtime="auto")
    assert "kaynak[onnx]" in str(caught.value.hint)


def test_precision_the_cpu_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kaynak.embedding import openvino_runtime

    class Core:
        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32"]

    assert openvino_runtime.cpu_precision(Core(), "auto") == "f32"
    with pytest.raises(Misconfigured, match="bf16"):
        openvino_runtime.cpu_precision(Core(), "bf16")


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_damaged_graph(tmp_path: Path, kind: RuntimeName) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed", exc_type=ImportError)
    directory = write_tiny_model(tmp_path)
    (directory / "model.safetensors").unlink()
    (directory / "model.onnx").write_bytes(b"\x08\x07 not a model")
    with pytest.raises(Misconfigured, match="cannot load"):
        load_runtime(read_spec(directory), threads=1, precision="auto", runtime=kind)


def test_missing_tensor(tmp_path: Path, runtime: RuntimeName) -> None:
    directory = write_tiny_model(tmp_path)
    tensors = load_file(directory / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, directory / "model.safetensors")
    with pytest.raises(Misconfigured, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        _run(directory, runtime)
