from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from kaynak.api.schemas.base import View
from kaynak.domain import JobState, Outcome


class StageView(View):
    """How far one stage is."""

    name: str = Field(description="`parse`, `chunk`, `embed`, `commit` or `index`.")
    done: int = Field(description="Documents, or passages for `chunk` and `embed`.")
    total: int = Field(description="Grows while earlier stages find more to do.")


class JobView(View):
    """Durable background work."""

    id: UUID = Field(description="Identity.")
    kind: str = Field(description="`ingest`.")
    collection: str = Field(description="Name of the collection it works on.")
    state: JobState = Field(description="`failed` is a dead letter: it can be requeued.")
    stages: list[StageView] = Field(description="Progress, in the order of work.")
    counts: dict[Outcome, int] = Field(description="Documents by outcome.")
    attempts: int = Field(description="How often it was started.")
    cancel_requested: bool = Field(description="Whether someone asked it to stop.")
    error: str | None = Field(description="Why it failed as a whole.")
    created_at: datetime = Field(description="UTC.")
    started_at: datetime | None = Field(description="UTC, of the latest attempt.")
    finished_at: datetime | None = Field(description="UTC.")


class JobItemView(View):
    """One document of a job."""

    external_id: str = Field(description="As submitted.")
    document_id: UUID | None = Field(description="Its document, once known.")
    outcome: Outcome = Field(description="What became of it.")
    error: str | None = Field(description="Why it failed, for people.")
    error_code: str | None = Field(description="The same as a stable code.")
    hint: str | None = Field(description="What to do about it.")
