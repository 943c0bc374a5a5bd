from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, SecretStr

from kaynak.api.schemas.base import Body, View
from kaynak.domain import GlobalRole, Permission

Device = Field(None, max_length=200, description="What to call this client; default: its User-Agent.")
NewPassword = Field(
    None, max_length=1024, description="At least 8 characters, not common, and not made of the name or address."
)


class SignInBody(Body):
    """Who signs in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"email": "ayse@example.org", "password": "three unrelated words"}]},
    )

    email: str = Field(max_length=320, description="Address of the account.")
    password: SecretStr = Field(max_length=1024, description="Its password.")
    cookie: bool = Field(
        False,
        description="For browsers: the tokens go into cookies that scripts cannot read, and not into the answer. "
        "Needs the header `X-Kaynak-Request`.",
    )
    device: str | None = Device


class RefreshBody(Body):
    """A refresh token."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"refresh_token": "kyr_…"}]})

    refresh_token: SecretStr | None = Field(None, max_length=512, description="Left out: the browser's cookie.")


class SetupBody(Body):
    """The first administrator."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"token": "kys_…", "email": "ayse@example.org", "password": "three unrelated words"}]
        },
    )

    token: SecretStr = Field(max_length=512, description="Printed by `kaynak up --setup`, behind the `#` of the link.")
    email: str = Field(max_length=320, description="Their address; they sign in with it.")
    name: str = Field("", max_length=400, description="For people.")
    password: SecretStr = Field(
        max_length=1024, description="At least 8 characters, not common, and not made of the name or address."
    )
    cookie: bool = Field(False, description="As in signing in.")


class TokensView(View):
    """A session, and the tokens to go on with; null where they are in cookies."""

    person: UUID = Field(description="Id of who is signed in.")
    session: UUID = Field(description="Id of the session.")
    token_type: Literal["Bearer"] = Field(description="How the access token is sent: `Authorization: Bearer …`.")
    access_token: str | None = Field(description="Sent with every request.")
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    refresh_token: str | None = Field(description="Exchanged for the next two tokens; works once.")
    refresh_expires_in: int = Field(description="Seconds for which the refresh token is valid.")


class GroupOfMeView(View):
    """A group that somebody is in."""

    id: UUID = Field(description="Of the group.")
    name: str = Field(description="Of the group.")


class MeView(View):
    """Who makes the request."""

    id: UUID | None = Field(description="Of the account; null for the owner of a laptop without accounts.")
    email: str | None = Field(description="Address of the account.")
    name: str = Field(description="For people.")
    role: GlobalRole | None = Field(description="What they are to the installation.")
    permissions: list[Permission] = Field(description="What they, or the key that acts for them, may do everywhere.")
    groups: list[GroupOfMeView] = Field(description="Those they are in.")
    session: UUID | None = Field(description="Where they are signed in; null if a key acts for them.")
    key: UUID | None = Field(description="The key that acts for them.")
    password: bool = Field(description="Whether they have a password.")


class MeUpdate(Body):
    """What to change of the own account; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"password": "four quite unrelated words", "old_password": "the one before"}]},
    )

    name: str | None = Field(None, max_length=400, description="For people.")
    password: SecretStr | None = NewPassword
    old_password: SecretStr | None = Field(None, max_length=1024, description="Needed for a new one.")


class SessionView(View):
    """A place where somebody is signed in."""

    id: UUID = Field(description="Of the session.")
    device: str = Field(description="What its client calls itself.")
    address: str = Field(description="Where it was last seen.")
    created_at: datetime = Field(description="UTC, when they signed in.")
    last_seen_at: datetime = Field(description="UTC, accurate to a minute.")
    expires_at: datetime = Field(description="UTC, when it ends unless it is used before.")
    current: bool = Field(description="Whether it is the one that asks.")


class KeyCreate(Body):
    """A key that programs act with."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "nightly import", "permissions": ["documents.write"]}]},
    )

    name: str = Field(min_length=1, max_length=400, description="For people.")
    permissions: list[Permission] = Field(
        [Permission.READ], max_length=20, description="At most these of its person's; changing implies reading."
    )
    collections: list[str] | None = Field(
        None, max_length=1000, description="Names of the only collections that it may touch; null: as its person."
    )
    expires_at: AwareDatetime | None = Field(None, description="When it stops working, with a time zone; null: never.")


class ApiKeyView(View):
    """A key that programs act with. The key itself is shown once, when it is made."""

    id: UUID = Field(description="Of the key.")
    name: str = Field(description="For people.")
    hint: str = Field(description="Its first characters.")
    permissions: list[Permission] = Field(description="At most these of its person's.")
    collections: list[UUID] | None = Field(description="Ids of the only collections that it may touch.")
    created_at: datetime = Field(description="UTC.")
    expires_at: datetime | None = Field(description="UTC, when it stops working; null: never.")
    last_used_at: datetime | None = Field(description="UTC, accurate to a minute; null: never.")


class NewKeyView(View):
    """A key that was just made."""

    key: ApiKeyView = Field(description="What may be shown of it later.")
    secret: str = Field(description="The key itself: `kyn_…`. It is not shown again.")
