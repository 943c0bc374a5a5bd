from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field

from kaynak.api.schemas.base import Body, View
from kaynak.domain import QueryText


class AuditEventView(View):
    """One event of the audit log."""

    sequence: int = Field(description="Its number; there are no gaps.")
    at: datetime = Field(description="When, by the clock of the database.")
    subject: str = Field(description="Who: `user:…`, `owner`, `nobody` before it is known, `system`.")
    action: str = Field(description="What was done: `document.downloaded`; see docs/audit.md for all.")
    object: str = Field(description="What it was done to: `document:…`; empty for nothing in particular.")
    details: dict[str, Any] | None = Field(description="The rest; null where there is nothing more, or it was erased.")
    erased: bool = Field(description="Whether there were details that are erased.")
    hash: str = Field(description="SHA-256 that chains it to the event before, as hexadecimal digits.")


class AuditFindingView(View):
    """Something in the log that is not as it was written."""

    sequence: int = Field(description="Number of the event where it shows.")
    kind: str = Field(
        description="`missing`, `altered`, `details`, `order`, `truncated`, `anchor`, `segment` or `erased`."
    )
    message: str = Field(description="For people.")


class VerificationView(View):
    """What verifying the log found."""

    ok: bool = Field(description="Whether everything is as it was written.")
    events: int = Field(description="How many were checked.")
    sequence: int = Field(description="Number of the newest event: note it elsewhere, with `hash`.")
    hash: str = Field(description="Its hash.")
    erased: int = Field(description="Events whose details were erased.")
    segments: int = Field(description="Sealed segments.")
    findings: list[AuditFindingView] = Field(description="What is wrong; the first hundred.")
    notes: list[str] = Field(description="What could not be checked.")


class VerifyBody(Body):
    """What was noted after an earlier verification; nothing is fine, too."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    sequence: int | None = Field(None, ge=0, lt=2**63, description="Number of an event.")
    hash: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Its hash.")


class AuditPolicyBody(Body):
    """What the log keeps."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"query_text": "hashed"}]})

    query_text: QueryText = Field(QueryText.OFF, description="Of what is searched for and asked.")
    keep_days: int | None = Field(
        None, ge=1, le=36_500, description="After how many days events are sealed; null: they stay."
    )


class AuditPolicyView(View):
    """What the log keeps."""

    query_text: QueryText = Field(description="Of what is searched for and asked.")
    keep_days: int | None = Field(description="After how many days events are sealed; null: they stay.")


class SealBody(Body):
    """Which events to move out of the database."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"before": "2026-01-01T00:00:00Z"}]})

    before: AwareDatetime = Field(description="Those before this moment.")


class SegmentView(View):
    """Events that were moved into a file of the data directory."""

    first: int = Field(description="Number of the first one.")
    last: int = Field(description="Number of the last one.")
    hash: str = Field(description="Hash of the last one.")
    events_hash: str = Field(description="SHA-256 of all without their details.")
    sealed_at: datetime = Field(description="When.")


class SealedView(View):
    """What became of sealing."""

    segment: SegmentView | None = Field(description="Null where there was nothing to seal.")
