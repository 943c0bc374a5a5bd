"""OpenVINO: the encoder's operations, and running it on the CPU."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured
from kaynak.embedding.encoder import build_encoder
from kaynak.embedding.heads import sentence_vectors
from kaynak.embedding.runtime import Ids, Precision, inputs_for, streams_for
from kaynak.embedding.spec import ModelSpec, Pooling
from kaynak.embedding.weights import Floats, Weights

# Far below any score, and far from the limits of bf16: beyond them masked scores turn to NaN and all vectors
# with them, without an error.
_LOWEST = np.float32(-1.0e4)


class OpenVinoOps:
    """`Ops` over ``openvino.opset15`` nodes. The arrays of weights must outlive the compilation."""

    def __init__(self) -> None:
        from openvino import opset15

        self._ops: Any = opset15
        self.inputs: list[Any] = []
        self._bias: Any = None

    def input(self, name: str, rank: int) -> Any:
        """See `Ops`."""
        node = self._ops.parameter([-1] * rank, np.int64, name=name)
        node.output(0).get_tensor().set_names({name})
        self.inputs.append(node)
        return node

    def _constant(self, value: Any) -> Any:
        array = np.asarray(value)
        shared = array.size > 1024 and array.flags["C_CONTIGUOUS"]
        return self._ops.constant(array, shared_memory=shared)

    def _axes(self, *axes: int) -> Any:
        return self._constant(np.array(axes, dtype=np.int64))

    def look_up(self, table: Floats, ids: Any) -> Any:
        """See `Ops`."""
        return self._ops.gather(self._constant(table), ids, self._constant(np.int64(0)))

    def add(self, left: Any, right: Any) -> Any:
        """See `Ops`."""
        return self._ops.add(left, right)

    def linear(self, value: Any, weight: Floats, bias: Floats | None) -> Any:
        """See `Ops`."""
        product = self._ops.matmul(value, self._constant(weight), False, True)
        return product if bias is None else self._ops.add(product, self._constant(bias))

    def layer_norm(self, value: Any, scale: Floats, shift: Floats, epsilon: float) -> Any:
        """See `Ops`."""
        normal = self._ops.mvn(value, self._axes(-1), True, epsilon, "inside_sqrt")
        return self._ops.add(self._ops.multiply(normal, self._constant(scale)), self._constant(shift))

    def activation(self, name: str, value: Any) -> Any:
        """See `Ops`."""
        match name:
            case "gelu":
                return self._ops.gelu(value, "erf")
            case "gelu_new" | "gelu_pytorch_tanh":
                return self._ops.gelu(value, "tanh")
            case "relu":
                return self._ops.relu(value)
            case "tanh":
                return self._ops.tanh(value)
            case _:
                return value

    def attention(self, query: Any, key: Any, value: Any, mask: Any, heads: int) -> Any:
        """See `Ops`."""
        split = self._constant(np.array([0, 0, heads, -1], dtype=np.int64))
        order = self._axes(0, 2, 1, 3)
        query, key, value = (
            self._ops.transpose(self._ops.reshape(part, split, True), order) for part in (query, key, value)
        )
        if self._bias is None:
            # (B, T) -> (B, 1, 1, T): 0 for tokens, far below for padding; one node for all layers.
            wide = self._ops.unsqueeze(self._ops.convert(mask, "f32"), self._axes(1, 2))
            absent = self._ops.subtract(self._constant(np.float32(1)), wide)
            self._bias = self._ops.multiply(absent, self._constant(_LOWEST))
        seen = self._ops.scaled_dot_product_attention(query, key, value, self._bias)
        together = self._constant(np.array([0, 0, -1], dtype=np.int64))
        return self._ops.reshape(self._ops.transpose(seen, order), together, True)

    def pool(self, kind: Pooling, value: Any, mask: Any) -> Any:
        """See `Ops`."""
        ops = self._ops
        if kind is Pooling.CLS:
            return ops.gather(value, self._constant(np.int64(0)), self._constant(np.int64(1)))
        if kind is Pooling.LAST:
            last = ops.subtract(ops.reduce_sum(mask, self._axes(1), True), self._constant(np.int64(1)))
            return ops.squeeze(ops.gather(value, last, self._constant(np.int64(1)), 1), self._axes(1))
        wide = ops.unsqueeze(ops.convert(mask, "f32"), self._axes(2))
        if kind is Pooling.MAX:
            absent = ops.multiply(ops.subtract(self._constant(np.float32(1)), wide), self._constant(_LOWEST))
            return ops.reduce_max(ops.add(value, absent), self._axes(1), False)
        total = ops.reduce_sum(ops.multiply(value, wide), self._axes(1), False)
        count = ops.maximum(ops.reduce_sum(wide, self._axes(1), False), self._constant(np.float32(1e-9)))
        return ops.divide(total, count)

    def concat(self, values: list[Any]) -> Any:
        """See `Ops`."""
        return self._ops.concat(values, -1)

    def unit(self, value: Any) -> Any:
        """See `Ops`."""
        return self._ops.normalize_l2(value, self._axes(-1), 1e-12, "max")


class OpenVinoRuntime:
    """A compiled model. See `Runtime`."""

    def __init__(self, compiled: Any, spec: ModelSpec, precision: str, parallel: int) -> None:
        self.precision = precision
        self._spec = spec
        self._finished = spec.graph is None
        self.parallel = parallel
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(parallel):
            self._requests.put(compiled.create_infer_request())
        self._inputs = {port.get_any_name(): port for port in compiled.inputs}
        self._ranks = {name: len(port.partial_shape) for name, port in self._inputs.items()}
        self._output = compiled.output(0) if self._finished else _sentence_output(compiled)
        self.dimensions = self.run(np.ones((1, 1), dtype=np.int64), np.ones((1, 1), dtype=np.int64)).shape[1]

    @classmethod
    def load(cls, spec: ModelSpec, *, threads: int, precision: Precision) -> OpenVinoRuntime:
        """Builds the encoder from safetensors, or reads the graph lying in the directory, and compiles it.

        Raises:
            Misconfigured: OpenVINO cannot load it, or the CPU does not have the precision.
        """
        import openvino as ov

        weights = Weights(list(spec.weights))
        streams, each = streams_for(threads)
        try:
            core = ov.Core()
            chosen = cpu_precision(core, precision)
            if spec.graph is None:
                ops = OpenVinoOps()
                model = ov.Model([build_encoder(ops, spec, weights).output(0)], ops.inputs)
            else:
                model = core.read_model(spec.graph)
            compiled = core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": chosen,
                    "INFERENCE_NUM_THREADS": streams * each,
                    "NUM_STREAMS": streams,
                },
            )
            return cls(compiled, spec, chosen, streams)
        except RuntimeError as exc:
            raise Misconfigured(
                f"OpenVINO cannot load {spec.name}: {_first_line(exc)}",
                hint="Fetch the model again, or choose another.",
            ) from exc
        finally:
            weights.release()

    def run(self, ids: Ids, mask: Ids) -> NDArray[np.float32]:
        """See `Runtime`."""
        given = inputs_for(self._spec, self._ranks, ids, mask)
        request = self._requests.get()
        try:
            result = request.infer({self._inputs[name]: value for name, value in given.items()})
            vectors = np.array(result[self._output], dtype=np.float32)
        except RuntimeError as exc:
            raise EmbedderUnavailable(f"OpenVINO failed on a batch: {_first_line(exc)}") from exc
        finally:
            self._requests.put(request)
        return vectors if self._finished else sentence_vectors(self._spec, vectors, mask)


def cpu_precision(core: Any, wanted: Precision) -> str:
    """Returns what the CPU is to compute in.

    Raises:
        Misconfigured: It does not have the precision that is wanted.
    """
    able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if wanted == "bf16" and not able:
        raise Misconfigured("This CPU does not compute in bf16.", hint="Set embedding.precision to auto.")
    return "bf16" if able and wanted != "f32" else "f32"


def _sentence_output(compiled: Any) -> Any:
    named = {name: port for port in compiled.outputs for name in port.get_names()}
    for name in ("sentence_embedding", "last_hidden_state", "token_embeddings"):
        if name in named:
            return named[name]
    return compiled.output(0)


def _first_line(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(exc).__name__
