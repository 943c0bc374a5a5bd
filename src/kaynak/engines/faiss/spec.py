from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from kaynak.domain import CorruptIndex, Unsupported
from kaynak.engines.checks import check_fields, check_params
from kaynak.engines.protocol import DenseSpec, VectorField

MAX_DIMENSIONS = 16_000

_AUTO = 0
"""Stands for a number that is chosen when the index is built, by how many vectors there are."""

# Of each type: its parameters, as (default, least, most).
_GRAPH = {"m": (16, 2, 128), "ef_construction": (128, 4, 1000), "ef_search": (96, 1, 2000)}
_LISTS = {"nlist": (_AUTO, 1, 1_000_000), "nprobe": (_AUTO, 1, 1_000_000)}
_PRODUCT = {"subquantizers": (_AUTO, 1, 2000), "bits": (8, 4, 8), "refine": (16, 1, 200)}
_TYPES: dict[str, dict[str, tuple[int, int, int]]] = {
    "flat": {},
    "hnsw": {**_GRAPH, "bits": (32, 4, 32), "refine": (_AUTO, 1, 200)},
    "ivf": {**_LISTS, "bits": (32, 4, 32), "refine": (_AUTO, 1, 200)},
    "sq": {"bits": (8, 4, 16), "refine": (_AUTO, 1, 200)},
    "pq": _PRODUCT,
    "ivfpq": {**_LISTS, **_PRODUCT},
}
_SCALAR_BITS = (4, 8, 16, 32)
_REFINE = {4: 8, 8: 2, 16: 1, 32: 1}
"""How many times the limit are compared once more, by the bits that are left of each number."""

TYPES = tuple(_TYPES)
_METRICS = ("cosine", "dot", "l2")


@dataclass(frozen=True, slots=True)
class Layout:
    """What an index is made of; built from its stored specification alone."""

    name: str
    fields: tuple[VectorField, ...]
    type: str
    params: Mapping[str, int]
    chosen: Mapping[str, int] = field(default_factory=dict)
    """Of the parameters, those that the specification names: an index that was made with other defaults is the same."""

    @property
    def bits(self) -> int:
        """Of each number in the index; what product quantization leaves of one is told by `params` alone."""
        return self.params.get("bits", 32)

    @property
    def product(self) -> bool:
        """Whether vectors are in the index as codes of their parts."""
        return self.type in {"pq", "ivfpq"}

    @property
    def whole(self) -> bool:
        """Whether the index has the vectors as they came."""
        return self.bits == 32

    @property
    def trained(self) -> bool:
        """Whether the index was fitted to the vectors that there were when it was built."""
        return self.type not in {"flat", "hnsw"} or not self.whole

    @property
    def refine(self) -> int:
        """How many times the limit are taken from the index, and compared once more as they came."""
        return self.params.get("refine") or _REFINE[self.bits]

    def stored(self) -> str:
        """The JSON that is kept with the index."""
        fields = [[one.name, one.dimensions, one.metric] for one in self.fields]
        return json.dumps({"fields": fields, "type": self.type, "params": dict(self.params)}, sort_keys=True)

    def same(self, stored: Layout) -> bool:
        """Returns whether an existing index is what this one asks for."""
        chosen = all(stored.params.get(key) == value for key, value in self.chosen.items())
        return self.fields == stored.fields and self.type == stored.type and chosen


def layout_of(spec: DenseSpec) -> Layout:
    """Checks a specification.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: There is no such type, or a parameter that it does not have, or beyond its limits.
    """
    check_fields(spec)
    kind = spec.params.get("type", "hnsw")
    if kind not in _TYPES:
        raise Unsupported(f"faiss has no index type “{kind}” here.", hint=f"There are {', '.join(TYPES)}.")
    known = _TYPES[str(kind)]
    check_params(spec, ("type", *known))
    for one in spec.fields:
        if one.metric not in _METRICS:
            raise Unsupported(f"faiss has no metric “{one.metric}” here.", hint=f"There are {', '.join(_METRICS)}.")
        if one.dimensions > MAX_DIMENSIONS:
            raise Unsupported(f"An index takes at most {MAX_DIMENSIONS:,} dimensions.")
    chosen = {key: _number(kind, key, spec.params[key], known[key]) for key in spec.params if key != "type"}
    layout = Layout(spec.name, spec.fields, str(kind), {key: one[0] for key, one in known.items()} | chosen, chosen)
    _check(layout)
    return layout


def layout_from(name: str, stored: str) -> Layout:
    """Returns the layout of an existing index from what is kept with it.

    Raises:
        CorruptIndex: That is damaged.
    """
    try:
        kept = json.loads(stored)
        fields = tuple(VectorField(one, dimensions, metric) for one, dimensions, metric in kept["fields"])
        return Layout(name, fields, kept["type"], kept["params"])
    except (ValueError, LookupError, TypeError) as exc:
        raise CorruptIndex(f"The specification of index “{name}” is damaged.") from exc


def _number(kind: object, key: str, value: object, limits: tuple[int, int, int]) -> int:
    _, least, most = limits
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Unsupported(f"{key} of the type {kind} must be a whole number from {least} to {most:,}.")
    return value


def _check(layout: Layout) -> None:
    params = layout.params
    if not layout.product and layout.bits not in _SCALAR_BITS:
        allowed = [one for one in _SCALAR_BITS if one <= (16 if layout.type == "sq" else 32)]
        raise Unsupported(f"bits of the type {layout.type} must be one of {', '.join(map(str, allowed))}.")
    if layout.type == "hnsw" and params["ef_construction"] < 2 * params["m"]:
        raise Unsupported("ef_construction of the type hnsw must be at least twice m.")
    if params.get("nlist") and params["nprobe"] > params["nlist"]:
        raise Unsupported(f"nprobe of the type {layout.type} must be at most nlist.")
    parts = params.get("subquantizers", _AUTO)
    if parts and any(one.dimensions % parts for one in layout.fields):
        raise Unsupported(f"subquantizers of the type {layout.type} must divide the dimensions of every field.")
