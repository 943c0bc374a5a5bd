"""Pooling in NumPy, for encoders that come as a finished graph without it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kaynak.embedding.spec import Dense, ModelSpec, Pooling
from kaynak.embedding.weights import Weights

Array = NDArray[np.float32]

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda value: np.maximum(value, 0),
    "identity": lambda value: value,
}


def sentence_vectors(spec: ModelSpec, output: Array, mask: NDArray[np.int64]) -> Array:
    """Returns unit vectors (B, D) from an output of token vectors (B, T, H) or of finished ones (B, D)."""
    value = output.astype(np.float32, copy=False)
    if value.ndim == 3:
        value = np.concatenate([_pool(kind, value, mask) for kind in spec.pooling], axis=-1)
        for dense in spec.dense:
            value = _dense(dense, value)
    norms = np.linalg.norm(value, axis=-1, keepdims=True)
    return np.asarray(value / np.maximum(norms, 1e-12), dtype=np.float32)


def _pool(kind: Pooling, value: Array, mask: NDArray[np.int64]) -> Array:
    wide = mask[:, :, None].astype(np.float32)
    if kind is Pooling.CLS:
        return np.asarray(value[:, 0])
    if kind is Pooling.LAST:
        return np.asarray(value[np.arange(len(value)), mask.sum(axis=1) - 1])
    if kind is Pooling.MAX:
        return np.asarray(np.where(wide > 0, value, -np.inf).max(axis=1), dtype=np.float32)
    return np.asarray((value * wide).sum(axis=1) / wide.sum(axis=1), dtype=np.float32)


def _dense(dense: Dense, value: Array) -> Array:
    weights = Weights([dense.weights])
    product = value @ weights["linear.weight"].T
    if "linear.bias" in set(weights):
        product = product + weights["linear.bias"]
    return _ACTIVATIONS[dense.activation](product)
