"""What answers need: how collections are answered from, conversations, keys of providers, and what models cost."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = ("budgets", "model_calls", "provider_keys", "messages", "conversations")


def upgrade() -> None:

    op.create_table(
        "budgets",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject", "period", name=op.f("pk_budgets")),
        schema="kaynak",
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("collections", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("answering", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("filter", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("summary_of", sa.UUID(), nullable=True),
        sa.Column("words", postgresql.TSVECTOR(), server_default=sa.text("''::tsvector"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        schema="kaynak",
    )
    op.create_index(
        "ix_conversations_owner_updated_at",
        "conversations",
        ["owner", "updated_at", "id"],
        unique=False,
        schema="kaynak",
    )
    op.create_index(
        "ix_conversations_words", "conversations", ["words"], unique=False, schema="kaynak", postgresql_using="gin"
    )
    op.create_table(
        "model_calls",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=True),
        sa.Column("estimated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("cost", sa.Numeric(precision=14, scale=8), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_calls")),
        schema="kaynak",
    )
    op.create_index(
        "ix_model_calls_collection_created_at",
        "model_calls",
        ["collection", "created_at"],
        unique=False,
        schema="kaynak",
        postgresql_include=["cost"],
    )
    op.create_index(
        "ix_model_calls_created_at",
        "model_calls",
        ["created_at"],
        unique=False,
        schema="kaynak",
        postgresql_include=["cost"],
    )
    op.create_index(
        "ix_model_calls_owner_created_at",
        "model_calls",
        ["owner", "created_at"],
        unique=False,
        schema="kaynak",
        postgresql_include=["cost"],
    )
    op.create_table(
        "provider_keys",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_keys")),
        schema="kaynak",
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("conversation_id", sa.UUID(), nullable=False),
        sa.Column("parent_id", sa.UUID(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("stop_requested", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), server_default=sa.text("''::tsvector"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["kaynak.conversations.id"],
            name=op.f("fk_messages_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["kaynak.messages.id"], name=op.f("fk_messages_parent_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        schema="kaynak",
    )
    op.create_index(
        "ix_messages_conversation_id_created_at",
        "messages",
        ["conversation_id", "created_at", "id"],
        unique=False,
        schema="kaynak",
    )
    op.create_index("ix_messages_words", "messages", ["words"], unique=False, schema="kaynak", postgresql_using="gin")
    op.create_index(op.f("ix_messages_parent_id"), "messages", ["parent_id"], unique=False, schema="kaynak")
    op.create_index(
        "ix_messages_state",
        "messages",
        ["state"],
        unique=False,
        schema="kaynak",
        postgresql_where=sa.text("state = 'writing'"),
    )
    op.add_column(
        "collections",
        sa.Column("answering", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        schema="kaynak",
    )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table, schema="kaynak")
    op.drop_column("collections", "answering", schema="kaynak")
