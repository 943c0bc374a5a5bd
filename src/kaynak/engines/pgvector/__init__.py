"""Vectors in PostgreSQL with pgvector: a table per index in the schema ``kaynak_index``."""

from kaynak.engines.pgvector.engine import PgVectorEngine

__all__ = ["PgVectorEngine"]
