from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, FilterBody, SpanView, View
from kaynak.domain import GroupBy, SearchMode

Names = Field(
    min_length=1,
    max_length=100,
    description="Names of the collections to search.",
    examples=[["handbook"]],
)


class SearchBody(Body):
    """A question to one or more collections."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "query": "how many days of leave do I have",
                    "collections": ["handbook"],
                    "filter": {"team": "hr"},
                    "limit": 5,
                }
            ]
        },
    )

    query: str = Field(description="Natural language or words.")
    collections: list[str] = Names
    mode: SearchMode = Field(SearchMode.HYBRID, description="Which sides look.")
    filter: FilterBody = None
    limit: int = Field(10, ge=1, le=10_000, description="Hits to return; the settings may allow fewer.")
    offset: int = Field(0, ge=0, le=10_000, description="Hits to skip.")
    group_by: GroupBy = Field(GroupBy.PASSAGE, description="Passages, or the best one of each document.")
    min_revision: dict[str, int] = Field(
        default_factory=dict,
        description="Collection name to the revision its indexes must have reached: read your own writes.",
        examples=[{"handbook": 42}],
    )
    dense_weight: float | None = Field(
        None, ge=0, le=1, description="Fixed weight of the meaning side; null: weighed per query."
    )
    explain: bool = Field(False, description="Return why each hit stands where it stands.")
    explain_document: str | None = Field(
        None, min_length=1, max_length=1024, description="External id whose rank or absence to explain."
    )


class SideView(View):
    """How one side saw a hit."""

    rank: int = Field(description="From 1.")
    score: float = Field(description="As the engine gave it.")
    normalised: float = Field(description="What fusion used, in [0, 1].")


class ExplanationView(View):
    """Why a hit stands where it stands."""

    lexical: SideView | None = Field(description="Null: the word side did not return it.")
    dense: SideView | None = Field(description="Null: the meaning side did not return it.")
    weights: dict[str, float] = Field(description="Weight of each side.")
    fused: float = Field(description="Before calibration between collections.")
    notes: list[str] = Field(description="What else moved it.")


class HitView(View):
    """A passage that answers the query."""

    score: float = Field(description="In [0, 1]; comparable within one search.")
    collection: str = Field(description="Name of its collection.")
    document_id: UUID = Field(description="Its document.")
    external_id: str = Field(description="Your name for the document.")
    title: str = Field(description="Of the document.")
    version_id: UUID = Field(description="The exact version.")
    version: int = Field(description="Its number.")
    chunk_ids: list[int] = Field(description="The chunks it is made of; neighbours are merged.")
    span: SpanView = Field(description="Where it is in the version's text.")
    text: str = Field(description="What it says.")
    headings: list[str] = Field(description="The headings above it, outermost first.")
    pages: tuple[int, int] | None = Field(description="First and last page.")
    language: str | None = Field(description="Of the document.")
    media_type: str | None = Field(description="Of the document.")
    metadata: dict[str, Any] = Field(description="Yours.")
    explanation: ExplanationView | None = Field(description="If asked for.")
    suspicious: list[str] = Field(
        description="Why its text looks as if it were meant to steer a model; empty if it does not."
    )


class AbsenceView(View):
    """Where a named document was lost, or the rank it has."""

    external_id: str = Field(description="The document asked about.")
    found: bool = Field(description="Whether it is among the hits.")
    stage: str = Field(description="Where it was lost.")
    reason: str = Field(description="In a sentence.")
    lexical_rank: int | None = Field(description="Best rank on the word side.")
    dense_rank: int | None = Field(description="Best rank on the meaning side.")


class TraceView(View):
    """What happened, per stage."""

    stages: dict[str, float] = Field(description="Milliseconds by stage.")
    collections: dict[str, Any] = Field(description="Per collection: candidates, modes, weights, signals.")
    absent: AbsenceView | None = Field(description="The answer to `explain_document`.")


class SearchView(View):
    """Hits, best first."""

    hits: list[HitView] = Field(description="At most `limit`.")
    more: bool = Field(description="Whether a further page exists.")
    revisions: dict[str, int] = Field(description="Collection name to the revision the answer reflects.")
    degraded: list[str] = Field(description="Sides that could not answer; empty when all did.")
    took_ms: float = Field(description="Whole time.")
    trace: TraceView | None = Field(description="If asked for.")
