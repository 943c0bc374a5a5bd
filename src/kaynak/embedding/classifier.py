"""Pairs of texts to classes: models for sequence classification, such as those of natural language inference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding.batches import padded, plan_batches, to_arrays
from kaynak.embedding.encoder import Ops, build_classifier
from kaynak.embedding.graphs import Graph, compile_graph
from kaynak.embedding.runtime import Precision, RuntimeName, inputs_for
from kaynak.embedding.spec import ModelSpec, read_spec
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.weights import Weights
from kaynak.embedding.worker import DOCUMENT_LANE, ModelThreads

_BATCH_TOKENS = 1024
_LEAST_ROOM = 8
"""Tokens of the text that may be cut that are left of the room, however long the other one is."""


class PairClassifier:
    """A BERT or XLM-RoBERTa model with a classification head, on this machine's CPU.

    Attributes:
        name: Of the directory.
        labels: The classes, in the order of the columns of `classify`.
        max_tokens: Of a pair, special tokens included.

    Args:
        spec: The model.
        labels: The classes.
        tokenizer: Its tokenizer.
        graph: Computes the scores of a batch.
        cut: Which text of a pair is cut where both are too long together.
    """

    def __init__(
        self,
        spec: ModelSpec,
        labels: Sequence[str],
        tokenizer: ModelTokenizer,
        graph: Graph,
        cut: Literal["first", "second"] = "first",
    ) -> None:
        self.name = spec.name
        self.labels = tuple(labels)
        self.max_tokens = spec.max_tokens
        self._spec = spec
        self._tokenizer = tokenizer
        self._graph = graph
        self._cut = cut
        self._threads = ModelThreads(spec.name, 1)

    @classmethod
    def load(
        cls,
        directory: Path,
        *,
        threads: int = 0,
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        least: int = 2,
        cut: Literal["first", "second"] = "first",
    ) -> PairClassifier:
        """Loads the model in ``directory``; blocks.

        Args:
            directory: Of the model.
            threads: For a batch; 0 for as many as share one.
            precision: ``auto`` takes bf16 where the CPU has it.
            runtime: ``auto`` takes OpenVINO where it is installed.
            least: Fewest classes that it must have.
            cut: Which text of a pair is cut where both are too long together.

        Raises:
            Misconfigured: It cannot be loaded; the message says why.
        """
        spec = read_spec(directory)
        labels = _labels(directory, least)
        if not spec.weights:
            raise Misconfigured(
                f"{directory.name} has no safetensors.", hint="Convert the weights of the classifier to safetensors."
            )
        tokenizer = ModelTokenizer.load(directory, padding_id=spec.padding_id, lowercase=spec.lowercase)
        graph = compile_graph(_build, spec, threads=threads, precision=precision, runtime=runtime)
        return cls(spec, labels, tokenizer, graph, cut)

    def split(self, text: str, second: str) -> list[str]:
        """Returns ``text`` in parts that fit beside ``second``, each beginning in the middle of the one before."""
        room = max(_LEAST_ROOM, self.max_tokens - self._frame - self._tokenizer.count(second))
        offsets = self._tokenizer.offsets(text)
        if len(offsets) <= room:
            return [text]
        starts = range(0, max(1, len(offsets) - room // 2), max(1, room // 2))
        return [text[offsets[at][0] : offsets[min(at + room, len(offsets)) - 1][1]] for at in starts]

    async def classify(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Returns the probability of each class for each pair, shape ``(len(pairs), len(labels))``.

        Raises:
            EmbedderUnavailable: It is closed, or fails on a batch.
        """
        scores = await self.score(pairs)
        if not pairs:
            return scores
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float32)

    async def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Returns what the model gives for each class and pair before softmax, shape ``(len(pairs), len(labels))``.

        Raises:
            EmbedderUnavailable: It is closed, or fails on a batch.
        """
        if not pairs:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return await asyncio.wrap_future(self._threads.submit(DOCUMENT_LANE, partial(self._score_now, list(pairs))))

    async def close(self) -> None:
        """Frees the model. Later calls of `classify` raise."""
        await asyncio.to_thread(self._threads.close)

    @property
    def _frame(self) -> int:
        before, after = self._tokenizer.frame
        return len(before) + len(after) * (2 if self._spec.model_type == "bert" else 3)

    def _score_now(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        rows = [self._row(first, second) for first, second in pairs]
        scores = np.empty((len(pairs), len(self.labels)), dtype=np.float32)
        for places in plan_batches([len(ids) for ids, _ in rows], _BATCH_TOKENS):
            width = padded(max(len(rows[at][0]) for at in places))
            ids, mask = to_arrays([rows[at][0] for at in places], self._tokenizer.padding_id, width)
            segments, _ = to_arrays([rows[at][1] for at in places], 0, width)
            given = inputs_for(self._spec, self._graph.ranks, ids, mask)
            if "token_type_ids" in given:
                given["token_type_ids"] = segments
            try:
                (scores[places],) = self._graph.run(given)
            except RuntimeError as exc:
                raise EmbedderUnavailable(f"{self.name} failed on a batch.") from exc
        return scores

    def _row(self, first: str, second: str) -> tuple[list[int], list[int]]:
        """Returns the token ids of a pair and the segment of each."""
        before, after = self._tokenizer.frame
        room = self.max_tokens - self._frame
        head, tail = self._tokenizer.bare(first), self._tokenizer.bare(second)
        if self._cut == "first":
            tail = tail[: max(_LEAST_ROOM, room - _LEAST_ROOM)]
            head = head[: max(0, room - len(tail))]
        else:
            head = head[: max(_LEAST_ROOM, room - _LEAST_ROOM)]
            tail = tail[: max(0, room - len(head))]
        between = after if self._spec.model_type == "bert" else [*after, *after]
        opening = [*before, *head, *between]
        closing = [*tail, *after]
        return [*opening, *closing], [0] * len(opening) + [1] * len(closing)


def _build(ops: Ops[Any], spec: ModelSpec, weights: Weights) -> list[tuple[Any, int]]:
    return [(build_classifier(ops, spec, weights), 2)]


def _labels(directory: Path, least: int) -> list[str]:
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    names = config.get("id2label") or {}
    try:
        labels = [str(names[key]) for key in sorted(names, key=int)]
    except (AttributeError, TypeError, ValueError):
        labels = []
    if len(labels) < least:
        raise Misconfigured(
            f"The config.json of {directory.name} names no classes (id2label).",
            hint="Choose a directory of a model for sequence classification.",
        )
    return labels
