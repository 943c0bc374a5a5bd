from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kaynak.domain import WEIGHTS, CorruptIndex, Json, Unsupported
from kaynak.engines.analysis import ANALYSIS_VERSION
from kaynak.engines.checks import check_fields, check_name, check_params, check_weighted
from kaynak.engines.protocol import DenseSpec, LexicalSpec, VectorField
from kaynak.engines.qdrant.payloads import DOCUMENT, TENANT, TERMS
from kaynak.engines.qdrant.transport import DenseShape, PayloadIndex, Shape

WORDS = "words"
"""The sparse vector of an entry, and the payload field of the numbers of its terms."""

LANGUAGE = "language"

FORMAT = 1

_MAX_DIMENSIONS = 65_536
_METRICS = frozenset({"cosine", "dot", "l2"})
_NUMBERS: Mapping[str, tuple[int, int]] = {
    "m": (4, 128),
    "ef_construct": (4, 2000),
    "hnsw_ef": (1, 2000),
    "memmap_threshold": (1, 10**9),
    "indexing_threshold": (1, 10**9),
}
_OVERSAMPLING = {"none": 1.0, "int8": 2.0, "binary": 4.0}
DENSE_PARAMS = ("quantization", "oversampling", "on_disk", "tenant", *_NUMBERS)
LEXICAL_PARAMS = ("average_length", "on_disk", "tenant", WEIGHTS)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one index lies in Qdrant; read from its header alone.

    Attributes:
        fields: Its vectors; none for a lexical index.
        params: As they were given.
        average: Terms of a usual entry of a lexical index, once there was one; see `kaynak.engines.qdrant.lexical`.
    """

    fields: tuple[VectorField, ...]
    params: Mapping[str, Json]
    average: float | None = None

    @property
    def weighted(self) -> bool:
        """Whether it is a lexical index of learnt weights."""
        return WEIGHTS in self.params

    @property
    def analysis(self) -> int:
        """Version of our analysis that its terms come from; 0 where there are none."""
        return 0 if self.fields or self.weighted else ANALYSIS_VERSION

    @property
    def tenant(self) -> str | None:
        """The path whose values lie together on disk."""
        tenant = self.params.get("tenant")
        return None if tenant is None else str(tenant)

    @property
    def hnsw_ef(self) -> int:
        """Breadth of a walk through the graph, at least."""
        return int(str(self.params.get("hnsw_ef", 128)))

    @property
    def oversampling(self) -> float | None:
        """See `Look`; None where there are only original vectors."""
        how = str(self.params.get("quantization", "none"))
        return None if how == "none" else float(str(self.params.get("oversampling", _OVERSAMPLING[how])))

    def same(self, other: Layout) -> bool:
        """Returns whether both are what one specification asks for."""
        return self.fields == other.fields and dict(self.params) == dict(other.params)

    def header(self, revision: int) -> dict[str, Json]:
        """Returns the payload of the reserved point."""
        return {
            "format": FORMAT,
            "analysis": self.analysis,
            "fields": [[one.name, one.dimensions, one.metric] for one in self.fields],
            "params": dict(self.params),
            "average": self.average,
            "revision": revision,
        }

    def shape(self) -> Shape:
        """Returns the collection it needs."""
        params: Mapping[str, Any] = self.params
        asked = {key: params[key] for key in ("m", "ef_construct", "quantization", "on_disk") if key in params}
        asked |= {key: params[key] for key in ("memmap_threshold", "indexing_threshold") if key in params}
        dense = tuple(DenseShape(one.name, one.dimensions, one.metric) for one in self.fields)
        return Shape(dense=dense, sparse=() if dense else (WORDS,), **asked)

    def indexes(self) -> tuple[PayloadIndex, ...]:
        """Returns the payload indexes it begins with; those for ranges come with the first values."""
        ours = [PayloadIndex(DOCUMENT, "uuid"), PayloadIndex(TERMS, "uuid")]
        if self.tenant is not None:
            ours.append(PayloadIndex(TENANT, "uuid", tenant=True))
        if not self.fields and not self.weighted:
            ours += [PayloadIndex(WORDS, "number"), PayloadIndex(LANGUAGE, "keyword")]
        return tuple(ours)


def layout_from(name: str, header: Mapping[str, Any]) -> Layout:
    """Returns the layout of an index from its header.

    Raises:
        CorruptIndex: It was written by another version.
    """
    try:
        fields = tuple(VectorField(str(one[0]), int(one[1]), one[2]) for one in header["fields"])
        layout = Layout(fields, dict(header["params"]), header["average"])
        known = (int(header["format"]), int(header["analysis"])) == (FORMAT, layout.analysis)
    except (KeyError, TypeError, ValueError, IndexError) as exc:
        raise CorruptIndex(f"Index “{name}” has a damaged header.") from exc
    if not known:
        raise CorruptIndex(f"Index “{name}” was written by another version.")
    return layout


def with_average(layout: Layout, average: float) -> Layout:
    """Returns the layout with its usual length of an entry."""
    return replace(layout, average=average)


def dense_layout(spec: DenseSpec, unsupported: Mapping[str, str]) -> Layout:
    """Checks a specification.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: Qdrant, or this way to it, cannot do it.
    """
    check_name(spec.name)
    check_fields(spec)
    check_params(spec, DENSE_PARAMS)
    for one in spec.fields:
        if one.metric not in _METRICS:
            raise Unsupported(f"Qdrant has no metric “{one.metric}” here.")
        if one.dimensions > _MAX_DIMENSIONS:
            raise Unsupported(f"Qdrant takes at most {_MAX_DIMENSIONS:,} dimensions.")
    params = spec.params
    _check_shared(params, unsupported)
    for key, (least, most) in _NUMBERS.items():
        value = params.get(key, least)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Unsupported(f"{key} must be a whole number from {least} to {most:,}.")
    if params.get("quantization", "none") not in _OVERSAMPLING:
        raise Unsupported("quantization must be none, int8 or binary.")
    if "oversampling" in params:
        if params.get("quantization", "none") == "none":
            raise Unsupported("oversampling means nothing without quantization.")
        _number_from_to("oversampling", params["oversampling"], 1, 100)
    return Layout(spec.fields, dict(params))


def lexical_layout(spec: LexicalSpec, unsupported: Mapping[str, str]) -> Layout:
    """Checks a specification; errors as in `dense_layout`."""
    check_name(spec.name)
    check_params(spec, LEXICAL_PARAMS)
    _check_shared(spec.params, unsupported)
    average = spec.params.get("average_length")
    if check_weighted(spec) and average is not None:
        raise Unsupported(f"average_length means nothing with {WEIGHTS}.")
    if average is None:
        return Layout((), dict(spec.params))
    return Layout((), dict(spec.params), _number_from_to("average_length", average, 1, 100_000))


def _check_shared(params: Mapping[str, Json], unsupported: Mapping[str, str]) -> None:
    for key in sorted(set(params) & set(unsupported)):
        raise Unsupported(f"{key}: {unsupported[key]}")
    if not isinstance(params.get("on_disk", False), bool):
        raise Unsupported("on_disk must be true or false.")
    if not isinstance(params.get("tenant", ""), str):
        raise Unsupported("tenant must be the path of a payload field.")


def _number_from_to(key: str, value: Json, least: int, most: int) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise Unsupported(f"{key} must be a number from {least} to {most:,}.")
    return float(value)
