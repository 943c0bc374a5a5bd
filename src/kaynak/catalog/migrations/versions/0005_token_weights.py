"""Generations whose lexical index holds weights of tokens that a model has learnt.

Weights lie with the embeddings, by the fingerprint of what computed them, and are removed with those.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("generations", sa.Column("weights_fingerprint", sa.Text(), nullable=True), schema="kaynak")


def downgrade() -> None:
    op.execute(
        "DELETE FROM kaynak.embeddings WHERE embedder_fingerprint IN "
        "(SELECT weights_fingerprint FROM kaynak.generations)"
    )
    # Code that knows words alone cannot read such an index, and fills it with words.
    op.execute(
        "UPDATE kaynak.generations SET spec = spec #- '{lexical,params,weights}' WHERE weights_fingerprint IS NOT NULL"
    )
    op.drop_column("generations", "weights_fingerprint", schema="kaynak")
