"""Canonical text to passages that an embedding model can read whole."""

from kaynak.chunking.context import embedding_text
from kaynak.chunking.protocol import Chunker
from kaynak.chunking.registry import build_chunker

__all__ = ["Chunker", "build_chunker", "embedding_text"]
