"""The BERT encoder, written once against a handful of operations that each runtime provides.

The architecture is that of "BERT: Pre-training of Deep Bidirectional Transformers" (Devlin et al., 2019);
RoBERTa and XLM-R differ in where their position table begins and in having one token type.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

from kaynak.domain import Misconfigured
from kaynak.embedding.spec import Dense, ModelSpec, Pooling
from kaynak.embedding.weights import Floats, Weights

N = TypeVar("N")


class Ops(Protocol[N]):
    """What a runtime must be able to do. Shapes: B texts, T tokens, H hidden units."""

    def input(self, name: str, rank: int) -> N:
        """Returns an int64 input of the graph with all sizes open."""
        ...

    def look_up(self, table: Floats, ids: N) -> N:
        """Returns the rows of ``table`` that ``ids`` name."""
        ...

    def add(self, left: N, right: N) -> N:
        """Returns the sum, broadcast."""
        ...

    def linear(self, value: N, weight: Floats, bias: Floats | None) -> N:
        """Returns ``value @ weight.T + bias``."""
        ...

    def layer_norm(self, value: N, scale: Floats, shift: Floats, epsilon: float) -> N:
        """Normalises the last axis."""
        ...

    def activation(self, name: str, value: N) -> N:
        """Applies one of `spec.ACTIVATIONS`."""
        ...

    def attention(self, query: N, key: N, value: N, mask: N, heads: int) -> N:
        """Returns scaled dot product attention (B, T, H); ``mask`` (B, T) is 1 for tokens, 0 for padding."""
        ...

    def pool(self, kind: Pooling, value: N, mask: N) -> N:
        """Returns (B, H) from (B, T, H)."""
        ...

    def concat(self, values: list[N]) -> N:
        """Joins along the last axis."""
        ...

    def unit(self, value: N) -> N:
        """Scales rows to unit length."""
        ...


def build_encoder(ops: Ops[N], spec: ModelSpec, weights: Weights) -> N:
    """Returns the node of the sentence embeddings, shape (B, dimensions).

    The graph's inputs are ``input_ids`` and ``attention_mask`` of shape (B, T) and ``position_ids`` (T,).

    Raises:
        Misconfigured: A tensor that the architecture needs is not in the weights.
    """
    try:
        mask = ops.input("attention_mask", 2)
        hidden = _embeddings(ops, spec, weights)
        for layer in range(spec.layers):
            hidden = _layer(ops, spec, weights, f"encoder.layer.{layer}.", hidden, mask)
        pooled = [ops.pool(kind, hidden, mask) for kind in spec.pooling]
        sentence = pooled[0] if len(pooled) == 1 else ops.concat(pooled)
        for dense in spec.dense:
            sentence = _dense(ops, dense, sentence)
    except KeyError as exc:
        raise Misconfigured(
            f"The weights of {spec.name} lack the tensor {exc}: they are not of a {spec.model_type} encoder.",
            hint="Choose a directory of a BERT or XLM-RoBERTa embedding model.",
        ) from exc
    # Always unit rows, whether or not the model's own pipeline ends so: engines compare by cosine.
    return ops.unit(sentence)


def build_tokens(ops: Ops[N], spec: ModelSpec, weights: Weights) -> N:
    """Returns the node of the token vectors, shape (B, T, H). The graph's inputs are those of `build_encoder`.

    Raises:
        Misconfigured: A tensor that the architecture needs is not in the weights.
    """
    try:
        mask = ops.input("attention_mask", 2)
        hidden = _embeddings(ops, spec, weights)
        for layer in range(spec.layers):
            hidden = _layer(ops, spec, weights, f"encoder.layer.{layer}.", hidden, mask)
    except KeyError as exc:
        raise Misconfigured(
            f"The weights of {spec.name} lack the tensor {exc}: they are not of a {spec.model_type} encoder.",
            hint="Choose a directory of a BERT or XLM-RoBERTa model.",
        ) from exc
    return hidden


def build_classifier(ops: Ops[N], spec: ModelSpec, weights: Weights) -> N:
    """Returns the node of the scores of the classes before softmax, shape (B, classes).

    The head is that of transformers' sequence classification: for BERT on its pooler, for RoBERTa with a layer of its
    own. The graph's inputs are those of `build_encoder`, and for BERT ``token_type_ids`` (B, T): 0 for the first text
    of a pair and 1 for the second.

    Raises:
        Misconfigured: A tensor that the architecture or the head needs is not in the weights.
    """
    try:
        mask = ops.input("attention_mask", 2)
        hidden = _embeddings(ops, spec, weights, segments=spec.model_type == "bert")
        for layer in range(spec.layers):
            hidden = _layer(ops, spec, weights, f"encoder.layer.{layer}.", hidden, mask)
        first = ops.pool(Pooling.CLS, hidden, mask)
        inner, last = ("pooler.dense", "classifier")
        if "classifier.out_proj.weight" in set(weights):
            inner, last = "classifier.dense", "classifier.out_proj"
        middle = ops.activation("tanh", ops.linear(first, weights[f"{inner}.weight"], weights[f"{inner}.bias"]))
        return ops.linear(middle, weights[f"{last}.weight"], weights[f"{last}.bias"])
    except KeyError as exc:
        raise Misconfigured(
            f"The weights of {spec.name} lack the tensor {exc}: they are not of a {spec.model_type} classifier.",
            hint="Choose a directory of a BERT or XLM-RoBERTa model for sequence classification.",
        ) from exc


def _embeddings(ops: Ops[N], spec: ModelSpec, weights: Weights, *, segments: bool = False) -> N:
    positions = weights["embeddings.position_embeddings.weight"][spec.position_offset :]
    # The embedding of the first segment is the same for every token of it and joins the position table.
    types = weights["embeddings.token_type_embeddings.weight"]
    positions = positions + types[0]
    words = ops.look_up(weights["embeddings.word_embeddings.weight"], ops.input("input_ids", 2))
    summed = ops.add(words, ops.look_up(positions, ops.input("position_ids", 1)))
    if segments:
        summed = ops.add(summed, ops.look_up(types - types[0], ops.input("token_type_ids", 2)))
    return _norm(ops, spec, weights, "embeddings.LayerNorm", summed)


def _layer(ops: Ops[N], spec: ModelSpec, weights: Weights, name: str, hidden: N, mask: N) -> N:
    def linear(part: str, value: N) -> N:
        return ops.linear(value, weights[f"{name}{part}.weight"], weights[f"{name}{part}.bias"])

    query, key, value = (linear(f"attention.self.{part}", hidden) for part in ("query", "key", "value"))
    seen = linear("attention.output.dense", ops.attention(query, key, value, mask, spec.heads))
    hidden = _norm(ops, spec, weights, f"{name}attention.output.LayerNorm", ops.add(seen, hidden))
    inner = ops.activation(spec.activation, linear("intermediate.dense", hidden))
    return _norm(ops, spec, weights, f"{name}output.LayerNorm", ops.add(linear("output.dense", inner), hidden))


def _norm(ops: Ops[N], spec: ModelSpec, weights: Weights, name: str, value: N) -> N:
    # The first checkpoints of BERT call scale and shift by TensorFlow's names.
    old = f"{name}.gamma" in set(weights)
    scale, shift = ("gamma", "beta") if old else ("weight", "bias")
    return ops.layer_norm(value, weights[f"{name}.{scale}"], weights[f"{name}.{shift}"], spec.epsilon)


def _dense(ops: Ops[N], dense: Dense, value: N) -> N:
    weights = Weights([dense.weights])
    bias = np.asarray(weights["linear.bias"]) if "linear.bias" in set(weights) else None
    return ops.activation(dense.activation, ops.linear(value, weights["linear.weight"], bias))
