"""Qdrant: a server or cluster by its client, or the same engine in this process on files of this host."""

from kaynak.engines.qdrant.dense import QdrantDense
from kaynak.engines.qdrant.lexical import QdrantLexical

__all__ = ["QdrantDense", "QdrantLexical"]
