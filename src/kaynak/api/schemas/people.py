from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr

from kaynak.api.schemas.auth import NewPassword
from kaynak.api.schemas.base import Body, View
from kaynak.domain import GlobalRole

_HASH = Field(
    None,
    max_length=512,
    description="Instead of a password, how an older system kept it: `$argon2id$…`, `pbkdf2_sha256$100000$SALT$HASH`.",
)


class PersonCreate(Body):
    """Somebody to be added."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"email": "ayse@example.org", "name": "Ayşe"}]}
    )

    email: str = Field(max_length=320, description="Their address; they sign in with it.")
    name: str = Field("", max_length=400, description="For people.")
    role: GlobalRole = Field(GlobalRole.MEMBER, description="What they are to be.")
    password: SecretStr | None = NewPassword
    password_hash: SecretStr | None = _HASH


class PersonUpdate(Body):
    """What to change; what is left out stays. A new password, or `active: false`, ends their sessions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "auditor"}]})

    email: str | None = Field(None, max_length=320, description="Their address.")
    name: str | None = Field(None, max_length=400, description="For people.")
    role: GlobalRole | None = Field(None, description="What they are to be.")
    active: bool | None = Field(None, description="Whether they may sign in, and their keys work.")
    password: SecretStr | None = NewPassword
    password_hash: SecretStr | None = _HASH


class PersonView(View):
    """Somebody with an account."""

    id: UUID = Field(description="Of the account.")
    email: str = Field(description="Their address, in small letters.")
    name: str = Field(description="For people.")
    role: GlobalRole = Field(description="What they are to the installation.")
    active: bool = Field(description="Whether they may sign in, and their keys work.")
    password: bool = Field(description="Whether they have a password.")
    identity: bool = Field(description="Whether they sign in with OpenID Connect.")
    created_at: datetime = Field(description="UTC.")
    updated_at: datetime = Field(description="UTC.")


class GroupCreate(Body):
    """A group to be made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "legal", "claim": "dep-legal"}]})

    name: str = Field(min_length=1, max_length=400, description="Unique.")
    description: str = Field("", max_length=2000, description="For people.")
    claim: str | None = Field(
        None, max_length=400, description="Value of OpenID Connect's group claim that makes people members."
    )


class GroupUpdate(Body):
    """What to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"description": "Contracts and courts"}]})

    name: str | None = Field(None, min_length=1, max_length=400, description="Unique.")
    description: str | None = Field(None, max_length=2000, description="For people.")
    claim: str | None = Field(None, max_length=400, description="See the creation of groups; empty: none.")


class GroupView(View):
    """People who are given rights together."""

    id: UUID = Field(description="Of the group.")
    name: str = Field(description="Unique.")
    description: str = Field(description="For people.")
    claim: str | None = Field(description="Value of OpenID Connect's group claim that makes people members.")
    members: int = Field(description="How many people are in it.")
    created_at: datetime = Field(description="UTC.")


class MemberView(View):
    """Somebody in a group."""

    id: UUID = Field(description="Of the person.")
    email: str = Field(description="Their address.")
    name: str = Field(description="For people.")
    by_claim: bool = Field(description="Whether OpenID Connect put them there, and takes them out again.")
