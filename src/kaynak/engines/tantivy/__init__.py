"""BM25 on tantivy: one directory per index, on this host."""

from kaynak.engines.tantivy.engine import TantivyEngine

__all__ = ["TantivyEngine"]
