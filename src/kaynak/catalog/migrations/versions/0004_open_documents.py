"""Whether a collection has documents without a list of readers is asked by every search: an index answers it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_documents_open",
        "documents",
        ["collection_id"],
        schema="kaynak",
        postgresql_where=sa.text("readers IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_documents_open", table_name="documents", schema="kaynak")
