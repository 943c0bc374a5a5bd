# ruff: noqa: S608 - names in statements are checked when an index is made; values are bound
"""Vectors as they are kept, and how near they are to each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import CorruptIndex
from kaynak.engines.faiss.store import Connection, table
from kaynak.engines.protocol import Vector, VectorField

Matrix = NDArray[np.float32]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SALT = np.uint32(0x6B61796E)
BATCH = 2000
"""Vectors that are read at a time."""


def prepared(matrix: Matrix, field: VectorField) -> Matrix:
    """Returns rows as they are kept and searched: for the cosine, of length 1; a row of zeros stays one."""
    if field.metric != "cosine":
        return matrix
    lengths = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    lengths[lengths == 0] = 1.0
    unit: Matrix = (matrix / lengths[:, None]).astype(np.float32)
    return unit


def prepared_one(vector: Vector, field: VectorField) -> Vector:
    """Returns a vector as `prepared` does, in a fraction of the time that it takes for one row."""
    if field.metric != "cosine":
        return vector
    wide = vector.astype(np.float64)
    unit: Vector = (wide / (sqrt(wide.dot(wide)) or 1.0)).astype(np.float32)
    return unit


def similarity(matrix: Matrix, query: Vector, field: VectorField) -> NDArray[np.float32]:
    """Returns one score for each prepared row, higher is better; equal rows have equal scores wherever they stand.

    That is why it is not the product of numpy, which adds up the last rows in another order than the others.
    """
    if field.metric == "l2":
        apart = matrix - query
        scores: NDArray[np.float32] = -np.sqrt(np.einsum("ij,ij->i", apart, apart))
    else:
        scores = np.einsum("ij,j->i", matrix, query)
    return scores


def packed(rows: Numbers, matrix: Matrix) -> list[bytes]:
    """Returns rows of vectors as they are stored: with a number at their end that tells whether they were altered."""
    data = np.ascontiguousarray(matrix, dtype="<f4")
    stored = np.column_stack([data.view("<u4"), _checks(rows, data)])
    return [one.tobytes() for one in stored]


def unpacked(rows: Numbers, blobs: Sequence[bytes], field: VectorField) -> Matrix:
    """Returns vectors from what is stored.

    Raises:
        CorruptIndex: One was altered, or is of another row.
    """
    width = field.dimensions + 1
    data = b"".join(blobs)
    if len(data) != 4 * width * len(rows):
        raise CorruptIndex("A stored vector was cut.")
    stored = np.frombuffer(data, dtype="<f4").reshape(len(rows), width)
    matrix = np.ascontiguousarray(stored[:, :-1])
    if not np.array_equal(stored.view("<u4")[:, -1], _checks(rows, matrix)):
        raise CorruptIndex("A stored vector was altered.")
    return matrix


def _checks(rows: Numbers, matrix: Matrix) -> NDArray[np.uint32]:
    sums: NDArray[np.uint32] = matrix.view("<u4").sum(axis=1, dtype=np.uint32)
    sums ^= rows.astype(np.uint32)
    sums ^= _SALT
    return sums


def read_after(
    connection: Connection, field: VectorField, after: int, until: int, limit: int = BATCH
) -> tuple[Numbers, Matrix]:
    """Returns up to ``limit`` of the vectors in rows above ``after``, up to ``until``, by row."""
    found = connection.execute(
        f"SELECT row, data FROM {table(field)} WHERE row > ? AND row <= ? ORDER BY row LIMIT ?", [after, until, limit]
    ).fetchall()
    rows = np.array([row for row, _ in found], dtype=np.int64)
    return rows, unpacked(rows, [data for _, data in found], field)


def read_all(connection: Connection, field: VectorField, after: int, until: int) -> Iterator[tuple[Numbers, Matrix]]:
    """Yields the vectors in rows above ``after``, up to ``until``, by row, some at a time."""
    while True:
        rows, matrix = read_after(connection, field, after, until)
        if not len(rows):
            return
        yield rows, matrix
        after = int(rows[-1])


def read_some(connection: Connection, field: VectorField, rows: Numbers) -> tuple[Numbers, Matrix]:
    """Returns the vectors in ``rows``, in any order, with the rows they are in."""
    found = connection.execute(
        f"SELECT row, data FROM {table(field)} WHERE row IN (SELECT value FROM json_each(?))",
        [json.dumps(rows.tolist())],
    ).fetchall()
    there = np.array([row for row, _ in found], dtype=np.int64)
    return there, unpacked(there, [data for _, data in found], field)
