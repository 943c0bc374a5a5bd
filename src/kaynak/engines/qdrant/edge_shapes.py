"""The words of `kaynak.engines.qdrant.transport` as the embedded engine has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import qdrant_edge as edge

from kaynak.engines.qdrant.transport import (
    EVERYTHING,
    Between,
    Clause,
    Having,
    Ids,
    Look,
    OneOf,
    PayloadIndex,
    PointId,
    Row,
    Scored,
    Shape,
    Sparse,
    Stored,
    Where,
)

_DISTANCES = {"cosine": edge.Distance.Cosine, "dot": edge.Distance.Dot, "l2": edge.Distance.Euclid}

FULL_SCAN_KILOBYTES = 10_000
"""Matching vectors up to which Qdrant itself leaves its graph alone; its own default."""


def condition(where: Where) -> Any:
    """Returns one condition."""
    match where:
        case OneOf(key, values):
            # One value on its own is found in three quarters of the time.
            one = edge.MatchValue(values[0]) if len(values) == 1 else edge.MatchAny([*values])
            return edge.FieldCondition(key, match=one)
        case Between(key, gte, gt, lte, lt):
            return edge.FieldCondition(key, range=edge.RangeFloat(gte=gte, gt=gt, lte=lte, lt=lt))
        case Ids(ids):
            return edge.HasIdCondition(set(ids))
        case Having(vector):
            return edge.HasVectorCondition(vector)
        case Clause():
            return filter_of(where)


def filter_of(where: Where) -> edge.Filter:
    """Returns a condition as a filter."""
    if not isinstance(where, Clause):
        return edge.Filter(must=[condition(where)])
    return edge.Filter(
        must=[condition(one) for one in where.must] or None,
        should=[condition(one) for one in where.should] or None,
        must_not=[condition(one) for one in where.must_not] or None,
    )


def config(shape: Shape) -> edge.EdgeConfig:
    """Returns how a shard is to be made."""
    quantization: Any = None
    if shape.quantization == "int8":
        quantization = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, quantile=0.99, always_ram=True)
    elif shape.quantization == "binary":
        quantization = edge.BinaryQuantizationConfig(always_ram=True)
    return edge.EdgeConfig(
        vectors={
            one.name: edge.EdgeVectorParams(
                one.size, _DISTANCES[one.metric], on_disk=shape.on_disk, quantization_config=quantization
            )
            for one in shape.dense
        },
        sparse_vectors={name: edge.EdgeSparseVectorParams(on_disk=shape.on_disk) for name in shape.sparse},
        hnsw_config=edge.HnswIndexConfig(shape.m, shape.ef_construct, FULL_SCAN_KILOBYTES),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=shape.indexing_threshold),
    )


def index_params(wanted: PayloadIndex) -> Any:
    """Returns the parameters of a payload index."""
    match wanted.kind:
        case "uuid":
            return edge.UuidIndexParams(is_tenant=wanted.tenant)
        case "keyword":
            return edge.KeywordIndexParams(is_tenant=wanted.tenant)
        case "float":
            return edge.FloatIndexParams()
        case "number":
            return edge.IntegerIndexParams(lookup=True, range=False, on_disk=True, enable_hnsw=False)


def vector_of(vector: list[float] | Sparse) -> Any:
    """Returns a vector."""
    return edge.SparseVector(vector.indices, vector.values) if isinstance(vector, Sparse) else vector


def points(stored: Sequence[Stored]) -> list[edge.Point]:
    """Returns points to be written."""
    return [
        edge.Point(one.id, {name: vector_of(vector) for name, vector in one.vectors.items()}, dict(one.payload))
        for one in stored
    ]


def query(look: Look) -> edge.QueryRequest:
    """Returns a search."""
    quantization = None
    if look.exact or look.oversampling is not None:
        quantization = edge.QuantizationSearchParams(ignore=look.exact, rescore=True, oversampling=look.oversampling)
    params = edge.SearchParams(hnsw_ef=look.ef, exact=look.exact, quantization=quantization)
    return edge.QueryRequest(
        look.limit,
        query=edge.Query.Nearest(vector_of(look.vector), look.using),
        # An empty filter would be applied to every point.
        filter=None if look.where is EVERYTHING or look.where == EVERYTHING else filter_of(look.where),
        params=params,
        with_payload=list(look.payload) or False,
    )


def row(found: edge.Record) -> Row:
    """Returns what came back."""
    return Row(found.id, found.payload or {})  # type: ignore[arg-type]  # ids come back as numbers or UUIDs


def scored(found: Sequence[edge.ScoredPoint]) -> list[Scored]:
    """Returns what came back of a search."""
    return [(one.score, one.id, one.payload or {}) for one in found]  # type: ignore[misc]


def point_id(value: int | str | UUID | None) -> PointId | None:
    """Returns an id as we write it."""
    return UUID(value) if isinstance(value, str) else value
