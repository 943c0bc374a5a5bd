from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from kaynak.domain import Unsupported
from kaynak.engines.checks import check_fields, check_params
from kaynak.engines.pgvector.vectors import MAX_DIMENSIONS, MAX_INDEXED_DIMENSIONS
from kaynak.engines.protocol import DenseSpec, VectorField

_PARAMS = {"m": (16, 2, 100), "ef_construction": (128, 4, 1000), "ef_search": (120, 1, 1000)}
_OPERATORS = {"cosine": "<=>", "dot": "<#>", "l2": "<->"}
_CLASSES = {"cosine": "halfvec_cosine_ops", "dot": "halfvec_ip_ops", "l2": "halfvec_l2_ops"}
_REFERENCE_DIMENSIONS = 384


@dataclass(frozen=True, slots=True)
class Layout:
    """How one index lies in the database; built from its stored specification alone."""

    name: str
    fields: tuple[VectorField, ...]
    params: Mapping[str, int]
    chosen: Mapping[str, int] = field(default_factory=dict)
    """Of the parameters, those that the specification names: an index that was made with other defaults is the same."""
    listed: bool = True
    """Whether it has the index of who may read: one of an older version may not have it yet."""

    @property
    def table(self) -> str:
        """Name of the table; safe to put into SQL, as index names are checked."""
        return f'kaynak_index."{self.name}"'

    def index(self, field: VectorField) -> str:
        """Name of the HNSW index of a field."""
        return f'"{self.name}_{field.name[:16]}_hnsw"'

    def create_index(self, field: VectorField) -> str:
        """Statement that builds the HNSW index of a field."""
        return (
            f"CREATE INDEX IF NOT EXISTS {self.index(field)} ON {self.table}"
            f" USING hnsw ({column(field)} {_CLASSES[field.metric]})"
            f" WITH (m = {self.params['m']}, ef_construction = {self.params['ef_construction']})"
        )

    @property
    def indexed_fields(self) -> tuple[VectorField, ...]:
        """The fields that HNSW can take; others are searched exactly."""
        return tuple(one for one in self.fields if one.dimensions <= MAX_INDEXED_DIMENSIONS)

    def exact_rows(self, rows: int) -> int:
        """Returns how many rows of these dimensions are as much work as ``rows`` of the usual ones."""
        widest = max(one.dimensions for one in self.fields)
        return max(1, min(rows, rows * _REFERENCE_DIMENSIONS // widest))

    def stored(self) -> str:
        """The JSON that is kept with the index."""
        return json.dumps({"fields": self._fields(), "params": dict(self.params)}, sort_keys=True)

    def wanted(self) -> str:
        """The JSON that is part of what is kept with an index like this."""
        return json.dumps({"params": dict(self.chosen)})

    def _fields(self) -> list[list[object]]:
        return [[one.name, one.dimensions, one.metric] for one in self.fields]


def column(field: VectorField) -> str:
    """Name of a field's column."""
    return f'"v_{field.name}"'


def distance(field: VectorField) -> str:
    """SQL for the distance to the parameter ``query``, in a form that the HNSW index can order by."""
    operator = _OPERATORS[field.metric]
    return f"{column(field)} {operator} %(query)s::halfvec({field.dimensions})"


def negated_scores(field: VectorField, distances: list[float]) -> list[float]:
    """Returns the scores for distances, negated: cosine or dot product as such, L2 negated.

    The cosine with a vector of zeros is undefined (NaN) in pgvector; here it is 0.
    """
    if field.metric == "cosine":
        return [one - 1.0 if one == one else 0.0 for one in distances]
    return distances


def layout_of(spec: DenseSpec) -> Layout:
    """Checks a specification.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: pgvector cannot do it.
    """
    check_fields(spec)
    check_params(spec, tuple(_PARAMS))
    for one in spec.fields:
        if one.metric not in _OPERATORS:
            raise Unsupported(f"pgvector has no metric “{one.metric}” for half precision.")
        if one.dimensions > MAX_DIMENSIONS:
            raise Unsupported(f"pgvector takes at most {MAX_DIMENSIONS:,} dimensions.")
    params = {}
    for key, (default, least, most) in _PARAMS.items():
        value = spec.params.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Unsupported(f"{key} must be a whole number from {least} to {most}.")
        params[key] = value
    if params["ef_construction"] < 2 * params["m"]:
        raise Unsupported("ef_construction must be at least twice m.")
    return Layout(spec.name, spec.fields, params, {key: params[key] for key in spec.params})


def layout_from(name: str, stored: Mapping[str, object]) -> Layout:
    """Returns the layout of an existing index from what is kept with it."""
    fields: list[list[object]] = stored["fields"]  # type: ignore[assignment]  # written by `Layout.stored`
    params: dict[str, int] = stored["params"]  # type: ignore[assignment]
    made = tuple(VectorField(str(one[0]), int(str(one[1])), one[2]) for one in fields)  # type: ignore[arg-type]
    return Layout(name, made, params)
