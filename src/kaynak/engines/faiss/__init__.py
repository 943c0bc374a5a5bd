"""Vectors in files of this host: SQLite holds them, and faiss finds them."""

from kaynak.engines.faiss.engine import FaissEngine

__all__ = ["FaissEngine"]
