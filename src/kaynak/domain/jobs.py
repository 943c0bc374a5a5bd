from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class JobState(StrEnum):
    """Life of a job. ``FAILED`` is a dead letter: kept, listed, can be requeued."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """Done; single documents may have failed, see the counts."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


class Outcome(StrEnum):
    """What became of one document of an upload."""

    PENDING = "pending"
    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    CANCELLED = "cancelled"


STAGES = ("parse", "chunk", "embed", "commit", "index")
"""What happens to an upload, in order."""


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far one stage is. ``total`` grows while earlier stages find more to do.

    ``parse``, ``commit`` and ``index`` count documents; ``chunk`` and ``embed`` count passages.
    """

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class JobItem:
    """One document of a job.

    Attributes:
        external_id: As submitted.
        document_id: Its document, once known.
        outcome: What became of it.
        error: For people; None unless it failed.
        error_code: An `UnreadableReason` or error type; None unless it failed.
        hint: What to do about the error.
    """

    external_id: str
    document_id: UUID | None
    outcome: Outcome
    error: str | None = None
    error_code: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Durable background work.

    Attributes:
        id: Identity.
        kind: ``ingest`` today.
        collection: Name of the collection it works on.
        state: See `JobState`.
        stages: Progress, in the order of `STAGES`.
        counts: Documents by outcome.
        attempts: How many times it was started; more than 1 after a crash or a transient fault.
        cancel_requested: Whether someone asked it to stop.
        error: Why it failed as a whole; single documents' errors are in its items.
        created_at: UTC.
        started_at: UTC, of the latest attempt.
        finished_at: UTC.
    """

    id: UUID
    kind: str
    collection: str
    state: JobState
    stages: tuple[StageProgress, ...]
    counts: dict[Outcome, int]
    attempts: int
    cancel_requested: bool
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
