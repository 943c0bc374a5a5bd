from __future__ import annotations

from typing import Any

import numpy as np

from kaynak.domain import InvalidRequest
from kaynak.engines.milvus.filters import TERMS, WORDS, extremes, tokens
from kaynak.engines.milvus.form import Collection
from kaynak.engines.milvus.library import DataType, MilvusClient
from kaynak.engines.milvus.spec import METRICS, Layout
from kaynak.engines.payload_terms import payload_terms
from kaynak.engines.protocol import Entry, Point, Vector, VectorField

MAX_TERMS = 3800
"""Milvus takes 4,096 values in a list, and so many terms as text in 65,535 bytes."""

_TERM_LENGTH = 16
_MAX_EXTREMES = 65_000
"""Milvus takes 65,536 bytes of fields that its schema does not know."""


def common_schema(*, words: bool) -> Any:
    """Returns the schema of what the rows of both sides have."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("document", DataType.VARCHAR, max_length=36)
    schema.add_field(
        TERMS, DataType.ARRAY, element_type=DataType.VARCHAR, max_length=_TERM_LENGTH, max_capacity=MAX_TERMS
    )
    if words:
        schema.add_field(WORDS, DataType.VARCHAR, max_length=65_535)
    return schema


def collections_of(layout: Layout, *, words: bool) -> list[Collection]:
    """Returns the collections that an index of vectors needs."""
    return [
        Collection(
            layout.collection(field),
            _schema_of(field, words=words),
            layout.index_type,
            METRICS[field.metric],
            layout.build_params,
        )
        for field in layout.fields
    ]


def _schema_of(field: VectorField, *, words: bool) -> Any:
    schema = common_schema(words=words)
    # Of a point with several vectors, one row is the first: that one is counted.
    schema.add_field("first", DataType.BOOL)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=field.dimensions)
    return schema


def comparable(vector: Vector, field: VectorField) -> Vector:
    """Returns a vector as it is stored and looked for: of length one where its length does not matter."""
    array = np.ascontiguousarray(vector, dtype=np.float32)
    if field.metric != "cosine":
        return array
    # In double precision, so that no square of a float32 overflows or vanishes.
    wide = array.astype(np.float64)
    length = float(np.linalg.norm(wide))
    return (wide / length).astype(np.float32) if length > 0 else array


def rows_of(layout: Layout, points: list[Point], *, words: bool) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of points by collection.

    Raises:
        InvalidRequest: A payload is more than Milvus takes.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in layout.collections}
    for point in points:
        common = common_row(point, words=words)
        first = True
        for field in layout.fields:
            vector = point.vectors.get(field.name)
            if vector is None:
                continue
            rows[layout.collection(field)].append({**common, "first": first, "vector": comparable(vector, field)})
            first = False
    return rows


def common_row(point: Point | Entry, *, words: bool) -> dict[str, Any]:
    """Returns what the rows of both sides have.

    Raises:
        InvalidRequest: A payload is more than Milvus takes.
    """
    known = payload_terms(point.payload)
    terms, range_of = tokens(known), extremes(known)
    size = sum(len(key) + len(value) + 6 for key, value in range_of.items())
    if len(terms) > MAX_TERMS or size > _MAX_EXTREMES:
        raise InvalidRequest(
            f"The metadata of point {point.id} has {len(terms):,} values, or texts too long, for Milvus.",
            hint=f"It takes {MAX_TERMS:,} values of metadata and readers together; other engines take more.",
        )
    row: dict[str, Any] = {"id": point.id, "document": str(point.document_id), TERMS: terms, **range_of}
    if words:
        row[WORDS] = "|" + "".join(f"{term}|" for term in terms)
    return row
