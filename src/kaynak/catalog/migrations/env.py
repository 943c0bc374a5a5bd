"""Run by Alembic, on the connection that `kaynak.catalog.migrate` opened."""

from alembic import context
from sqlalchemy import text

import kaynak.catalog.people_tables  # noqa: F401 - registers its tables
from kaynak.catalog.migrate import SCHEMA
from kaynak.catalog.tables import metadata

connection = context.config.attributes["connection"]
connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
context.configure(connection=connection, target_metadata=metadata, version_table_schema=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
