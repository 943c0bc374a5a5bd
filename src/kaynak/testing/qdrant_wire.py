"""Documented shapes of Qdrant's REST interface, read into the embedded engine's; a field that is not one is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import qdrant_edge as edge

_DISTANCES = {"Cosine": edge.Distance.Cosine, "Dot": edge.Distance.Dot, "Euclid": edge.Distance.Euclid}


class Refused(Exception):
    """What a request is answered with."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def take(body: Any, *known: str) -> dict[str, Any]:
    """Returns a JSON object with no other fields than these, less those that are null."""
    if not isinstance(body, dict) or set(body) - set(known):
        raise Refused(400, f"Format error in JSON body: unknown field among {sorted(body)}")
    return {key: value for key, value in body.items() if value is not None}


def _only(body: Any, known: dict[str, Any]) -> Any:
    """Returns what the one field of an object stands for."""
    fields = take(body, *known)
    if len(fields) != 1:
        raise Refused(400, "Format error in JSON body: one field was expected")
    ((name, value),) = fields.items()
    return known[name](value)


def config_of(body: dict[str, Any]) -> edge.EdgeConfig:
    """Reads a collection to be made."""
    asked = take(
        body,
        "vectors",
        "sparse_vectors",
        "shard_number",
        "replication_factor",
        "write_consistency_factor",
        "on_disk_payload",
        "hnsw_config",
        "optimizers_config",
    )
    hnsw = take(asked.get("hnsw_config", {}), "m", "ef_construct")
    optimizers = take(asked.get("optimizers_config", {}), "memmap_threshold", "indexing_threshold")
    return edge.EdgeConfig(
        vectors={name: _dense(one) for name, one in asked.get("vectors", {}).items()},
        sparse_vectors={name: _sparse(one) for name, one in asked.get("sparse_vectors", {}).items()},
        hnsw_config=edge.HnswIndexConfig(hnsw.get("m", 16), hnsw.get("ef_construct", 100), 10_000),
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=optimizers.get("indexing_threshold")),
    )


def _dense(body: Any) -> edge.EdgeVectorParams:
    asked = take(body, "size", "distance", "on_disk", "quantization_config")
    quantization = asked.get("quantization_config")
    how = {"scalar": _scalar, "binary": _binary}
    return edge.EdgeVectorParams(
        asked["size"],
        _DISTANCES[asked["distance"]],
        on_disk=asked.get("on_disk"),
        quantization_config=None if quantization is None else _only(quantization, how),
    )


def _scalar(body: Any) -> edge.ScalarQuantizationConfig:
    asked = take(body, "type", "quantile", "always_ram")
    if asked["type"] != "int8":
        raise Refused(400, "Format error in JSON body: type")
    return edge.ScalarQuantizationConfig(edge.ScalarType.Int8, asked.get("quantile"), asked.get("always_ram"))


def _binary(body: Any) -> edge.BinaryQuantizationConfig:
    return edge.BinaryQuantizationConfig(always_ram=take(body, "always_ram").get("always_ram"))


def _sparse(body: Any) -> edge.EdgeSparseVectorParams:
    index = take(take(body, "index").get("index", {}), "on_disk")
    return edge.EdgeSparseVectorParams(on_disk=index.get("on_disk"))


def index_of(body: Any) -> Any:
    """Reads the parameters of a payload index."""
    asked = take(body, "type", "is_tenant", "lookup", "range", "on_disk")
    kind = asked.pop("type")
    if kind in {"uuid", "keyword"}:
        made = edge.UuidIndexParams if kind == "uuid" else edge.KeywordIndexParams
        return made(is_tenant=take(asked, "is_tenant").get("is_tenant"))
    if kind == "float":
        take(asked)
        return edge.FloatIndexParams()
    if kind == "integer":
        return edge.IntegerIndexParams(**take(asked, "lookup", "range", "on_disk"))
    raise Refused(400, "Format error in JSON body: type")


def filter_of(body: Any) -> edge.Filter:
    """Reads a filter."""
    asked = take(body, "must", "should", "must_not")
    parts = {key: [_condition(one) for one in value] for key, value in asked.items()}
    return edge.Filter(must=parts.get("must"), should=parts.get("should"), must_not=parts.get("must_not"))


def _condition(body: Any) -> Any:
    if "key" in body:
        asked = take(body, "key", "match", "range")
        match = _match(asked["match"]) if "match" in asked else None
        bounds = edge.RangeFloat(**take(asked["range"], "gte", "gt", "lte", "lt")) if "range" in asked else None
        return edge.FieldCondition(asked["key"], match=match, range=bounds)
    if "has_id" in body:
        return edge.HasIdCondition({_id(one) for one in take(body, "has_id")["has_id"]})
    if "has_vector" in body:
        return edge.HasVectorCondition(take(body, "has_vector")["has_vector"])
    return filter_of(body)


def _match(body: Any) -> Any:
    asked = take(body, "any", "value")
    if len(asked) != 1:
        raise Refused(400, "Format error in JSON body: match")
    return edge.MatchAny(asked["any"]) if "any" in asked else edge.MatchValue(asked["value"])


def _id(value: Any) -> int | UUID:
    return UUID(value) if isinstance(value, str) else int(value)


def _vector(value: Any) -> Any:
    if isinstance(value, list):
        return value
    asked = take(value, "indices", "values")
    if len(set(asked["indices"])) != len(asked["values"]):
        raise Refused(422, "Validation error in JSON body: indices must be unique")
    return edge.SparseVector(asked["indices"], asked["values"])


def point_of(body: Any) -> edge.Point:
    """Reads a point."""
    asked = take(body, "id", "vector", "payload")
    vectors = {name: _vector(one) for name, one in asked["vector"].items()}
    return edge.Point(_id(asked["id"]), vectors, asked.get("payload"))


def query_of(body: Any) -> edge.QueryRequest:
    """Reads a search."""
    asked = take(body, "query", "using", "filter", "params", "limit", "with_payload", "with_vector")
    params = take(asked.get("params", {}), "hnsw_ef", "exact", "quantization")
    quantization = take(params.pop("quantization", {}), "ignore", "rescore", "oversampling")
    return edge.QueryRequest(
        asked["limit"],
        query=edge.Query.Nearest(_vector(_only(asked["query"], {"nearest": lambda one: one})), asked["using"]),
        filter=filter_of(asked["filter"]) if "filter" in asked else None,
        params=edge.SearchParams(**params, quantization=edge.QuantizationSearchParams(**quantization)),
        with_payload=asked.get("with_payload"),
        with_vector=asked.get("with_vector"),
    )


def wire_row(found: Any) -> dict[str, Any]:
    """Writes what was found."""
    key = found.id if isinstance(found.id, int) else str(found.id)
    row = {"id": key, "payload": found.payload}
    return row if isinstance(found, edge.Record) else {**row, "version": found.version, "score": found.score}
