from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from kaynak.domain import Unsupported
from kaynak.engines.checks import check_fields, check_params
from kaynak.engines.pgvector.columns import MAX_INDEXED, METRICS, Precision, bytes_of, indexed
from kaynak.engines.pgvector.vectors import MAX_DIMENSIONS
from kaynak.engines.protocol import DenseSpec, VectorField

Param = str | int

_COMMON: dict[str, tuple[str, ...]] = {"index": ("hnsw", "ivfflat"), "precision": ("half", "full", "bit")}
_OLDER: dict[str, Param] = {key: words[0] for key, words in _COMMON.items()}
"""What indexes are that were made when there was nothing else."""

# Of each index: its parameters, as (default, least, most). To fit more lists takes gigabytes of the server's memory.
_PARAMS = {
    "hnsw": {"m": (16, 2, 100), "ef_construction": (128, 4, 1000), "ef_search": (120, 1, 1000)},
    "ivfflat": {"lists": (400, 1, 2000), "probes": (40, 1, 2000)},
}
_BITS = {"rerank": (20, 1, 200)}

# Dead rows stay in indexes until a vacuum, and are walked over by every search until then.
STORAGE = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500"

REFERENCE_DIMENSIONS = 384
_SAMPLES_PER_LIST = 50
_LEAST_SAMPLES = 10_000
_LEAST_MEGABYTES = 128
# Of a graph in memory, bytes: what a row takes besides its vector and its neighbours; and what each of m takes.
_NODE, _NEIGHBOUR = 220, 32


@dataclass(frozen=True, slots=True)
class Layout:
    """How one index lies in the database; built from its stored specification alone."""

    name: str
    fields: tuple[VectorField, ...]
    params: Mapping[str, Param]
    chosen: Mapping[str, Param] = field(default_factory=dict)
    """Of the parameters, those that the specification names: an index that was made with other defaults is the same."""
    grouped: bool = True
    """Whether it has its groups: one of an older version may not have them yet."""

    @property
    def table(self) -> str:
        """Name of the table; safe to put into SQL, as index names are checked."""
        return f'kaynak_index."{self.name}"'

    @property
    def groups(self) -> str:
        """Name of the table of groups, see `kaynak.engines.pgvector.groups`."""
        return f'kaynak_index."{self.name}_groups"'

    @property
    def regroup(self) -> str:
        """The function that keeps the groups."""
        return f'kaynak_index."{self.name}_regroup"()'

    @property
    def precision(self) -> Precision:
        """Of what is indexed."""
        return self.params["precision"]  # type: ignore[return-value]  # checked when the index was made

    @property
    def lists(self) -> bool:
        """Whether the index is of lists, and not a graph."""
        return self.params["index"] == "ivfflat"

    def number(self, key: str) -> int:
        """Returns a parameter that is a number."""
        return int(self.params[key])

    def index(self, field: VectorField) -> str:
        """Name of the index of a field."""
        return f'"{self.name}_{field.name[:16]}_{self.params["index"]}"'

    def create_index(self, field: VectorField, *, concurrently: bool) -> str:
        """Statement that builds the index of a field; concurrently is while the table is written, in no transaction."""
        keys = ("lists",) if self.lists else ("m", "ef_construction")
        return (
            f"CREATE INDEX {'CONCURRENTLY' if concurrently else ''} IF NOT EXISTS {self.index(field)} ON {self.table}"
            f" USING {self.params['index']} ({indexed(field, self.precision)})"
            f" WITH ({', '.join(f'{key} = {self.number(key)}' for key in keys)})"
        )

    def build_megabytes(self, field: VectorField, rows: int, most: int) -> int:
        """Returns how much memory the index of a field is built with; a graph is built with less if there is less.

        Args:
            field: What is indexed.
            rows: That there are.
            most: For a graph; lists cannot be made with less than they take.
        """
        if not self.lists:
            row = bytes_of(field, self.precision) + _NODE + _NEIGHBOUR * self.number("m")
            return max(_LEAST_MEGABYTES, min(most, rows * row // 2**20 + _LEAST_MEGABYTES))
        lists = self.number("lists")
        samples = max(_LEAST_SAMPLES, _SAMPLES_PER_LIST * lists)
        # The sample, and for each of it a bound for each list; and four sets of centres and their distances.
        numbers = samples * (field.dimensions + lists) + 4 * lists * (field.dimensions + lists)
        return max(_LEAST_MEGABYTES, 4 * numbers // 2**20 + 16)

    @property
    def indexed_fields(self) -> tuple[VectorField, ...]:
        """The fields that the index can take; others are searched exactly."""
        return tuple(one for one in self.fields if one.dimensions <= MAX_INDEXED[self.precision])

    def exact_rows(self, rows: int) -> int:
        """Returns how many rows of these dimensions are as much work as ``rows`` of the usual ones."""
        widest = max(one.dimensions for one in self.fields)
        return max(1, min(rows, rows * REFERENCE_DIMENSIONS // widest))

    def stored(self) -> str:
        """The JSON that is kept with the index."""
        return json.dumps({"fields": self._fields(), "params": dict(self.params)}, sort_keys=True)

    def wanted(self) -> str:
        """The JSON that is part of what is kept with an index like this."""
        return json.dumps({"params": dict(self.chosen)})

    @staticmethod
    def older() -> str:
        """The JSON of parameters that stand for those that an older version did not keep."""
        return json.dumps(_OLDER)

    def _fields(self) -> list[list[object]]:
        return [[one.name, one.dimensions, one.metric] for one in self.fields]


def layout_of(spec: DenseSpec) -> Layout:
    """Checks a specification.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: pgvector cannot do it.
    """
    check_fields(spec)
    words = {key: _word(spec, key, known) for key, known in _COMMON.items()}
    numbers = _PARAMS[words["index"]] | (_BITS if words["precision"] == "bit" else {})
    check_params(spec, (*words, *numbers))
    for one in spec.fields:
        if one.metric not in METRICS or (one.metric == "l2" and words["precision"] == "bit"):
            raise Unsupported(
                f"pgvector has no metric “{one.metric}” for the precision {words['precision']}.",
                hint="Bits tell directions apart, not lengths." if one.metric == "l2" else None,
            )
        if one.dimensions > MAX_DIMENSIONS:
            raise Unsupported(f"pgvector takes at most {MAX_DIMENSIONS:,} dimensions.")
    params: dict[str, Param] = {**words, **{key: _number(spec, key, limits) for key, limits in numbers.items()}}
    if words["index"] == "hnsw" and int(params["ef_construction"]) < 2 * int(params["m"]):
        raise Unsupported("ef_construction must be at least twice m.")
    if words["index"] == "ivfflat" and int(params["probes"]) > int(params["lists"]):
        raise Unsupported("probes must be at most lists.")
    return Layout(spec.name, spec.fields, params, {key: params[key] for key in spec.params})


def _word(spec: DenseSpec, key: str, known: tuple[str, ...]) -> str:
    value = spec.params.get(key, known[0])
    if value not in known:
        raise Unsupported(f"{key} must be one of {', '.join(known)}.")
    return str(value)


def _number(spec: DenseSpec, key: str, limits: tuple[int, int, int]) -> int:
    default, least, most = limits
    value = spec.params.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Unsupported(f"{key} must be a whole number from {least} to {most}.")
    return value


def layout_from(name: str, stored: Mapping[str, object]) -> Layout:
    """Returns the layout of an existing index from what is kept with it."""
    fields: list[list[object]] = stored["fields"]  # type: ignore[assignment]  # written by `Layout.stored`
    params: dict[str, Param] = stored["params"]  # type: ignore[assignment]
    made = tuple(VectorField(str(one[0]), int(str(one[1])), one[2]) for one in fields)  # type: ignore[arg-type]
    return Layout(name, made, {**_OLDER, **params})
