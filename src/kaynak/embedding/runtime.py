"""What runs a model, and which library does."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import Misconfigured
from kaynak.embedding.spec import ModelSpec

Ids = NDArray[np.int64]
Precision = Literal["auto", "bf16", "f32"]
RuntimeName = Literal["auto", "openvino", "onnx"]

_log = structlog.get_logger(__name__)


class Runtime(Protocol):
    """A loaded model."""

    precision: str
    """``bf16`` or ``f32``: what it computes in."""
    dimensions: int
    parallel: int
    """How many threads may be in `run` at a time; more would wait for each other."""

    def run(self, ids: Ids, mask: Ids) -> NDArray[np.float32]:
        """Returns unit vectors (B, dimensions) for token ids and mask (B, T). Blocks."""
        ...


def streams_for(threads: int) -> tuple[int, int]:
    """Returns how many batches to compute at a time, and with how many threads each.

    Threads that share a batch wait for each other at every layer; where anything else runs on the machine, the
    slowest sets the pace (measured: half the throughput of batches side by side). Each batch in flight has
    memory of its own, so there are at most four.
    """
    threads = threads or os.cpu_count() or 1
    streams = min(4, threads)
    return streams, threads // streams


def inputs_for(spec: ModelSpec, ranks: Mapping[str, int], ids: Ids, mask: Ids) -> dict[str, Ids]:
    """Returns what a graph asks for, by name; ``ranks`` has its inputs and their numbers of axes.

    Raises:
        Misconfigured: It asks for something that no text encoder has.
    """
    # Our own graphs have the table of positions cut to begin at the first; finished ones have it whole.
    first = spec.position_offset if spec.graph is not None else 0
    positions = np.arange(first, first + ids.shape[1], dtype=np.int64)
    offered = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions if ranks.get("position_ids") == 1 else np.broadcast_to(positions, ids.shape),
        "token_type_ids": np.zeros_like(ids),
    }
    if unknown := sorted(ranks.keys() - offered.keys()):
        raise Misconfigured(f"The graph of {spec.name} asks for {', '.join(unknown)}: it is not a text encoder.")
    return {name: offered[name] for name in ranks}


def load_runtime(spec: ModelSpec, *, threads: int, precision: Precision, runtime: RuntimeName) -> Runtime:
    """Loads the model with the chosen library; ``auto`` takes OpenVINO, and ONNX Runtime where it is missing.

    Raises:
        Misconfigured: The library is not installed, or cannot load the model.
    """
    if runtime == "auto":
        runtime = "openvino" if importlib.util.find_spec("openvino") else "onnx"
    if runtime == "openvino":
        from kaynak.embedding.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime.load(spec, threads=threads, precision=precision)
    if importlib.util.find_spec("onnxruntime") is None:
        raise Misconfigured(
            "No library to run embedding models is installed.",
            hint="Install openvino, or kaynak[onnx] where openvino has no wheel.",
        )
    if precision == "bf16":
        raise Misconfigured(
            "ONNX Runtime computes in f32 on CPUs; bf16 was asked for.",
            hint="Set embedding.precision to auto, or embedding.runtime to openvino.",
        )
    from kaynak.embedding.onnx_runtime import OnnxRuntime

    return OnnxRuntime.load(spec, threads=threads)
