from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kaynak.domain import Json, Unsupported
from kaynak.engines.checks import check_fields, check_params
from kaynak.engines.milvus.form import main_collection
from kaynak.engines.options import PREFIX
from kaynak.engines.protocol import DenseSpec, VectorField

SIDE = "Dense"

METRICS = {"cosine": "IP", "dot": "IP", "l2": "L2"}
"""As Milvus has them. Cosine is the dot product of vectors that we have made one long: Milvus 2.3 never finds a vector
of zeros by cosine."""

MAX_DIMENSIONS = 32_768

_MAX_EF = 32_768
_WIDER = 4

# Name in Milvus, default, least, most.
_BUILD: dict[str, dict[str, tuple[str, int, int, int]]] = {
    "FLAT": {},
    "IVF_FLAT": {"nlist": ("nlist", 1024, 1, 65_536)},
    "IVF_SQ8": {"nlist": ("nlist", 1024, 1, 65_536)},
    "HNSW": {"m": ("M", 16, 4, 64), "ef_construction": ("efConstruction", 200, 8, 512)},
}
_SEARCH: dict[str, dict[str, tuple[str, int, int, int]]] = {
    "FLAT": {},
    "IVF_FLAT": {"nprobe": ("nprobe", 64, 1, 65_536)},
    "IVF_SQ8": {"nprobe": ("nprobe", 64, 1, 65_536)},
    "HNSW": {"ef_search": ("ef", 120, 1, _MAX_EF)},
}
_PRETENDED = ("IVF_PQ", "SCANN", "DISKANN")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one index lies in Milvus; built from what is stored with it alone.

    Attributes:
        name: Of the index.
        fields: One collection each.
        index_type: Of all of them.
        params: Of the index type, all of them.
        strong: Whether every read waits until the server has caught up with the moment it was asked.
        prefix: Of the names of its collections.
    """

    name: str
    fields: tuple[VectorField, ...]
    index_type: str
    params: Mapping[str, int]
    strong: bool
    prefix: str = PREFIX

    @property
    def main(self) -> str:
        """Name of the collection of the first field, in which specification and revision are kept too."""
        return main_collection(self.prefix, self.name, SIDE)

    @property
    def collections(self) -> tuple[str, ...]:
        """Names of the collections, one for each field."""
        return tuple(self.collection(one) for one in self.fields)

    def collection(self, field: VectorField) -> str:
        """Name of a field's collection."""
        return self.main if field == self.fields[0] else f"{self.main}_{field.name}"

    @property
    def blank(self) -> Mapping[str, Any]:
        """See `Form.blank`: a vector of zeros, which a search leaves out by its id."""
        return {"first": False, "vector": np.zeros(self.fields[0].dimensions, dtype=np.float32)}

    @property
    def row_bytes(self) -> int:
        """A guess of what a row takes."""
        return 4 * max(one.dimensions for one in self.fields)

    @property
    def exhaustive(self) -> bool:
        """Whether Milvus compares with every vector."""
        return self.index_type == "FLAT"

    @property
    def build_params(self) -> dict[str, int]:
        """Parameters of the index, as Milvus names them."""
        return {theirs: self.params[ours] for ours, (theirs, *_) in _BUILD[self.index_type].items()}

    def search_params(self, limit: int, *, filtered: bool) -> dict[str, int]:
        """Parameters of a search, as Milvus names them."""
        # A filter hides most of what a walk or a list comes by: it has to look further for as many.
        wider = _WIDER if filtered else 1
        if self.index_type == "HNSW":
            # More than the limit, as the last of what a graph search returns are its least sure ones.
            return {"ef": min(_MAX_EF, max(self.params["ef_search"] * wider, limit * 6 // 5))}
        if self.exhaustive:
            return {}
        return {"nprobe": min(self.params["nprobe"] * wider, self.params["nlist"])}

    def stored(self) -> str:
        """The JSON that is kept with the index."""
        fields = [[one.name, one.dimensions, one.metric] for one in self.fields]
        kept = {"fields": fields, "index_type": self.index_type, "params": dict(self.params), "strong": self.strong}
        return json.dumps(kept, sort_keys=True)

    def fits(self, spec: DenseSpec, other: Layout) -> bool:
        """Returns whether this is an index of ``spec``, of which ``other`` is the layout with defaults of today."""
        return self.fields == other.fields and all(self._value(name) == other._value(name) for name in spec.params)

    def _value(self, name: str) -> Json:
        named: dict[str, Json] = {"index_type": self.index_type, "consistency": self.strong}
        return named.get(name, self.params.get(name))


def layout_of(spec: DenseSpec, *, embedded: bool, replicas: int = 1, prefix: str = PREFIX) -> Layout:
    """Checks a specification.

    Args:
        spec: What is wanted.
        embedded: Whether it is for milvus-lite, which by default compares with every vector: it looks at each row in
            Python in any case, so that a graph halves what a search takes, and makes all else slower.
        replicas: Copies in memory.
        prefix: Of the names of its collections.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: Milvus cannot do it.
    """
    check_fields(spec)
    index_type = spec.params.get("index_type", "FLAT" if embedded else "HNSW")
    if not isinstance(index_type, str) or index_type not in _BUILD:
        hint = f"Use one of {', '.join(_BUILD)}."
        if index_type in _PRETENDED:
            hint += " milvus-lite takes it and compares with every vector instead."
        raise Unsupported(f"There is no index type “{index_type}” here.", hint=hint)
    known = {**_BUILD[index_type], **_SEARCH[index_type]}
    check_params(spec, ("index_type", "consistency", *known))
    for one in spec.fields:
        if one.metric not in METRICS:
            raise Unsupported(f"Milvus has no metric “{one.metric}” for vectors of floats.")
        if one.dimensions > MAX_DIMENSIONS:
            raise Unsupported(f"Milvus takes at most {MAX_DIMENSIONS:,} dimensions.")
    strong = strong_of(spec.params, replicas)
    params = {}
    for name, (_, default, least, most) in known.items():
        value = spec.params.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Unsupported(f"{name} must be a whole number from {least:,} to {most:,}.")
        params[name] = value
    return Layout(spec.name, spec.fields, index_type, params, strong, prefix)


def strong_of(params: Mapping[str, Json], replicas: int) -> bool:
    """Returns whether strong reads are asked for, by parameters of either side.

    Raises:
        Unsupported: What is asked for is something else, or less than several replicas need.
    """
    consistency = params.get("consistency", "strong" if replicas > 1 else "written")
    if consistency not in ("strong", "written"):
        raise Unsupported("consistency must be “written” or “strong”.")
    if consistency == "written" and replicas > 1:
        raise Unsupported("With several replicas, consistency must be “strong”.")
    return consistency == "strong"


def layout_from(name: str, stored: str, prefix: str = PREFIX) -> Layout:
    """Returns the layout of an existing index from what is kept with it."""
    kept = json.loads(stored)
    fields = tuple(VectorField(one[0], int(one[1]), one[2]) for one in kept["fields"])
    return Layout(name, fields, kept["index_type"], kept["params"], kept["strong"], prefix)
