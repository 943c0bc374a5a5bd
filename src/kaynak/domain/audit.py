"""The audit log: what is written down, and how each event is chained to the one before it. Pure."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from kaynak.domain.scope import Scope


class Action(StrEnum):
    """What was done. The names are stable: people filter by them, and programs read exports."""

    SIGN_IN = "sign-in.succeeded"
    SIGN_IN_FAILED = "sign-in.failed"
    SIGN_IN_THROTTLED = "sign-in.throttled"
    SIGN_OUT = "sign-out"
    TOKEN_REUSED = "token.reused"  # noqa: S105 - a name
    SESSION_REVOKED = "session.revoked"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    SETUP = "setup.completed"
    """The first administrator was made through the link that is printed at the start."""

    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DELETED = "user.deleted"
    USER_ERASED = "user.erased"
    USER_EXPORTED = "user.exported"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    MEMBER_ADDED = "group.member-added"
    MEMBER_REMOVED = "group.member-removed"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    GRANTED = "grant.given"
    GRANT_REVOKED = "grant.revoked"
    READERS_CHANGED = "document.readers-changed"

    SEARCHED = "search"
    ASKED = "ask"
    DOCUMENT_READ = "document.read"
    """Its text, its passages, or a place in it."""
    DOCUMENT_DOWNLOADED = "document.downloaded"
    """The original."""
    PAGE_SEEN = "document.page-seen"
    """A page as a picture."""
    CONVERSATION_EXPORTED = "conversation.exported"

    DOCUMENT_UPLOADED = "document.uploaded"
    DOCUMENT_CHANGED = "document.changed"
    DOCUMENT_DELETED = "document.deleted"
    CONVERSATION_DELETED = "conversation.deleted"
    COLLECTION_CREATED = "collection.created"
    COLLECTION_CHANGED = "collection.changed"
    COLLECTION_DELETED = "collection.deleted"
    INDEX_BEGUN = "index.begun"
    INDEX_VERIFIED = "index.verified"
    INDEX_SWITCHED = "index.switched"
    INDEX_REMOVED = "index.removed"
    INDEX_REPAIRED = "index.repaired"

    PROVIDER_KEY_STORED = "provider-key.stored"
    PROVIDER_KEY_REMOVED = "provider-key.removed"
    OIDC_SECRET_STORED = "oidc-secret.stored"  # noqa: S105 - a name of what is done
    OIDC_SECRET_REMOVED = "oidc-secret.removed"  # noqa: S105 - a name of what is done
    BUDGET_SET = "budget.set"
    BUDGET_REMOVED = "budget.removed"
    SETTINGS_CHANGED = "settings.changed"
    SECRETS_ROTATED = "secrets.rotated"
    SIGNING_KEY_ROTATED = "signing-key.rotated"

    AUDIT_READ = "audit.read"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_VERIFIED = "audit.verified"
    AUDIT_SEALED = "audit.sealed"


class QueryText(StrEnum):
    """How much the audit log keeps of what was searched for and asked."""

    OFF = "off"
    """That it was, where, by whom, and what documents came of it; not the words."""
    HASHED = "hashed"
    """Also a keyed hash of the words: that the same was asked twice can be seen, and a guess can be tested."""
    FULL = "full"
    """Also the words."""


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """What the audit log keeps.

    Attributes:
        query_text: Of what is searched for and asked.
        keep_days: After how many days events are sealed: moved from the database into a file; None for never.
    """

    query_text: QueryText = QueryText.OFF
    keep_days: int | None = None


NOBODY: Final = "nobody"
"""Subject of what is done before it is known by whom: a sign-in that failed."""
SYSTEM: Final = "system"
"""Subject of what the program does by itself."""
NOTHING_TOLD: Final = bytes(32)
"""Commitment of an event that never had details."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is to be written down; the log adds number, time and hashes.

    Attributes:
        subject: Who did it, as `Scope.subject`: never a name or an address, for this stays.
        action: What was done; usually an `Action`.
        object: Kind and id of what it was done to: ``document:…``; empty where there is none.
        details: The rest, as JSON; personal data only here, as it can be erased. None for none.
        salt: Makes the commitment to the details say nothing about them once they are erased.
    """

    subject: str
    action: str
    object: str
    details: str | None
    salt: bytes | None

    @property
    def commitment(self) -> bytes:
        """What the chain keeps of the details."""
        if self.details is None or self.salt is None:
            return NOTHING_TOLD
        return commitment_of(self.salt, self.details)

    @classmethod
    def of(cls, who: Scope | str, action: str, on: str = "", details: Mapping[str, Any] | None = None) -> AuditEntry:
        """Returns the entry; of a scope it notes the subject and, if one was used, the key."""
        told = dict(details or {})
        if isinstance(who, Scope):
            if who.key is not None:
                told["key"] = who.key
            who = who.subject
        if not told:
            return cls(who, action, on, None, None)
        text = json.dumps(told, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)
        return cls(who, action, on, text, secrets.token_bytes(16))


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event of the log.

    Attributes:
        sequence: Its number; there are no gaps.
        at: When, by the clock of the database.
        subject: See `AuditEntry`; so ``action``, ``object`` and ``details``.
        commitment: SHA-256 of salt and details; zeros where there never were any.
        previous: Hash of the event before it.
        hash: SHA-256 of all this but the details themselves, see `chained`.
        salt: Of the commitment; None where the details were erased, or never were.
    """

    sequence: int
    at: datetime
    subject: str
    action: str
    object: str
    commitment: bytes
    previous: bytes
    hash: bytes
    details: str | None = None
    salt: bytes | None = None

    @property
    def erased(self) -> bool:
        """Whether it had details that are gone."""
        return self.details is None and self.commitment != NOTHING_TOLD


def commitment_of(salt: bytes, details: str) -> bytes:
    """Returns what binds an event to its details without telling them."""
    return hashlib.sha256(salt + details.encode()).digest()


def chained(event: AuditEvent) -> bytes:
    """Returns the hash that ``event`` must have.

    It is SHA-256 over the hash of the event before, the commitment, and, as text, the number, the microseconds since
    1970 and subject, action and object, each with its length, so that nothing can move from one field to the next.
    The function ``kaynak.audit_append`` of the database computes the same.
    """
    micros = (event.at - _EPOCH) // _MICROSECOND
    fields = ",".join(f"{len(field)}:{field}" for field in (event.subject, event.action, event.object))
    text = f"{event.sequence},{micros},{fields}"
    return hashlib.sha256(event.previous + event.commitment + text.encode()).digest()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are wanted; None: all.

    Attributes:
        subject: Who did it.
        action: What was done.
        object: What it was done to.
        since: The first moment.
        until: The moment before which.
    """

    subject: str | None = None
    action: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditSegment:
    """Old events that were moved out of the database, into a file.

    Attributes:
        first: Number of its first event.
        last: Number of its last event.
        hash: Of its last event: what follows goes on from it.
        events_hash: SHA-256 of its events without their details, which may still be erased.
        sealed_at: When.
    """

    first: int
    last: int
    hash: bytes
    events_hash: bytes
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Something that is not as it was written.

    Attributes:
        sequence: Number of the event where it shows.
        kind: ``missing``, ``altered``, ``details``, ``order``, ``truncated``, ``anchor``, ``segment`` or ``erased``.
        message: For people.
    """

    sequence: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying the audit log found.

    Attributes:
        ok: Whether everything is as it was written.
        events: How many were checked, sealed ones whose file is here included.
        sequence: Number of the newest event; with ``hash`` to be noted elsewhere, and given to a later verification.
        hash: Its hash, as hexadecimal digits.
        erased: Events whose details were erased.
        segments: How many sealed segments there are.
        findings: What is wrong; the first hundred.
        notes: What could not be checked.
    """

    ok: bool
    events: int
    sequence: int
    hash: str
    erased: int
    segments: int
    findings: tuple[AuditFinding, ...]
    notes: tuple[str, ...]
