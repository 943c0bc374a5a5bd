"""What the adapter asks of Qdrant, in words that the server's client and the embedded engine both understand.

The adapter is written against `Transport` alone, so that what the contract suite proves on the embedded engine, which
is the server's own storage and search, holds for the server as far as the two speak alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from kaynak.domain import Json

PointId: TypeAlias = int | UUID


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field, or an element of it, is one of the values."""

    key: str
    values: tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """The field, or an element of it, is a number within the bounds that are given."""

    key: str
    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """The point is one of these."""

    ids: tuple[PointId, ...]


@dataclass(frozen=True, slots=True)
class Having:
    """The point has the named vector."""

    vector: str


@dataclass(frozen=True, slots=True)
class Clause:
    """All of ``must`` hold, one of ``should`` if there are any, and none of ``must_not``."""

    must: tuple[Where, ...] = ()
    should: tuple[Where, ...] = ()
    must_not: tuple[Where, ...] = ()


Where: TypeAlias = OneOf | Between | Ids | Having | Clause

EVERYTHING = Clause()
NOTHING = Ids(())


def among(ids: Sequence[int], where: Where) -> Where:
    """Returns a condition for some points only."""
    return Clause(must=(Ids(tuple(ids)), where))


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector; no index stands twice."""

    indices: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Stored:
    """A point as it is written: what stood under its id before is gone, vectors that are not named here included."""

    id: PointId
    vectors: Mapping[str, list[float] | Sparse]
    payload: Mapping[str, Json]


class Row(NamedTuple):
    """A point as it comes back where nothing is scored."""

    id: PointId
    payload: Mapping[str, Json]


Scored: TypeAlias = tuple[float, PointId, Mapping[str, Json]]
"""Qdrant's own score, which is a distance for l2, the id, and the payload of a point that was searched for."""


class Look(NamedTuple):
    """One search.

    Attributes:
        using: Name of the vector.
        vector: What to be near to.
        where: What to look among.
        limit: Rows at most.
        exact: Compare with every point, by its original vector.
        ef: Breadth of the walk through the graph; None where there is none.
        oversampling: How many times the limit is taken by quantized vectors, to be compared by the original ones.
        payload: Fields to return.
    """

    using: str
    vector: list[float] | Sparse
    where: Where
    limit: int
    exact: bool = True
    ef: int | None = None
    oversampling: float | None = None
    payload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DenseShape:
    """One dense vector of a collection."""

    name: str
    size: int
    metric: Literal["cosine", "dot", "l2"]


@dataclass(frozen=True, slots=True)
class PayloadIndex:
    """An index on a payload field. ``tenant`` lays points with the same value together on disk."""

    key: str
    kind: Literal["uuid", "keyword", "float", "number"]
    tenant: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A collection to be made.

    Attributes:
        dense: Vectors that are compared by a metric.
        sparse: Names of those that are compared by shared indices.
        m: Edges of a point in the graph.
        ef_construct: Breadth of the search for them.
        quantization: Of dense vectors, beside the original ones.
        on_disk: Original vectors, or sparse indexes, are read from disk when needed.
        memmap_threshold: Kilobytes from which a segment is mapped from disk.
        indexing_threshold: Kilobytes from which a segment gets a graph.
    """

    dense: tuple[DenseShape, ...] = ()
    sparse: tuple[str, ...] = ()
    m: int = 16
    ef_construct: int = 128
    quantization: Literal["none", "int8", "binary"] = "none"
    on_disk: bool = False
    memmap_threshold: int | None = None
    indexing_threshold: int | None = None


class Transport(Protocol):
    """Qdrant, wherever it is. All errors are ours: a collection that is not there is `CorruptIndex`."""

    shared: bool
    """Whether other hosts see the same."""

    prefix: str
    """Of the names of collections."""

    unsupported: Mapping[str, str]
    """Index parameters that mean nothing here, and why."""

    async def create(self, name: str, shape: Shape) -> None:
        """Makes an empty collection; leaves one that is there alone."""
        ...

    async def drop(self, name: str) -> None:
        """Removes a collection; no error if there is none."""
        ...

    async def index(self, name: str, wanted: PayloadIndex) -> None:
        """Makes an index on a payload field; no error if there is one."""
        ...

    async def indexed(self, name: str) -> frozenset[str]:
        """Returns the payload fields that have an index."""
        ...

    async def write(self, name: str, points: Sequence[Stored]) -> None:
        """Writes points; visible to all searches when it returns."""
        ...

    async def delete(self, name: str, where: Where) -> None:
        """Deletes points; gone for all searches when it returns."""
        ...

    async def settle(self, name: str) -> None:
        """Returns when everything that was written is as durable as Qdrant makes it."""
        ...

    async def tend(self, name: str) -> None:
        """Called after each write, for whoever has to build its graphs itself."""
        ...

    async def get(self, name: str, key: PointId) -> Mapping[str, Json] | None:
        """Returns the payload of a point."""
        ...

    async def count(self, name: str, where: Where, *, exact: bool = True) -> int:
        """Returns how many points match; an estimate from the indexes if it need not be exact."""
        ...

    async def estimates(self, name: str, several: Sequence[Where]) -> list[int]:
        """Returns what `count` estimates, for several conditions at once."""
        ...

    async def among(self, name: str, ids: Sequence[int], several: Sequence[Where]) -> list[frozenset[int]]:
        """Returns for each of several conditions which of the points meet it."""
        ...

    async def scroll(
        self, name: str, where: Where, after: PointId | None, limit: int, payload: tuple[str, ...]
    ) -> tuple[list[Row], PointId | None]:
        """Returns points by id, and where to go on (``after`` of the next call); None at the end."""
        ...

    async def search(self, name: str, look: Look) -> list[Scored]:
        """Returns the best points, best first; in which order ties come is not said."""
        ...

    async def facet(self, name: str, key: str, limit: int) -> dict[str, int]:
        """Returns the most frequent values of an indexed field, and how many points have each."""
        ...

    async def health(self) -> None:
        """Returns if it answers."""
        ...

    async def close(self) -> None:
        """Frees everything."""
        ...
