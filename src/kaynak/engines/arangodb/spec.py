from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

from kaynak.domain import Unsupported
from kaynak.engines.checks import check_fields, check_params
from kaynak.engines.protocol import DenseSpec, VectorField

METRICS = {"cosine": "cosine", "dot": "innerProduct", "l2": "l2"}
"""Our metrics, as vector indexes name them."""

_PARAMS = {"n_lists": (0, 0, 1_000_000), "n_probe": (0, 0, 1_000_000), "training_iterations": (25, 1, 1000)}
_REFERENCE_DIMENSIONS = 384

_LISTS = 4
"""Lists of a vector index, times the root of its points: a walk looks through all their centres first."""

_PROBED = 1 / 8
"""Share of the lists that are looked into. Of vectors that hardly form groups, it finds .96 of the nearest ten."""

_PROBED_LEAST = 32
_FILTERED = 2
"""How many times more are looked into under a filter: what matches lies further apart."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one index is built; made from what is kept with it."""

    name: str
    fields: tuple[VectorField, ...]
    chosen: Mapping[str, int]
    """Of the parameters, those that the specification names: an index that was made with other defaults is the same."""

    def stored(self) -> dict[str, Any]:
        """What is kept with the index."""
        return {"fields": [[one.name, one.dimensions, one.metric] for one in self.fields], "params": dict(self.chosen)}

    def nowhere(self) -> dict[str, Any]:
        """Vectors of zeros for what lies among the points and is none, so that it can be replaced in all versions."""
        return {attribute(one): [0] * one.dimensions for one in self.fields}

    def param(self, key: str) -> int:
        """Returns a parameter, or what it is by default."""
        return self.chosen.get(key, _PARAMS[key][0])

    def exact_rows(self, rows: int) -> int:
        """Returns how many rows of these dimensions are as much work as ``rows`` of the usual ones."""
        widest = max(one.dimensions for one in self.fields)
        return max(1, min(rows, rows * _REFERENCE_DIMENSIONS // widest))

    def definition(self, field: VectorField, points: int, *, stored_values: bool) -> dict[str, Any]:
        """Returns what a vector index of a field is to be like.

        Args:
            field: The field.
            points: That have a vector in it, on one shard: it cannot have more lists than those.
            stored_values: Whether it can keep what conditions look at.
        """
        lists = min(points, self.param("n_lists") or ceil(_LISTS * sqrt(points)))
        return {
            "name": f"vector_{field.name}",
            "sparse": True,
            "inBackground": True,
            "params": {
                "metric": METRICS[field.metric],
                "dimension": field.dimensions,
                "nLists": lists,
                "trainingIterations": self.param("training_iterations"),
            },
            **({"storedValues": ["terms"]} if stored_values else {}),
        }

    def probes(self, lists: int, limit: int, *, filtered: bool) -> int:
        """Returns how many of ``lists`` are looked into for ``limit`` points."""
        usual = max(_PROBED_LEAST, ceil(_PROBED * lists)) * (_FILTERED if filtered else 1)
        # A list of n has about as many points as n / _LISTS².
        enough = ceil(3 * limit * _LISTS * _LISTS / lists)
        return min(lists, max(self.param("n_probe") or usual, enough))


def attribute(field: VectorField) -> str:
    """Name of the attribute of a field."""
    return f"v_{field.name}"


def norm_attribute(field: VectorField) -> str:
    """Name of the attribute that has the length of its vector, for fields compared by dot product."""
    return f"n_{field.name}"


def layout_of(spec: DenseSpec) -> Layout:
    """Checks a specification.

    Raises:
        InvalidRequest: Names or dimensions are malformed.
        Unsupported: A metric or parameter that it does not know.
    """
    check_fields(spec)
    check_params(spec, tuple(_PARAMS))
    for one in spec.fields:
        if one.metric not in METRICS:
            raise Unsupported(f"ArangoDB has no metric “{one.metric}”.")
    chosen = {}
    for key, value in spec.params.items():
        _, least, most = _PARAMS[key]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Unsupported(f"{key} must be a whole number from {least} to {most}.")
        chosen[key] = value
    return Layout(spec.name, spec.fields, chosen)


def layout_from(name: str, stored: Mapping[str, Any]) -> Layout:
    """Returns the layout of an existing index from what is kept with it."""
    return Layout(name, tuple(VectorField(*one) for one in stored["fields"]), stored["params"])
