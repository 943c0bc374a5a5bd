"""ONNX Runtime: the encoder's operations, and running it on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding.encoder import build_encoder
from kaynak.embedding.heads import sentence_vectors
from kaynak.embedding.onnx_file import OnnxFile
from kaynak.embedding.runtime import Ids, inputs_for, streams_for
from kaynak.embedding.spec import ModelSpec, Pooling
from kaynak.embedding.weights import Floats, Weights

_LOWEST = np.float32(-1.0e4)
_LARGEST_FILE = 2_000_000_000  # a protocol buffer's limit is 2 GiB
_OUTPUTS = ("sentence_embedding", "last_hidden_state", "token_embeddings")


class OnnxOps:
    """`Ops` over ONNX nodes; values are names."""

    def __init__(self) -> None:
        self.file = OnnxFile()
        self._bias: str | None = None

    def input(self, name: str, rank: int) -> str:
        """See `Ops`."""
        return self.file.input(name, rank)

    def look_up(self, table: Floats, ids: str) -> str:
        """See `Ops`."""
        return self.file.node("Gather", [self.file.constant(table), ids], axis=0)

    def add(self, left: str, right: str) -> str:
        """See `Ops`."""
        return self.file.node("Add", [left, right])

    def linear(self, value: str, weight: Floats, bias: Floats | None) -> str:
        """See `Ops`."""
        product = self.file.node("MatMul", [value, self.file.constant(weight.T)])
        return product if bias is None else self.add(product, self.file.constant(bias))

    def layer_norm(self, value: str, scale: Floats, shift: Floats, epsilon: float) -> str:
        """See `Ops`."""
        inputs = [value, self.file.constant(scale), self.file.constant(shift)]
        return self.file.node("LayerNormalization", inputs, axis=-1, epsilon=float(epsilon))

    def activation(self, name: str, value: str) -> str:
        """See `Ops`."""
        match name:
            case "gelu":
                return self.file.node("Gelu", [value], approximate="none")
            case "gelu_new" | "gelu_pytorch_tanh":
                return self.file.node("Gelu", [value], approximate="tanh")
            case "relu":
                return self.file.node("Relu", [value])
            case "tanh":
                return self.file.node("Tanh", [value])
            case _:
                return value

    def attention(self, query: str, key: str, value: str, mask: str, heads: int) -> str:
        """See `Ops`."""
        if self._bias is None:
            wide = self.file.node("Unsqueeze", [self._float(mask), self._axes(1, 2)])
            absent = self.file.node("Sub", [self._scalar(1), wide])
            self._bias = self.file.node("Mul", [absent, self._scalar(float(_LOWEST))])
        split = self.file.constant(np.array([0, 0, heads, -1], dtype=np.int64))
        query, key, value = (self.file.node("Reshape", [part, split]) for part in (query, key, value))
        query, value = (self._transposed(part, "0213") for part in (query, value))
        scores = self.file.node("MatMul", [query, self._transposed(key, "0231")])
        size = self.file.node("Shape", [query], start=3, end=4)
        root = self.file.node("Sqrt", [self._float(size)])
        biased = self.add(self.file.node("Div", [scores, root]), self._bias)
        seen = self.file.node("MatMul", [self.file.node("Softmax", [biased], axis=-1), value])
        together = self.file.constant(np.array([0, 0, -1], dtype=np.int64))
        return self.file.node("Reshape", [self._transposed(seen, "0213"), together])

    def pool(self, kind: Pooling, value: str, mask: str) -> str:
        """See `Ops`."""
        file = self.file
        if kind is Pooling.CLS:
            return file.node("Gather", [value, file.constant(np.array(0, dtype=np.int64))], axis=1)
        if kind is Pooling.LAST:
            tokens = file.node("ReduceSum", [mask, self._axes(1)], keepdims=1)
            last = file.node("Sub", [tokens, self._axes(1)])
            return file.node("GatherND", [value, last], batch_dims=1)
        wide = file.node("Unsqueeze", [self._float(mask), self._axes(2)])
        if kind is Pooling.MAX:
            absent = file.node("Mul", [file.node("Sub", [self._scalar(1), wide]), self._scalar(float(_LOWEST))])
            return file.node("ReduceMax", [self.add(value, absent), self._axes(1)], keepdims=0)
        total = file.node("ReduceSum", [file.node("Mul", [value, wide]), self._axes(1)], keepdims=0)
        return file.node("Div", [total, file.node("ReduceSum", [wide, self._axes(1)], keepdims=0)])

    def concat(self, values: list[str]) -> str:
        """See `Ops`."""
        return self.file.node("Concat", values, axis=-1)

    def unit(self, value: str) -> str:
        """See `Ops`."""
        return self.file.node("LpNormalization", [value], axis=-1, p=2)

    def _axes(self, *axes: int) -> str:
        return self.file.constant(np.array(axes, dtype=np.int64))

    def _scalar(self, value: float) -> str:
        return self.file.constant(np.array(value, dtype=np.float32))

    def _float(self, value: str) -> str:
        return self.file.node("Cast", [value], to=1)

    def _transposed(self, value: str, order: str) -> str:
        return self.file.node("Transpose", [value], perm=[int(axis) for axis in order])


class OnnxRuntime:
    """A model in an ONNX Runtime session. See `Runtime`."""

    precision = "f32"

    def __init__(self, session: Any, spec: ModelSpec, parallel: int) -> None:
        self._session = session
        self._spec = spec
        self._finished = spec.graph is None
        self.parallel = parallel
        self._ranks = {given.name: len(given.shape) for given in session.get_inputs()}
        outputs = [given.name for given in session.get_outputs()]
        self._output = next((name for name in _OUTPUTS if name in outputs), outputs[0])
        one = np.ones((1, 1), dtype=np.int64)
        self.dimensions = self.run(one, one).shape[1]

    @classmethod
    def load(cls, spec: ModelSpec, *, threads: int) -> OnnxRuntime:
        """Builds the encoder from safetensors, or reads the ONNX file lying in the directory.

        Raises:
            Misconfigured: ONNX Runtime cannot load it.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        streams, options.intra_op_num_threads = streams_for(threads)
        options.log_severity_level = 3
        # Its arena keeps the largest batch's memory for good; plain allocation costs little.
        options.enable_cpu_mem_arena = False
        try:
            session = onnxruntime.InferenceSession(_model(spec), options, providers=["CPUExecutionProvider"])
            return cls(session, spec, streams)
        except Misconfigured:
            raise
        except Exception as exc:  # its errors have no common base but Exception
            raise Misconfigured(
                f"ONNX Runtime cannot load {spec.name}: {str(exc).strip()[:300]}",
                hint="Fetch the model again, or choose another.",
            ) from exc

    def run(self, ids: Ids, mask: Ids) -> NDArray[np.float32]:
        """See `Runtime`."""
        given = inputs_for(self._spec, self._ranks, ids, mask)
        try:
            (result,) = self._session.run([self._output], given)
        except Exception as exc:  # as above
            raise EmbedderUnavailable(f"ONNX Runtime failed on a batch: {type(exc).__name__}.") from exc
        return np.asarray(result) if self._finished else sentence_vectors(self._spec, result, mask)


def _model(spec: ModelSpec) -> bytes | str:
    if spec.graph is not None:
        if spec.graph.suffix != ".onnx":
            raise Misconfigured(
                f"{spec.name} has only an OpenVINO file, which ONNX Runtime cannot read.",
                hint="Set embedding.runtime to openvino.",
            )
        return str(spec.graph)
    if sum(path.stat().st_size for path in spec.weights) > _LARGEST_FILE:
        raise Misconfigured(
            f"{spec.name} is too large to hand to ONNX Runtime at once.",
            hint="Set embedding.runtime to openvino, or put an ONNX file into the model directory.",
        )
    weights = Weights(list(spec.weights))
    ops = OnnxOps()
    ops.file.output(build_encoder(ops, spec, weights), 2)
    weights.release()
    return ops.file.finish()
