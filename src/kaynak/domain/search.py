from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from kaynak.domain.filters import Filter
from kaynak.domain.parsed import Json
from kaynak.domain.spans import Span


class SearchMode(StrEnum):
    """Which sides look."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class GroupBy(StrEnum):
    """What one hit stands for."""

    PASSAGE = "passage"
    DOCUMENT = "document"
    """The best passage of each document."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question to one or more collections.

    Attributes:
        query: Natural language or words.
        collections: Names; at least one.
        mode: Which sides look.
        filter: On metadata; None for no condition.
        limit: Hits to return.
        offset: Hits to skip, for the next page.
        group_by: Passages, or one hit per document.
        min_revision: Collection name to the revision its indexes must have reached (read your writes).
        dense_weight: Fixed weight of the dense side in [0, 1]; None lets the system weigh.
        explain: Whether to return why each hit stands where it stands.
        explain_document: External id of a document whose absence (or rank) is to be explained.
    """

    query: str
    collections: tuple[str, ...]
    mode: SearchMode = SearchMode.HYBRID
    filter: Filter | None = None
    limit: int = 10
    offset: int = 0
    group_by: GroupBy = GroupBy.PASSAGE
    min_revision: Mapping[str, int] = field(default_factory=dict)
    dense_weight: float | None = None
    explain: bool = False
    explain_document: str | None = None


@dataclass(frozen=True, slots=True)
class SideScore:
    """How one side saw a hit. ``rank`` counts from 1; ``normalised`` is what fusion used, in [0, 1]."""

    rank: int
    score: float
    normalised: float


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """Why a hit stands where it stands.

    Attributes:
        lexical: None if the lexical side did not return it.
        dense: None if the dense side did not return it.
        weights: Weight of each side for this query and collection, by name.
        fused: Before calibration between collections.
        notes: What else moved it: merged neighbours, near-duplicates it stands for.
    """

    lexical: SideScore | None
    dense: SideScore | None
    weights: Mapping[str, float]
    fused: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers the query.

    Attributes:
        score: In [0, 1], comparable between the collections of one search; higher is better.
        collection: Name of its collection.
        document_id: Its document.
        external_id: The caller's name for it.
        title: Of the document.
        version_id: The exact version.
        version: Number of that version.
        chunk_ids: The chunks it is made of, in order; neighbours are merged.
        span: Where it is in the version's canonical text.
        text: What it says: ``version.text[span.start:span.end]``.
        headings: Heading path above it.
        pages: First and last page; None where the format has none.
        language: Of the document.
        media_type: Of the document.
        metadata: The caller's.
        explanation: If asked for.
        suspicious: Why its text looks as if it were meant to steer a model, in parts of sentences; see `suspicions`.
    """

    score: float
    collection: str
    document_id: UUID
    external_id: str
    title: str
    version_id: UUID
    version: int
    chunk_ids: tuple[int, ...]
    span: Span
    text: str
    headings: tuple[str, ...]
    pages: tuple[int, int] | None
    language: str | None
    media_type: str | None
    metadata: Mapping[str, Json]
    explanation: HitExplanation | None = None
    suspicious: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AbsenceExplanation:
    """Where a named document was lost, or the rank it has.

    Attributes:
        external_id: The document asked about.
        found: Whether it is among the returned hits.
        stage: Where it was lost: ``unknown``, ``not-ready``, ``filter``, ``candidates``, ``gate``,
            ``duplicate``, ``limit``; or ``returned``.
        reason: A sentence for people.
        lexical_rank: Its best rank on the lexical side, if any.
        dense_rank: Its best rank on the dense side, if any.
    """

    external_id: str
    found: bool
    stage: str
    reason: str
    lexical_rank: int | None = None
    dense_rank: int | None = None


@dataclass(frozen=True, slots=True)
class SearchTrace:
    """What happened, per stage.

    Attributes:
        stages: Milliseconds by stage name, in order of execution.
        collections: Per collection: candidates per side, search mode (``ann``/``exact``), weights and the
            signals they came from.
        absent: The answer to ``explain_document``.
    """

    stages: Mapping[str, float]
    collections: Mapping[str, Json]
    absent: AbsenceExplanation | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first.

    Attributes:
        hits: At most ``limit``.
        more: Whether a further page exists.
        revisions: Collection name to the revision the answer reflects.
        degraded: Sentences about sides that could not answer; empty when all did.
        took_ms: Whole time.
        trace: If asked for.
    """

    hits: tuple[Hit, ...]
    more: bool
    revisions: Mapping[str, int]
    degraded: tuple[str, ...]
    took_ms: float
    trace: SearchTrace | None = None
