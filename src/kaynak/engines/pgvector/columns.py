"""Vectors in SQL: their columns, their indexes, and how near they are."""

from __future__ import annotations

from typing import Literal

from kaynak.engines.protocol import VectorField

Precision = Literal["half", "full", "bit"]

_OPERATORS = {"cosine": "<=>", "dot": "<#>", "l2": "<->"}
_CLASSES = {"cosine": "cosine_ops", "dot": "ip_ops", "l2": "l2_ops"}
METRICS = tuple(_OPERATORS)

MAX_INDEXED = {"half": 4_000, "full": 2_000, "bit": 16_000}
"""Dimensions that an index can take, by precision."""


def column(field: VectorField) -> str:
    """Name of a field's column."""
    return f'"v_{field.name}"'


def kind(field: VectorField, precision: Precision) -> str:
    """SQL type of a field's column. Of what is indexed by its bits, half precision is kept."""
    return f"{'vector' if precision == 'full' else 'halfvec'}({field.dimensions})"


def bytes_of(field: VectorField, precision: Precision) -> int:
    """Returns how long a vector is in an index."""
    return {"half": 2 * field.dimensions, "full": 4 * field.dimensions, "bit": field.dimensions // 8}[precision]


def distance(field: VectorField, precision: Precision) -> str:
    """SQL for the distance to the parameter ``query``."""
    return f"{column(field)} {_OPERATORS[field.metric]} %(query)s::{kind(field, precision)}"


def walked(field: VectorField, precision: Precision) -> str:
    """SQL for what the index of a field can order by: the distance, or in how many bits two vectors differ."""
    if precision != "bit":
        return distance(field, precision)
    return f"{bits(field, column(field))} <~> {query_bits(field, precision)}"


def indexed(field: VectorField, precision: Precision) -> str:
    """SQL for what an index of a field is on."""
    if precision == "bit":
        return f"({bits(field, column(field))}) bit_hamming_ops"
    return f"{column(field)} {'vector' if precision == 'full' else 'halfvec'}_{_CLASSES[field.metric]}"


def negated_scores(field: VectorField, distances: list[float]) -> list[float]:
    """Returns the scores for distances, negated: cosine or dot product as such, L2 negated.

    The cosine with a vector of zeros is undefined (NaN) in pgvector; here it is 0.
    """
    if field.metric == "cosine":
        return [one - 1.0 if one == one else 0.0 for one in distances]
    return distances


def bits(field: VectorField, value: str) -> str:
    """SQL for one bit of each number of a vector."""
    return f"binary_quantize({value})::bit({field.dimensions})"


def query_bits(field: VectorField, precision: Precision) -> str:
    """SQL for the bits of the parameter ``query``."""
    return bits(field, f"%(query)s::{kind(field, precision)}")
