"""People, the groups they are in, and what they sign in with."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kaynak.domain.access import GlobalRole, Permission
from kaynak.domain.errors import InvalidRequest

_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f<>\"']{1,64}@[^@\s\x00-\x1f\x7f<>\"']{1,253}")
_MOST_ADDRESS = 254  # RFC 5321
_MOST_NAME = 200
_CLASSES_REFUSED = ("Cc", "Cs", "Co", "Cn")
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Turn the direction of writing, or have no width: one name would look like another."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account.

    Attributes:
        id: Of the account; ``user:<id>`` is the subject of their scopes.
        email: Folded, see `fold_email`; unique.
        name: For people; may be empty.
        role: What they are to the installation.
        active: Whether they may sign in, and their keys work.
        password: Whether they have one.
        identity: Whether they may sign in with OpenID Connect.
        created_at: When they were added.
        updated_at: When they were changed.
    """

    id: UUID
    email: str
    name: str
    role: GlobalRole
    active: bool
    password: bool
    identity: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """People who are given rights together.

    Attributes:
        id: Of the group.
        name: Unique.
        description: For people.
        claim: The value of OpenID Connect's group claim that makes people members; None: only administrators do.
        members: How many.
        created_at: When it was made.
    """

    id: UUID
    name: str
    description: str
    claim: str | None
    members: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a group.

    Attributes:
        id: Of the person.
        email: Their address.
        name: Their name.
        by_claim: Whether OpenID Connect put them there, and takes them out again.
    """

    id: UUID
    email: str
    name: str
    by_claim: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A place where somebody is signed in.

    Attributes:
        id: Of the session.
        device: What its client calls itself.
        address: Where it was last seen.
        created_at: When they signed in.
        last_seen_at: Accurate to a minute.
        expires_at: When it ends, unless it is used before.
    """

    id: UUID
    device: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a program signs in with, on behalf of a person.

    Attributes:
        id: Of the key.
        name: For people.
        hint: Its first characters.
        permissions: At most these of its person's.
        collections: Ids of the only collections it may touch; None: all that its person may.
        created_at: When it was made.
        expires_at: When it ends; None: never.
        last_used_at: Accurate to a minute; None: never.
    """

    id: UUID
    name: str
    hint: str
    permissions: tuple[Permission, ...]
    collections: tuple[UUID, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def fold_email(given: str) -> str:
    """Returns an e-mail address in the one spelling under which a person is known.

    Raises:
        InvalidRequest: It is not an address.
    """
    folded = unicodedata.normalize("NFKC", given).strip().casefold()
    if len(folded) > _MOST_ADDRESS or not _ADDRESS.fullmatch(folded) or not _is_text(folded):
        raise InvalidRequest("That is not an e-mail address.", hint="It looks like name@example.org.")
    return folded


def validate_person_name(given: str) -> str:
    """Returns the name of a person or group without blanks around it.

    Raises:
        InvalidRequest: It is too long, or has characters that nobody can see.
    """
    name = unicodedata.normalize("NFC", given).strip()
    if len(name) > _MOST_NAME or not _is_text(name):
        raise InvalidRequest(f"A name has at most {_MOST_NAME} visible characters.")
    return name


def _is_text(value: str) -> bool:
    return not _UNSEEN.search(value) and all(unicodedata.category(char) not in _CLASSES_REFUSED for char in value)
