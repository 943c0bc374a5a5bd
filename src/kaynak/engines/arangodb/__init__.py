"""Vectors and words in ArangoDB: a collection per index, and for words a view over it."""

from kaynak.engines.arangodb.dense import ArangoDense
from kaynak.engines.arangodb.lexical import ArangoLexical

__all__ = ["ArangoDense", "ArangoLexical"]
