from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, View
from kaynak.domain import CollectionRole, PrincipalKind


class PrincipalView(View):
    """A person or a group."""

    id: UUID = Field(description="Stable identity.")
    kind: PrincipalKind = Field(description="`person` or `group`.")
    name: str = Field(description="E-mail address of a person, name of a group.")


class GrantView(View):
    """What a person or a group is to a collection."""

    principal: PrincipalView = Field(description="Who.")
    role: CollectionRole = Field(description="`viewer` reads, `editor` also changes documents, `owner` also shares.")
    created_at: datetime = Field(description="UTC, of the grant or of its latest change.")


class GrantBody(Body):
    """A role."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "viewer"}]})

    role: CollectionRole = Field(description="What they are to the collection from now on.")


class ReadersView(View):
    """Who may read a document beside the owners of its collection."""

    readers: list[PrincipalView] | None = Field(description="People and groups; null: all who read the collection.")
