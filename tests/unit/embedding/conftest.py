"""An encoder in plain NumPy, written from the papers, against which the runtimes are compared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

Rows = Sequence[Sequence[int]]
_erf = np.vectorize(math.erf)


def _norm(x: NDArray[Any], scale: NDArray[Any], shift: NDArray[Any], epsilon: float) -> NDArray[Any]:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + epsilon) * scale + shift


def _gelu(x: NDArray[Any], kind: str) -> NDArray[Any]:
    if kind == "gelu":
        return 0.5 * x * (1 + _erf(x / math.sqrt(2)))
    if kind == "relu":
        return np.maximum(x, 0)
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _encode(directory: Path, row: Sequence[int], segments: Sequence[int] = ()) -> NDArray[Any]:
    """Token vectors (T, H) of one text; no padding, so no mask is needed."""
    config = json.loads((directory / "config.json").read_text())
    tensors = {
        name.removeprefix("bert."): value.astype(np.float64)
        for name, value in load_file(directory / "model.safetensors").items()
    }
    epsilon = config["layer_norm_eps"]
    offset = config["pad_token_id"] + 1 if config["model_type"] != "bert" else 0

    def norm(name: str, x: NDArray[Any]) -> NDArray[Any]:
        return _norm(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon)

    def linear(name: str, x: NDArray[Any]) -> NDArray[Any]:
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    x = tensors["embeddings.word_embeddings.weight"][list(row)]
    x = x + tensors["embeddings.position_embeddings.weight"][offset : offset + len(row)]
    types = tensors["embeddings.token_type_embeddings.weight"][list(segments) or [0] * len(row)]
    x = norm("embeddings.LayerNorm", x + types)
    size = config["hidden_size"] // config["num_attention_heads"]
    for layer in range(config["num_hidden_layers"]):
        base = f"encoder.layer.{layer}."
        q, k, v = (linear(f"{base}attention.self.{part}", x) for part in ("query", "key", "value"))
        heads = []
        for start in range(0, config["hidden_size"], size):
            part = slice(start, start + size)
            scores = q[:, part] @ k[:, part].T / math.sqrt(size)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(weights / weights.sum(-1, keepdims=True) @ v[:, part])
        x = norm(
            f"{base}attention.output.LayerNorm", x + linear(f"{base}attention.output.dense", np.concatenate(heads, -1))
        )
        inner = _gelu(linear(f"{base}intermediate.dense", x), config["hidden_act"])
        x = norm(f"{base}output.LayerNorm", x + linear(f"{base}output.dense", inner))
    return x


def _reference(directory: Path, rows: Rows, pooling: str = "mean") -> NDArray[Any]:
    pools: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "mean": lambda x: x.mean(0),
        "cls": lambda x: x[0],
        "max": lambda x: x.max(0),
        "lasttoken": lambda x: x[-1],
    }
    vectors = np.stack([pools[pooling](_encode(directory, row)) for row in rows])
    dense = directory / "2_Dense" / "model.safetensors"
    if dense.exists():
        layer = load_file(dense)
        vectors = np.tanh(vectors @ layer["linear.weight"].T.astype(np.float64) + layer["linear.bias"])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def token_vectors() -> Callable[..., NDArray[Any]]:
    """Returns a function of (model directory, token ids, segments) that gives the vector of each token."""
    return _encode


@pytest.fixture(scope="session")
def reference() -> Callable[..., NDArray[Any]]:
    """Returns a function of (model directory, token ids per text, pooling) that gives unit vectors."""
    return _reference
