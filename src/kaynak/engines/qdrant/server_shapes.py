"""The words of `kaynak.engines.qdrant.transport` as the server's client has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from qdrant_client import models

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

_DISTANCES = {"cosine": models.Distance.COSINE, "dot": models.Distance.DOT, "l2": models.Distance.EUCLID}


def condition(where: Where) -> Any:
    """Returns one condition."""
    match where:
        case OneOf(key, values):
            # One value on its own is found in three quarters of the time.
            one = models.MatchValue(value=values[0]) if len(values) == 1 else models.MatchAny(any=list(values))
            return models.FieldCondition(key=key, match=one)
        case Between(key, gte, gt, lte, lt):
            return models.FieldCondition(key=key, range=models.Range(gte=gte, gt=gt, lte=lte, lt=lt))
        case Ids(ids):
            return models.HasIdCondition(has_id=[wire_id(one) for one in ids])
        case Having(vector):
            return models.HasVectorCondition(has_vector=vector)
        case Clause():
            return filter_of(where)


def filter_of(where: Where) -> models.Filter:
    """Returns a condition as a filter."""
    if not isinstance(where, Clause):
        return models.Filter(must=[condition(where)])
    return models.Filter(
        must=[condition(one) for one in where.must] or None,
        should=[condition(one) for one in where.should] or None,
        must_not=[condition(one) for one in where.must_not] or None,
    )


def filter_or_none(where: Where) -> models.Filter | None:
    """Returns the same; None for a filter that is empty, and would be applied to every point."""
    return None if where == EVERYTHING else filter_of(where)


def wire_id(key: PointId) -> int | str:
    """Returns an id as it goes over the wire."""
    return str(key) if isinstance(key, UUID) else key


def point_id(value: Any) -> PointId | None:
    """Returns an id as we write it."""
    return UUID(value) if isinstance(value, str) else value


def collection(shape: Shape) -> dict[str, Any]:
    """Returns the arguments of ``create_collection`` that say what is in it."""
    quantization: Any = None
    if shape.quantization == "int8":
        scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        quantization = models.ScalarQuantization(scalar=scalar)
    elif shape.quantization == "binary":
        quantization = models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    return {
        "vectors_config": {
            one.name: models.VectorParams(
                size=one.size,
                distance=_DISTANCES[one.metric],
                on_disk=shape.on_disk,
                quantization_config=quantization,
            )
            for one in shape.dense
        },
        "sparse_vectors_config": {
            name: models.SparseVectorParams(index=models.SparseIndexParams(on_disk=shape.on_disk))
            for name in shape.sparse
        },
        "hnsw_config": models.HnswConfigDiff(m=shape.m, ef_construct=shape.ef_construct),
        "optimizers_config": models.OptimizersConfigDiff(
            memmap_threshold=shape.memmap_threshold, indexing_threshold=shape.indexing_threshold
        ),
    }


def index_params(wanted: PayloadIndex) -> Any:
    """Returns the parameters of a payload index."""
    match wanted.kind:
        case "uuid":
            return models.UuidIndexParams(type=models.UuidIndexType.UUID, is_tenant=wanted.tenant or None)
        case "keyword":
            return models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=wanted.tenant or None)
        case "float":
            return models.FloatIndexParams(type=models.FloatIndexType.FLOAT)
        case "number":
            return models.IntegerIndexParams(
                type=models.IntegerIndexType.INTEGER, lookup=True, range=False, on_disk=True
            )


def vector_of(vector: list[float] | Sparse) -> Any:
    """Returns a vector."""
    return models.SparseVector(indices=vector.indices, values=vector.values) if isinstance(vector, Sparse) else vector


def points(stored: Sequence[Stored]) -> list[models.PointStruct]:
    """Returns points to be written. They are not validated, which would take as long as to send them."""
    return [
        models.PointStruct.model_construct(
            id=wire_id(one.id),
            vector={name: vector_of(vector) for name, vector in one.vectors.items()},
            payload=dict(one.payload),
        )
        for one in stored
    ]


def search_params(look: Look) -> models.SearchParams:
    """Returns how a search is done."""
    quantization = models.QuantizationSearchParams(
        ignore=look.exact or look.oversampling is None, rescore=True, oversampling=look.oversampling
    )
    return models.SearchParams(hnsw_ef=look.ef, exact=look.exact, quantization=quantization)


def row(found: models.Record) -> Row:
    """Returns what came back."""
    return Row(UUID(found.id) if isinstance(found.id, str) else found.id, found.payload or {})


def scored(found: Sequence[models.ScoredPoint]) -> list[Scored]:
    """Returns what came back of a search."""
    return [(one.score, one.id, one.payload or {}) for one in found]  # type: ignore[misc]
