"""Vectors on the wire: the binary form of pgvector's ``halfvec``."""

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
MAX_INDEXED_DIMENSIONS = 4_000


@dataclass(frozen=True, slots=True)
class HalfVector:
    """A vector as the server takes it: two bytes for the dimension, two unused, then big-endian float16."""

    data: bytes


def half_vector(vector: Vector) -> HalfVector:
    """Returns the wire form.

    Raises:
        InvalidRequest: A number is beyond what half precision can hold.
    """
    return HalfVector(half_vectors([vector])[0])


def half_vectors(vectors: Sequence[Vector]) -> list[bytes]:
    """Returns the wire forms of vectors of one length, as bytes.

    Raises:
        InvalidRequest: A number is beyond what half precision can hold.
    """
    with np.errstate(over="ignore"):
        half = np.stack(vectors).astype(np.float32).astype(">f2")
    if not np.isfinite(half).all():
        raise InvalidRequest("A vector has a number beyond ±65,504, the range of half precision.")
    head = half.shape[1].to_bytes(2, "big") + b"\x00\x00"
    return [head + row.tobytes() for row in half]


class _HalfVectorDumper(Dumper):
    format = Format.BINARY
    # No oid: statements cast the parameter, and the server infers its type from that.

    def dump(self, obj: HalfVector) -> Buffer | None:
        return obj.data


def register(connection: AsyncConnection[object]) -> None:
    """Teaches a connection to send `HalfVector`."""
    connection.adapters.register_dumper(HalfVector, _HalfVectorDumper)
