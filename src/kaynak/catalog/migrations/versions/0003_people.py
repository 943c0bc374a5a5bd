"""People, what they may do, and what they did; documents may have lists of readers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Answers from before rest at least on what they cite.
_SOURCES = """
    UPDATE kaynak.messages SET sources = ARRAY(
        SELECT DISTINCT CAST(one->>'document_id' AS uuid) FROM jsonb_array_elements(answer->'citations') one
    ) WHERE jsonb_typeof(answer->'citations') = 'array'
"""

_TABLES = (
    "refresh_tokens",
    "sessions",
    "group_members",
    "grants",
    "api_keys",
    "users",
    "role_permissions",
    "audit_details",
    "signing_keys",
    "settings_kept",
    "sealed_secrets",
    "roles",
    "groups",
    "audit_segments",
    "audit_head",
    "audit_events",
)
# As `kaynak.domain.ROLES` was when this was written.
_ROLES = {
    "viewer": (False, ("documents.read",)),
    "editor": (False, ("documents.read", "documents.write")),
    "owner": (False, ("documents.read", "documents.write", "collection.manage")),
    "member": (True, ("collections.create",)),
    "auditor": (True, ("audit.read",)),
    "administrator": (
        True,
        ("collections.create", "collections.every", "people.manage", "settings.manage", "audit.read"),
    ),
}

# Events are chained here, not in Python: the head is locked for one round trip, as short as can be.
# `kaynak.domain.audit.chained` computes the same hash; verifying compares the two.
_APPEND = """
CREATE FUNCTION kaynak.audit_append(
    subjects text[], actions text[], objects text[], commitments bytea[], salts bytea[], details text[],
    waits boolean,
    OUT sequence bigint, OUT hash bytea
) LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    micros bigint;
    before bytea;
    target text;
BEGIN
    IF NOT waits THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    SELECT h.sequence, h.hash INTO STRICT sequence, hash FROM kaynak.audit_head h FOR UPDATE;
    moment := clock_timestamp();
    micros := CAST(extract(epoch FROM moment) * 1000000 AS bigint);
    FOR i IN 1 .. cardinality(subjects) LOOP
        sequence := sequence + 1;
        before := hash;
        target := objects[i];
        IF starts_with(target, 'collection=') THEN
            -- Who searches has names; the log keeps what a new name does not change.
            SELECT coalesce(max('collection:' || c.id), 'collection:') INTO target
            FROM kaynak.collections c WHERE c.name = substr(objects[i], 12);
        END IF;
        hash := sha256(before || commitments[i] || convert_to(
            sequence || ',' || micros || ',' || char_length(subjects[i]) || ':' || subjects[i] || ','
            || char_length(actions[i]) || ':' || actions[i] || ','
            || char_length(target) || ':' || target, 'UTF8'));
        INSERT INTO kaynak.audit_events (sequence, at, subject, action, object, commitment, previous, hash)
        VALUES (sequence, moment, subjects[i], actions[i], target, commitments[i], before, hash);
        IF details[i] IS NOT NULL THEN
            INSERT INTO kaynak.audit_details (sequence, salt, details) VALUES (sequence, salts[i], details[i]);
        END IF;
    END LOOP;
    UPDATE kaynak.audit_head h SET sequence = audit_append.sequence, hash = audit_append.hash;
END $$
"""
# Keeps programs and people from changing the log by mistake. Who owns the tables can take it away: what they do then
# is found by verifying.
_KEPT = """
CREATE FUNCTION kaynak.audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit_events' THEN
        IF EXISTS (SELECT FROM kaynak.audit_segments s WHERE OLD.sequence BETWEEN s.first AND s.last) THEN
            RETURN OLD;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_head' THEN
        IF NEW.sequence > OLD.sequence AND NEW.genesis = OLD.genesis THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING HINT = 'Old events go by: kaynak audit seal';
END $$
"""
_HEAD = """
INSERT INTO kaynak.audit_head (genesis, sequence, hash)
SELECT g, 0, g FROM (SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS g) random
"""
_AUDIT = (
    _HEAD,
    _APPEND,
    _KEPT,
    *(
        f"CREATE TRIGGER audit_kept BEFORE {what} ON kaynak.{table} FOR EACH ROW EXECUTE FUNCTION kaynak.audit_kept()"
        for table, what in {
            "audit_events": "UPDATE OR DELETE",
            "audit_details": "UPDATE",  # they may be erased
            "audit_head": "UPDATE OR DELETE",
            "audit_segments": "UPDATE OR DELETE",
        }.items()
    ),
    *(
        f"CREATE TRIGGER audit_whole BEFORE TRUNCATE ON kaynak.{table} EXECUTE FUNCTION kaynak.audit_kept()"
        for table in ("audit_events", "audit_details", "audit_head", "audit_segments")
    ),
)


def upgrade() -> None:
    _create_tables()
    roles = sa.table("roles", sa.column("name"), sa.column("everywhere"), schema="kaynak")
    held = sa.table("role_permissions", sa.column("role"), sa.column("permission"), schema="kaynak")
    op.bulk_insert(roles, [{"name": name, "everywhere": wide} for name, (wide, _) in _ROLES.items()])
    rows = [{"role": name, "permission": one} for name, (_, all_) in _ROLES.items() for one in all_]
    op.bulk_insert(held, rows)
    for statement in _AUDIT:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index(op.f("ix_job_items_document_id"), table_name="job_items", schema="kaynak")
    op.drop_column("job_items", "readers", schema="kaynak")
    op.drop_column("messages", "sources", schema="kaynak")
    op.drop_column("documents", "readers", schema="kaynak")
    op.drop_column("collections", "restricted", schema="kaynak")
    for table in _TABLES:
        op.drop_table(table, schema="kaynak")
    for function in ("audit_append", "audit_kept"):
        op.execute(f"DROP FUNCTION kaynak.{function}")


def _create_tables() -> None:
    op.create_table(
        "audit_events",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), server_default="", nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_events")),
        schema="kaynak",
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"], unique=False, schema="kaynak")
    op.create_index("ix_audit_events_object", "audit_events", ["object", "sequence"], unique=False, schema="kaynak")
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "sequence"], unique=False, schema="kaynak")
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("genesis", sa.LargeBinary(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("one", name="one"),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_audit_head")),
        schema="kaynak",
    )
    op.create_table(
        "audit_segments",
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("events_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("first", name=op.f("pk_audit_segments")),
        schema="kaynak",
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("claim", name=op.f("uq_groups_claim")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
        schema="kaynak",
    )
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_roles")),
        schema="kaynak",
    )
    op.create_table(
        "sealed_secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sealed_secrets")),
        schema="kaynak",
    )
    op.create_table(
        "settings_kept",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings_kept")),
        schema="kaynak",
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
        schema="kaynak",
    )
    op.create_table(
        "audit_details",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_details")),
        schema="kaynak",
    )
    op.create_table(
        "role_permissions",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["role"], ["kaynak.roles.name"], name=op.f("fk_role_permissions_role"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("role", "permission", name=op.f("pk_role_permissions")),
        schema="kaynak",
    )
    op.create_table(
        "users",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["role"], ["kaynak.roles.name"], name=op.f("fk_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("identity", name=op.f("uq_users_identity")),
        schema="kaynak",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("collections", postgresql.ARRAY(sa.UUID()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["kaynak.users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
        schema="kaynak",
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False, schema="kaynak")
    op.create_table(
        "grants",
        sa.Column("collection_id", sa.UUID(), nullable=False),
        sa.Column("principal_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=True),
        sa.Column("group_id", sa.UUID(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("principal_id = coalesce(user_id, group_id)", name="principal"),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["kaynak.collections.id"], name=op.f("fk_grants_collection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["kaynak.groups.id"], name=op.f("fk_grants_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role"], ["kaynak.roles.name"], name=op.f("fk_grants_role")),
        sa.ForeignKeyConstraint(["user_id"], ["kaynak.users.id"], name=op.f("fk_grants_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection_id", "principal_id", name=op.f("pk_grants")),
        schema="kaynak",
    )
    op.create_index(op.f("ix_grants_group_id"), "grants", ["group_id"], unique=False, schema="kaynak")
    op.create_index(op.f("ix_grants_principal_id"), "grants", ["principal_id"], unique=False, schema="kaynak")
    op.create_index(op.f("ix_grants_user_id"), "grants", ["user_id"], unique=False, schema="kaynak")
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("by_claim", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["kaynak.groups.id"], name=op.f("fk_group_members_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["kaynak.users.id"], name=op.f("fk_group_members_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_members")),
        schema="kaynak",
    )
    op.create_index(op.f("ix_group_members_user_id"), "group_members", ["user_id"], unique=False, schema="kaynak")
    op.create_table(
        "sessions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("user_id", sa.UUID(), nullable=False),
        sa.Column("device", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_why", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["kaynak.users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        schema="kaynak",
    )
    op.create_index(op.f("ix_sessions_expires_at"), "sessions", ["expires_at"], unique=False, schema="kaynak")
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False, schema="kaynak")
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["kaynak.sessions.id"], name=op.f("fk_refresh_tokens_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
        schema="kaynak",
    )
    op.create_index(
        op.f("ix_refresh_tokens_session_id"), "refresh_tokens", ["session_id"], unique=False, schema="kaynak"
    )
    op.add_column(
        "collections", sa.Column("restricted", sa.BigInteger(), server_default="0", nullable=False), schema="kaynak"
    )
    op.add_column("documents", sa.Column("readers", postgresql.ARRAY(sa.UUID()), nullable=True), schema="kaynak")
    op.create_index(
        "ix_documents_readers",
        "documents",
        ["readers"],
        schema="kaynak",
        postgresql_using="gin",
        postgresql_where=sa.text("readers IS NOT NULL"),
    )
    op.create_index(op.f("ix_job_items_document_id"), "job_items", ["document_id"], schema="kaynak")
    op.add_column("job_items", sa.Column("readers", postgresql.ARRAY(sa.UUID()), nullable=True), schema="kaynak")
    op.add_column(
        "messages",
        sa.Column("sources", postgresql.ARRAY(sa.UUID()), server_default="{}", nullable=False),
        schema="kaynak",
    )
    op.execute(_SOURCES)
