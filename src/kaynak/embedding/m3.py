"""BGE-M3's other two heads: weights of words, and a vector for each token.

After "BGE M3-Embedding" (Chen et al., 2024) and its reference implementation FlagEmbedding; the dense head is that of
any XLM-RoBERTa directory, see `LocalEmbedder`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured, UnsoundEmbedding
from kaynak.embedding.batches import padded, plan_batches, to_arrays
from kaynak.embedding.encoder import Ops, build_tokens
from kaynak.embedding.fingerprint import fingerprint_of
from kaynak.embedding.graphs import Graph, compile_graph
from kaynak.embedding.protocol import Kind
from kaynak.embedding.runtime import Precision, RuntimeName, inputs_for
from kaynak.embedding.spec import ModelSpec, read_spec, torch_weights
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.weights import Weights
from kaynak.embedding.worker import DOCUMENT_LANE, QUERY_LANE, ModelThreads

R = TypeVar("R")
Vectors = NDArray[np.float32]

_BATCH_TOKENS = 1024
_UNUSED = ("<s>", "</s>", "<pad>", "<unk>", "[CLS]", "[SEP]", "[PAD]", "[UNK]")


class M3Model:
    """A directory of BGE-M3 with its lexical and its multi-vector head, on this machine's CPU. See `SparseEmbedder`.

    Attributes:
        name: Of the directory.
        fingerprint: Of the weights, heads included: equal ones give interchangeable weights.

    Args:
        spec: The model, with its weights.
        tokenizer: Its tokenizer.
        graph: Gives the weight and the vector of each token.
        heads: Digest of the heads.
    """

    def __init__(self, spec: ModelSpec, tokenizer: ModelTokenizer, graph: Graph, heads: str) -> None:
        self.name = spec.name
        self.fingerprint = f"{fingerprint_of(spec, tokenizer.fingerprint)}-{heads}"
        self._spec = spec
        self._tokenizer = tokenizer
        self._graph = graph
        self._unused = tokenizer.ids_of(_UNUSED)
        self._threads = ModelThreads(spec.name, 1)

    @classmethod
    def load(
        cls, directory: Path, *, threads: int = 0, precision: Precision = "auto", runtime: RuntimeName = "auto"
    ) -> M3Model:
        """Loads the model in ``directory``; blocks.

        Raises:
            Misconfigured: It cannot be loaded, or lacks a head.
        """
        spec = read_spec(directory)
        if not spec.weights:
            # A finished graph ends with the dense head; ours is made of the weights that lie beside it.
            spec = replace(spec, weights=torch_weights(directory), graph=None)
        if not spec.weights:
            raise Misconfigured(
                f"{spec.name} has only a finished graph.", hint="Put its model.safetensors or pytorch_model.bin there."
            )
        heads = [_head(directory, name) for name in ("sparse_linear", "colbert_linear")]
        sparse, colbert = (Weights([path]) for path in heads)
        tokenizer = ModelTokenizer.load(directory, padding_id=spec.padding_id, lowercase=spec.lowercase)

        def build(ops: Ops[Any], spec: ModelSpec, weights: Weights) -> Sequence[tuple[Any, int]]:
            hidden = build_tokens(ops, spec, weights)
            lexical = ops.activation("relu", ops.linear(hidden, sparse["weight"], sparse["bias"]))
            return [(lexical, 3), (ops.unit(ops.linear(hidden, colbert["weight"], colbert["bias"])), 3)]

        try:
            graph = compile_graph(build, spec, threads=threads, precision=precision, runtime=runtime)
        except KeyError as exc:
            raise Misconfigured(f"A head of {spec.name} lacks {exc}.", hint="Fetch the model again.") from exc
        digest = hashlib.blake2b(b"".join(path.read_bytes() for path in heads), digest_size=8).hexdigest()
        return cls(spec, tokenizer, graph, digest)

    async def embed_sparse(self, texts: Sequence[str], kind: Kind) -> list[Mapping[int, float]]:
        """See `SparseEmbedder`."""
        return await self._run(texts, QUERY_LANE if kind == "query" else DOCUMENT_LANE, self._lexical)

    async def embed_tokens(self, texts: Sequence[str], kind: Kind) -> list[Vectors]:
        """Returns the unit vectors of the tokens of each text, shape (tokens, units), but of the first special one.

        Raises:
            EmbedderUnavailable: It is closed, or fails on a batch.
        """
        return await self._run(texts, QUERY_LANE if kind == "query" else DOCUMENT_LANE, self._vectors)

    async def close(self) -> None:
        """Frees the model. Later calls raise."""
        await asyncio.to_thread(self._threads.close)

    async def _run(
        self, texts: Sequence[str], lane: int, take: Callable[[list[int], list[Vectors], int], R]
    ) -> list[R]:
        if not texts:
            return []
        return await asyncio.wrap_future(self._threads.submit(lane, partial(self._run_now, list(texts), take)))

    def _run_now(self, texts: list[str], take: Callable[[list[int], list[Vectors], int], R]) -> list[R]:
        rows = self._tokenizer.encode(texts, self._spec.max_tokens)
        found: dict[int, R] = {}
        for places in plan_batches([len(row) for row in rows], _BATCH_TOKENS):
            width = padded(max(len(rows[at]) for at in places))
            ids, mask = to_arrays([rows[at] for at in places], self._tokenizer.padding_id, width)
            try:
                outputs = self._graph.run(inputs_for(self._spec, self._graph.ranks, ids, mask))
            except RuntimeError as exc:
                raise EmbedderUnavailable(f"{self.name} failed on a batch.") from exc
            if not all(np.isfinite(output).all() for output in outputs):
                raise UnsoundEmbedding(f"{self.name} gave numbers that are none (NaN).")
            found |= {place: take(rows[place], outputs, at) for at, place in enumerate(places)}
        return [found[at] for at in range(len(rows))]

    def _lexical(self, row: list[int], outputs: list[Vectors], at: int) -> Mapping[int, float]:
        weights: dict[int, float] = {}
        for token, weight in zip(row, outputs[0][at, : len(row), 0].tolist(), strict=True):
            if token not in self._unused and weight > weights.get(token, 0.0):
                weights[token] = weight
        return weights

    def _vectors(self, row: list[int], outputs: list[Vectors], at: int) -> Vectors:
        return np.array(outputs[1][at, 1 : len(row)])


def late_interaction(query: Vectors, passage: Vectors) -> float:
    """Returns the mean, over the tokens of the query, of the cosine with the nearest token of the passage."""
    if not len(query) or not len(passage):
        return 0.0
    return float((query @ passage.T).max(axis=1).mean())


def _head(directory: Path, name: str) -> Path:
    for ending in (".safetensors", ".pt"):
        if (directory / f"{name}{ending}").is_file():
            return directory / f"{name}{ending}"
    raise Misconfigured(
        f"{directory.name} has no {name}.pt: it is no BGE-M3 model.", hint="Choose BGE-M3, with all of its files."
    )
