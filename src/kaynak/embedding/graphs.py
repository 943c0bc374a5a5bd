"""Graphs of our own with any number of outputs, on whichever library runs models here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Misconfigured
from kaynak.embedding.encoder import Ops
from kaynak.embedding.runtime import Precision, RuntimeName, streams_for
from kaynak.embedding.spec import ModelSpec
from kaynak.embedding.weights import Weights

Arrays = dict[str, NDArray[np.int64]]
Build = Callable[[Ops[Any], ModelSpec, Weights], Sequence[tuple[Any, int]]]
"""Returns the nodes of the outputs, each with its number of axes."""


@dataclass(frozen=True, slots=True)
class Graph:
    """A compiled graph. Not for several threads at a time.

    Attributes:
        run: Computes the outputs of a batch; raises `RuntimeError` if that fails.
        ranks: The inputs with their numbers of axes.
    """

    run: Callable[[Arrays], list[NDArray[np.float32]]]
    ranks: dict[str, int]


def compile_graph(build: Build, spec: ModelSpec, *, threads: int, precision: Precision, runtime: RuntimeName) -> Graph:
    """Returns the graph of ``build`` with the weights of ``spec``; blocks.

    Raises:
        Misconfigured: The library cannot load it, or a tensor is missing.
    """
    if runtime == "auto":
        runtime = "openvino" if importlib.util.find_spec("openvino") else "onnx"
    weights = Weights(list(spec.weights))
    try:
        load = _with_openvino if runtime == "openvino" else _with_onnx
        return load(build, spec, weights, threads, precision)
    except RuntimeError as exc:
        raise Misconfigured(f"{spec.name} cannot be loaded: {exc}", hint="Fetch the model again.") from exc
    finally:
        weights.release()


def _with_openvino(build: Build, spec: ModelSpec, weights: Weights, threads: int, precision: Precision) -> Graph:
    import openvino as ov

    from kaynak.embedding.openvino_runtime import OpenVinoOps, cpu_precision

    ops = OpenVinoOps()
    model = ov.Model([node.output(0) for node, _ in build(ops, spec, weights)], ops.inputs)
    core = ov.Core()
    _, each = streams_for(threads)
    options = {"INFERENCE_PRECISION_HINT": cpu_precision(core, precision), "INFERENCE_NUM_THREADS": max(1, each)}
    compiled = core.compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    inputs = {port.get_any_name(): port for port in compiled.inputs}

    def run(given: Arrays) -> list[NDArray[np.float32]]:
        result = request.infer({inputs[name]: value for name, value in given.items()})
        return [np.array(result[port], dtype=np.float32) for port in compiled.outputs]

    return Graph(run, {name: len(port.partial_shape) for name, port in inputs.items()})


def _with_onnx(build: Build, spec: ModelSpec, weights: Weights, threads: int, precision: Precision) -> Graph:
    import onnxruntime

    from kaynak.embedding.onnx_runtime import OnnxOps

    ops = OnnxOps()
    for node, rank in build(ops, spec, weights):
        ops.file.output(node, rank)
    options = onnxruntime.SessionOptions()
    _, options.intra_op_num_threads = streams_for(threads)
    session: Any = onnxruntime.InferenceSession(ops.file.finish(), options, providers=["CPUExecutionProvider"])

    def run(given: Arrays) -> list[NDArray[np.float32]]:
        return [np.asarray(output, dtype=np.float32) for output in session.run(None, given)]

    return Graph(run, {one.name: len(one.shape) for one in session.get_inputs()})
