"""What an index engine is. Engines hold derived data only: the catalog can rebuild any of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import OF_THE_MODEL, WEIGHTS, Filter, Json, Making

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorField:
    """One named vector of an index, e.g. ``text``."""

    name: str
    dimensions: int
    metric: Literal["cosine", "dot", "l2"] = "cosine"


@dataclass(frozen=True, slots=True)
class DenseSpec:
    """A dense index.

    Attributes:
        name: ``[a-z][a-z0-9_]{0,40}``; unique in the engine.
        fields: At least one.
        params: The engine's own (``m``, ``ef_construction``, …); an unknown one raises `Unsupported`.
    """

    name: str
    fields: tuple[VectorField, ...]
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk as dense engines see it.

    Attributes:
        id: The chunk's.
        document_id: Deletion goes by it.
        vectors: By field name, float32 of shape ``(dimensions,)``. At least one; a search of a field does not find
            points that lack it.
        payload: What filters see, see `kaynak.domain.filters`.
    """

    id: int
    document_id: UUID
    vectors: Mapping[str, Vector]
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class LexicalSpec:
    """A lexical index.

    Attributes:
        name: ``[a-z][a-z0-9_]{0,40}``; unique in the engine.
        params: The engine's own; an unknown one raises `Unsupported`. ``weights`` is the same in all that have it:
            ``"model"`` makes an index of learnt weights, see `WeightedEngine`.
    """

    name: str
    params: Mapping[str, Json] = field(default_factory=dict)

    @property
    def weighted(self) -> bool:
        """Whether the index holds learnt weights of tokens in place of words."""
        return self.params.get(WEIGHTS) == OF_THE_MODEL


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk as lexical engines see it.

    Attributes:
        id: The chunk's.
        document_id: Deletion goes by it.
        text: Of the chunk.
        context: Title and heading path; searched with the text.
        language: ISO 639-1 code that decides analysis; None for no stemming.
        payload: What filters see.
        weights: Of its tokens, by the id of the token: all that an index of learnt weights looks at, and nothing that
            an index of words does. Without any it is stored, and found by no search.
    """

    id: int
    document_id: UUID
    text: str
    context: str
    language: str | None
    payload: Mapping[str, Json]
    weights: Mapping[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Ids, best first. Ties are broken by the smaller id.

    Attributes:
        ids: Chunk ids.
        scores: Higher is better: cosine or dot product as such; L2 as the negated distance; BM25 as such.
        mode: Whether every matching entry was considered (``exact``) or an approximate index was used.
        short: Fewer than ``limit`` came back although more may match.
    """

    ids: tuple[int, ...]
    scores: tuple[float, ...]
    mode: Literal["exact", "ann"]
    short: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do natively.

    Attributes:
        metrics: Of vector fields; empty for lexical engines.
        named_vectors: More than one vector field per index.
        filters: All of `kaynak.domain.filters`, exactly.
        shared: Several hosts see the same index (a server); False for files on one host.
        atomic: A search sees a write whole or not at all. Otherwise it may, for a moment, find a document that is being
            replaced both as it was and as it is; but never neither.
        weights: A lexical engine that is a `WeightedEngine`; others refuse to make an index of learnt weights.
        finishes: A `FinishingEngine`: what is large of an index is made beside its writes.
    """

    metrics: frozenset[str]
    named_vectors: bool
    filters: bool
    shared: bool
    atomic: bool = True
    weights: bool = False
    finishes: bool = False


class Engine(Protocol):
    """What dense and lexical engines have in common.

    Writes are idempotent, and are durable and visible to later searches of any process when the call
    returns. A write may carry a ``revision``: the collection revision that the index reflects once the write
    is durable. It is stored atomically with the write, so that after any crash `revision` tells the truth. As long
    as it is 0 the index is being filled: what only makes searches fast may wait for the write that says another one.
    Errors of the engine's own libraries are translated: `EngineUnavailable`, `CorruptIndex`, `StorageFull`.
    """

    capabilities: Capabilities

    async def drop(self, name: str) -> None:
        """Removes the index and all its data; no error if there is none."""
        ...

    async def exists(self, name: str) -> bool:
        """Returns whether the index exists and can be opened."""
        ...

    async def revision(self, name: str) -> int:
        """Returns the collection revision the index reflects; 0 for a new one.

        Raises:
            CorruptIndex: It is missing or damaged.
        """
        ...

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many entries match."""
        ...

    def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all entries, in any order: for the doctor."""
        ...

    async def health(self) -> None:
        """Returns if the engine answers.

        Raises:
            EngineUnavailable: It does not.
        """
        ...

    async def close(self) -> None:
        """Frees everything."""
        ...


class FinishingEngine(Engine, Protocol):
    """An engine that makes what is large of an index, such as its graph, beside its writes. Its `Capabilities` say so.

    Without it everything is found, and more slowly. While it is made, the index is written and searched as always.
    """

    async def finish(self, name: str) -> None:
        """Makes what the index lacks, and returns when it lacks nothing: at once, or after hours.

        One process at a time makes it, and others wait here until it has. An index that is being filled, at revision 0,
        lacks nothing. `drop` ends it within seconds, wherever it is made. Whoever is cancelled leaves within seconds,
        too; what is done until then need not be lost.

        Raises:
            EngineUnavailable: It does not answer, or was told to give this up; calling again is safe.
            CorruptIndex: It is missing or damaged.
        """
        ...

    async def unfinished(self, name: str) -> Making | None:
        """Returns what the index lacks, and how far that is; None if it lacks nothing.

        Raises:
            EngineUnavailable: It does not answer.
            CorruptIndex: It is missing or damaged.
        """
        ...


class DenseEngine(Engine, Protocol):
    """Search by vector."""

    async def create(self, spec: DenseSpec) -> None:
        """Makes an empty index; no error if an equal one exists.

        Raises:
            Unsupported: A metric, parameter or number of fields it cannot do.
        """
        ...

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """Deletes all points of the documents ``deletes`` first, then upserts by id, as one write.

        A document that is being replaced stands in ``deletes`` and has its new points in ``upserts``.

        Raises:
            EngineUnavailable: Nothing is known to be written; calling again is safe.
            CorruptIndex: It is missing or damaged.
        """
        ...

    async def search(
        self,
        name: str,
        vector: Vector,
        limit: int,
        *,
        field: str | None = None,
        condition: Filter | None = None,
        exact: bool = False,
    ) -> Candidates:
        """Returns the nearest points that match the filter.

        With a selective filter it searches the matching points exactly, so that recall does not fall.

        Args:
            name: The index.
            vector: float32 of shape ``(dimensions,)``.
            limit: At most this many, up to 10,000.
            field: Which named vector; may be left out where there is one.
            condition: On the payload.
            exact: Whether to consider every matching point.

        Raises:
            EngineUnavailable: It does not answer.
            CorruptIndex: It is missing or damaged.
        """
        ...


@dataclass(frozen=True, slots=True)
class LexicalCandidates(Candidates):
    """Candidates with what fusion needs to judge the lexical side.

    Attributes:
        ceiling: The score of an entry that matched every query term as well as BM25 allows
            (sum of idf times (k1 + 1)); 0 when no term of the query is in the index. An entry of no language that has
            two forms of a word may exceed it: it is a scale, and what lies above it counts as it.
        coverage: For each id, the idf-weighted share in [0, 1] of query terms it matched; empty unless asked for.
        known: The share in [0, 1] of the query's terms that occur in the index at all.
    """

    ceiling: float = 0.0
    coverage: tuple[float, ...] = ()
    known: float = 0.0


class LexicalEngine(Engine, Protocol):
    """Search by words, BM25."""

    async def create(self, spec: LexicalSpec) -> None:
        """Makes an empty index; no error if an equal one exists."""
        ...

    async def apply(self, name: str, upserts: Sequence[Entry], deletes: Sequence[UUID], revision: int) -> None:
        """As `DenseEngine.apply`."""
        ...

    async def search(
        self,
        name: str,
        query: str,
        limit: int,
        *,
        languages: Sequence[str] = (),
        condition: Filter | None = None,
        coverage: bool = False,
    ) -> LexicalCandidates:
        """Returns the entries that share words with the query, by BM25.

        Args:
            name: The index.
            query: Any text; it has no syntax, and cannot be malformed.
            limit: At most this many, up to 10,000.
            languages: ISO 639-1 codes to analyse the query in; empty for the languages in the index.
            condition: On the payload.
            coverage: Whether to tell how much of the query each entry matched, which takes a second look at each.

        Raises:
            EngineUnavailable: It does not answer.
            CorruptIndex: It is missing or damaged.
        """
        ...


class WeightedEngine(LexicalEngine, Protocol):
    """A lexical engine that can also hold weights of tokens that a model has learnt. Its `Capabilities` say so.

    An index that was made with ``weights`` = ``"model"`` takes `Entry.weights` and no text, and is searched by
    `search_weights` alone; any other one takes texts, and is searched by `search` alone. What a token is, and which
    model weighs it, is the caller's to know and to guard.

    Ids of tokens are whole numbers below 2**32, weights are numbers above zero that a float16 can hold. A write or a
    search with any other, and a write of an entry without weights, raises `InvalidRequest` and changes nothing.
    """

    async def search_weights(
        self, name: str, weights: Mapping[int, float], limit: int, *, condition: Filter | None = None
    ) -> Candidates:
        """Returns the entries that share tokens with the query, by the sum of the products of their weights.

        Nothing else counts: not how rare a token is, nor how long an entry, as the model has learnt both.

        Args:
            name: The index.
            weights: Of the tokens of the query, by id; without any, nothing is found.
            limit: At most this many, up to 10,000.
            condition: On the payload.

        Raises:
            InvalidRequest: The index is one of words, or a weight is not valid.
            EngineUnavailable: It does not answer.
            CorruptIndex: It is missing or damaged.
        """
        ...
