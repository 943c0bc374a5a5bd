"""Index generations that are built, verified, switched and followed.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("state", sa.Text(), server_default="ready", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("verdict", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("generations", column, schema="kaynak")
    op.execute("UPDATE kaynak.generations SET activated_at = created_at WHERE active")
    op.create_table(
        "index_states",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cursor", sa.UUID(), nullable=True),
        sa.Column("base", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("entries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["kaynak.generations.id"],
            name=op.f("fk_index_states_generation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("generation_id", "side", "host", name=op.f("pk_index_states")),
        schema="kaynak",
    )
    op.create_table(
        "index_faults",
        sa.Column("generation_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("document_id", sa.UUID(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"],
            ["kaynak.generations.id"],
            name=op.f("fk_index_faults_generation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("generation_id", "side", "document_id", name=op.f("pk_index_faults")),
        schema="kaynak",
    )


def downgrade() -> None:
    op.drop_table("index_faults", schema="kaynak")
    op.drop_table("index_states", schema="kaynak")
    # Who steps back has code that knows of one generation only.
    op.execute("DELETE FROM kaynak.generations WHERE NOT active")
    for name in ("activated_at", "verdict", "error", "state"):
        op.drop_column("generations", name, schema="kaynak")
