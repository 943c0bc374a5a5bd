"""Writes ONNX models: the few messages and fields of its protocol buffers that an encoder needs.

The field numbers are those of ``onnx.proto3`` (IR version 10). The ``onnx`` package would do the same for
9 MB and three more dependencies.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT, _INT64 = 1, 7
_OPSET = 20


class OnnxFile:
    """A model under construction; values are known by their names."""

    def __init__(self) -> None:
        self._graph: list[bytes] = []
        self._names = 0

    def name(self) -> str:
        """Returns a new name for a value."""
        self._names += 1
        return f"v{self._names}"

    def input(self, name: str, rank: int) -> str:
        """Declares an int64 input with all sizes open."""
        self._graph.append(_field(11, _value_info(name, _INT64, [f"{name}_{axis}" for axis in range(rank)])))
        return name

    def output(self, name: str, rank: int) -> None:
        """Declares a float output."""
        self._graph.append(_field(12, _value_info(name, _FLOAT, [f"{name}_{axis}" for axis in range(rank)])))

    def constant(self, value: NDArray[Any]) -> str:
        """Adds a tensor of float32 or int64."""
        array = np.ascontiguousarray(value)
        kind = _INT64 if array.dtype == np.int64 else _FLOAT
        name = self.name()
        dims = b"".join(_number(1, size) for size in value.shape)
        self._graph.append(_field(5, dims + _number(2, kind) + _field(8, name.encode()) + _field(9, array.tobytes())))
        return name

    def node(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Adds an operation with one output, and returns the output's name."""
        output = self.name()
        message = b"".join(_field(1, name.encode()) for name in inputs)
        message += _field(2, output.encode()) + _field(4, operator.encode())
        message += b"".join(_field(5, _attribute(key, value)) for key, value in attributes.items())
        self._graph.append(_field(1, message))
        return output

    def finish(self) -> bytes:
        """Returns the model as the bytes of an ``.onnx`` file."""
        operators = _field(8, _number(2, _OPSET))
        # Joined once: a model of gigabytes should not be copied for each level.
        body = [*self._graph, _field(2, b"encoder")]
        size = sum(map(len, body))
        return b"".join([_number(1, 10), _varint(7 << 3 | 2), _varint(size), *body, operators])


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _attribute(name: str, value: float | int | str | list[int]) -> bytes:
    message = _field(1, name.encode())
    if isinstance(value, float):
        return message + _varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, 1)
    if isinstance(value, list):
        return message + b"".join(_number(8, each) for each in value) + _number(20, 7)
    if isinstance(value, int):
        return message + _number(3, value) + _number(20, 2)
    return message + _field(4, value.encode()) + _number(20, 3)


def _value_info(name: str, kind: int, axes: Sequence[str]) -> bytes:
    shape = b"".join(_field(1, _field(2, axis.encode())) for axis in axes)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, shape)))
