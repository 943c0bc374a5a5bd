"""Vectors on the wire: the binary forms of pgvector's ``halfvec`` and ``vector``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from kaynak.domain import InvalidRequest
from kaynak.engines.protocol import Vector

MAX_DIMENSIONS = 16_000


@dataclass(frozen=True, slots=True)
class WireVector:
    """A vector as the server takes it: two bytes for the dimension, two unused, then big-endian numbers."""

    data: bytes


def wire_vector(vector: Vector, *, full: bool) -> WireVector:
    """Returns the wire form; arguments and errors as in `wire_vectors`."""
    return WireVector(wire_vectors([vector], full=full)[0])


def wire_vectors(vectors: Sequence[Vector], *, full: bool) -> list[bytes]:
    """Returns the wire forms of vectors of one length, as bytes.

    Args:
        vectors: At least one.
        full: Whether for ``vector``, of float32; otherwise for ``halfvec``, of float16.

    Raises:
        InvalidRequest: A number is beyond what half precision can hold.
    """
    with np.errstate(over="ignore"):
        numbers = np.stack(vectors).astype(np.float32).astype(">f4" if full else ">f2")
    if not np.isfinite(numbers).all():
        raise InvalidRequest(
            "A vector has a number beyond ±65,504, the range of half precision.",
            hint="An index with “precision: full” holds any.",
        )
    head = numbers.shape[1].to_bytes(2, "big") + b"\x00\x00"
    return [head + row.tobytes() for row in numbers]


class _WireVectorDumper(Dumper):
    format = Format.BINARY
    # No oid: statements cast the parameter, and the server infers its type from that.

    def dump(self, obj: WireVector) -> Buffer | None:
        return obj.data


def register(connection: AsyncConnection[object]) -> None:
    """Teaches a connection to send `WireVector`."""
    connection.adapters.register_dumper(WireVector, _WireVectorDumper)
