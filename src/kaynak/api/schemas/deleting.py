from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, View
from kaynak.api.schemas.indexes import ExaminationView
from kaynak.ingestion.deleting import AT_ONCE


class DocumentDeletion(Body):
    """Which documents to delete."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"filter": {"year": {"$lt": 2020}}}]})

    filter: dict[str, Any] = Field(
        min_length=1, description="Condition on metadata that all of them meet, as of a search; `{}` is refused."
    )
    limit: int = Field(AT_ONCE, ge=1, le=AT_ONCE, description="How many to delete at most.")
    dry_run: bool = Field(False, description="Only count those that match.")


class DeletionView(View):
    """What became of documents that were to be deleted."""

    matching: int = Field(description="How many matched that you may read.")
    removed: int = Field(description="How many of them are gone; ask again for the others.")
    proof: ExaminationView | None = Field(
        description="What every store has of them afterwards; null: none was deleted."
    )
