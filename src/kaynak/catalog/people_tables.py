"""The tables of people, what they may do, and what they did. See `kaynak.catalog.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from kaynak.catalog.tables import metadata


def _now(name: str = "created_at") -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


users = Table(
    "users",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # folded: two spellings are one person
    Column("name", Text, nullable=False, server_default=""),
    Column("role", ForeignKey("kaynak.roles.name"), nullable=False),
    # Argon2id, or what an older system left, which is hashed anew at the next sign-in; null: no password.
    Column("password_hash", Text),
    Column("identity", Text, unique=True),  # issuer and subject of OpenID Connect
    Column("active", Boolean, nullable=False, server_default="true"),
    _now(),
    _now("updated_at"),
)

groups = Table(
    "groups",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("claim", Text, unique=True),  # value of OpenID Connect's group claim that makes people members
    _now(),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey("kaynak.groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("kaynak.users.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("by_claim", Boolean, nullable=False, server_default="false"),  # goes when the claim goes
    _now(),
)

roles = Table(
    "roles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("everywhere", Boolean, nullable=False),  # a role in the installation, or in a collection
)

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role", ForeignKey("kaynak.roles.name", ondelete="CASCADE"), primary_key=True),
    Column("permission", Text, primary_key=True),
)

grants = Table(
    "grants",
    metadata,
    Column("collection_id", ForeignKey("kaynak.collections.id", ondelete="CASCADE"), primary_key=True),
    # A person or a group; one of the two.
    Column("principal_id", UUID(as_uuid=True), primary_key=True, index=True),
    Column("user_id", ForeignKey("kaynak.users.id", ondelete="CASCADE"), index=True),
    Column("group_id", ForeignKey("kaynak.groups.id", ondelete="CASCADE"), index=True),
    Column("role", ForeignKey("kaynak.roles.name"), nullable=False),
    _now(),
    CheckConstraint("principal_id = coalesce(user_id, group_id)", name="principal"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),  # also the family of its refresh tokens
    Column("user_id", ForeignKey("kaynak.users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("device", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    _now(),
    _now("last_seen_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_why", Text),  # signed-out | reuse | administrator | password-changed | …
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),  # SHA-256: who reads the table cannot sign in
    Column("session_id", ForeignKey("kaynak.sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    _now(),
    Column("used_at", DateTime(timezone=True)),  # shown again after that: stolen
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("algorithm", Text, nullable=False),  # EdDSA | HS256
    Column("secret", LargeBinary, nullable=False),  # encrypted with the key of the installation
    _now(),
    Column("retired_at", DateTime(timezone=True)),  # signs no more; verifies until its tokens have run out
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("user_id", ForeignKey("kaynak.users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the random key
    Column("hint", Text, nullable=False),  # its first characters, so that people know it again
    Column("permissions", ARRAY(Text), nullable=False),  # at most these of its person's
    Column("collections", ARRAY(UUID(as_uuid=True))),  # only in these; null: wherever its person may
    _now(),
    Column("expires_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

audit_events = Table(
    "audit_events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # gapless
    Column("at", DateTime(timezone=True), nullable=False),
    Column("subject", Text, nullable=False),  # as `Scope.subject`; never a name or an address
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False, server_default=""),  # kind and id of what it was done to
    # What is in `audit_details`, so that it can be erased and the chain still holds.
    Column("commitment", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("ix_audit_events_at", "at"),
    Index("ix_audit_events_subject", "subject", "sequence"),
    Index("ix_audit_events_object", "object", "sequence"),
)

audit_details = Table(
    "audit_details",
    metadata,
    # No foreign key: it would cost as much as the event, and what does not belong to one is found by verifying.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("details", Text, nullable=False),  # JSON to the letter, as it was hashed
)

audit_head = Table(
    "audit_head",
    metadata,
    # One row. Who writes events locks it, as the last thing before the commit.
    Column("one", Boolean, primary_key=True, server_default="true"),
    Column("genesis", LargeBinary, nullable=False),  # random; what the first event of this installation goes on from
    Column("sequence", BigInteger, nullable=False),  # of the newest event
    Column("hash", LargeBinary, nullable=False),  # of the newest event; of none, the genesis
    CheckConstraint("one", name="one"),
)

audit_segments = Table(
    "audit_segments",
    metadata,
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),  # of its last event: what follows goes on from it
    Column("events_hash", LargeBinary, nullable=False),  # of the exported file
    _now("sealed_at"),
)

settings_kept = Table(
    "settings_kept",
    metadata,
    # What is set at run time and is no secret: the policy of the audit log, …
    Column("name", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    _now("updated_at"),
)

sealed_secrets = Table(
    "sealed_secrets",
    metadata,
    # Keys that encrypt data, themselves encrypted with the key of the installation: rotating that rewrites few rows.
    Column("name", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    _now(),
    _now("updated_at"),
)
