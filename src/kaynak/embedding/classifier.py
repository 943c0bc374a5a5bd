"""Pairs of texts to classes: models for sequence classification, such as those of natural language inference."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding.batches import padded, plan_batches, to_arrays
from kaynak.embedding.encoder import build_classifier
from kaynak.embedding.runtime import Precision, RuntimeName, inputs_for, streams_for
from kaynak.embedding.spec import ModelSpec, read_spec
from kaynak.embedding.tokenizer import ModelTokenizer
from kaynak.embedding.weights import Weights
from kaynak.embedding.worker import DOCUMENT_LANE, ModelThreads

Arrays = dict[str, NDArray[np.int64]]
Run = Callable[[Arrays], NDArray[np.float32]]

_BATCH_TOKENS = 1024
_LEAST_ROOM = 8
"""Tokens of a second text that are left of the room, however long the first is."""


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
        run: Computes the scores of a batch.
        ranks: The graph's inputs with their numbers of axes.
    """

    def __init__(
        self, spec: ModelSpec, labels: Sequence[str], tokenizer: ModelTokenizer, run: Run, ranks: dict[str, int]
    ) -> None:
        self.name = spec.name
        self.labels = tuple(labels)
        self.max_tokens = spec.max_tokens
        self._spec = spec
        self._tokenizer = tokenizer
        self._run = run
        self._ranks = ranks
        self._threads = ModelThreads(spec.name, 1)

    @classmethod
    def load(
        cls, directory: Path, *, threads: int = 0, precision: Precision = "auto", runtime: RuntimeName = "auto"
    ) -> PairClassifier:
        """Loads the model in ``directory``; blocks.

        Raises:
            Misconfigured: It cannot be loaded; the message says why.
        """
        spec = read_spec(directory)
        labels = _labels(directory)
        if not spec.weights:
            raise Misconfigured(
                f"{directory.name} has no safetensors.", hint="Convert the weights of the classifier to safetensors."
            )
        tokenizer = ModelTokenizer.load(directory, padding_id=spec.padding_id, lowercase=spec.lowercase)
        if runtime == "auto":
            runtime = "openvino" if importlib.util.find_spec("openvino") else "onnx"
        try:
            load = _with_openvino if runtime == "openvino" else _with_onnx
            run, ranks = load(spec, threads, precision)
        except RuntimeError as exc:
            raise Misconfigured(f"{spec.name} cannot be loaded: {exc}", hint="Fetch the model again.") from exc
        return cls(spec, labels, tokenizer, run, ranks)

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

        Of a pair that is too long the first text is cut.

        Raises:
            EmbedderUnavailable: It is closed, or fails on a batch.
        """
        if not pairs:
            return np.zeros((0, len(self.labels)), dtype=np.float32)
        return await asyncio.wrap_future(self._threads.submit(DOCUMENT_LANE, partial(self._classify_now, list(pairs))))

    async def close(self) -> None:
        """Frees the model. Later calls of `classify` raise."""
        await asyncio.to_thread(self._threads.close)

    @property
    def _frame(self) -> int:
        before, after = self._tokenizer.frame
        return len(before) + len(after) * (2 if self._spec.model_type == "bert" else 3)

    def _classify_now(self, pairs: list[tuple[str, str]]) -> NDArray[np.float32]:
        rows = [self._row(first, second) for first, second in pairs]
        scores = np.empty((len(pairs), len(self.labels)), dtype=np.float32)
        for places in plan_batches([len(ids) for ids, _ in rows], _BATCH_TOKENS):
            width = padded(max(len(rows[at][0]) for at in places))
            ids, mask = to_arrays([rows[at][0] for at in places], self._tokenizer.padding_id, width)
            segments, _ = to_arrays([rows[at][1] for at in places], 0, width)
            given = inputs_for(self._spec, self._ranks, ids, mask)
            if "token_type_ids" in given:
                given["token_type_ids"] = segments
            try:
                scores[places] = self._run(given)
            except RuntimeError as exc:
                raise EmbedderUnavailable(f"{self.name} failed on a batch.") from exc
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float32)

    def _row(self, first: str, second: str) -> tuple[list[int], list[int]]:
        """Returns the token ids of a pair and the segment of each."""
        before, after = self._tokenizer.frame
        room = self.max_tokens - self._frame
        tail = self._tokenizer.bare(second)[: max(_LEAST_ROOM, room - _LEAST_ROOM)]
        head = self._tokenizer.bare(first)[: max(0, room - len(tail))]
        between = after if self._spec.model_type == "bert" else [*after, *after]
        opening = [*before, *head, *between]
        closing = [*tail, *after]
        return [*opening, *closing], [0] * len(opening) + [1] * len(closing)


def _labels(directory: Path) -> list[str]:
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    names = config.get("id2label") or {}
    try:
        labels = [str(names[key]) for key in sorted(names, key=int)]
    except (AttributeError, TypeError, ValueError):
        labels = []
    if len(labels) < 2:
        raise Misconfigured(
            f"The config.json of {directory.name} names no classes (id2label).",
            hint="Choose a directory of a model for sequence classification.",
        )
    return labels


def _with_openvino(spec: ModelSpec, threads: int, precision: Precision) -> tuple[Run, dict[str, int]]:
    import openvino as ov

    from kaynak.embedding.openvino_runtime import OpenVinoOps, cpu_precision

    weights = Weights(list(spec.weights))
    ops = OpenVinoOps()
    model = ov.Model([build_classifier(ops, spec, weights).output(0)], ops.inputs)
    core = ov.Core()
    _, each = streams_for(threads)
    options = {"INFERENCE_PRECISION_HINT": cpu_precision(core, precision), "INFERENCE_NUM_THREADS": max(1, each)}
    compiled = core.compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    inputs = {port.get_any_name(): port for port in compiled.inputs}

    def run(given: Arrays) -> NDArray[np.float32]:
        result = request.infer({inputs[name]: value for name, value in given.items()})
        return np.array(result[compiled.output(0)], dtype=np.float32)

    weights.release()
    return run, {name: len(port.partial_shape) for name, port in inputs.items()}


def _with_onnx(spec: ModelSpec, threads: int, precision: Precision) -> tuple[Run, dict[str, int]]:
    import onnxruntime

    from kaynak.embedding.onnx_runtime import OnnxOps

    weights = Weights(list(spec.weights))
    ops = OnnxOps()
    ops.file.output(build_classifier(ops, spec, weights), 2)
    options = onnxruntime.SessionOptions()
    _, options.intra_op_num_threads = streams_for(threads)
    session: Any = onnxruntime.InferenceSession(ops.file.finish(), options, providers=["CPUExecutionProvider"])

    def run(given: Arrays) -> NDArray[np.float32]:
        (scores,) = session.run(None, given)
        return np.asarray(scores, dtype=np.float32)

    return run, {one.name: len(one.shape) for one in session.get_inputs()}
