"""Milvus: servers and clusters by gRPC, and milvus-lite in files of this host."""

from kaynak.engines.milvus.dense import MilvusEngine
from kaynak.engines.milvus.lexical import MilvusLexical

__all__ = ["MilvusEngine", "MilvusLexical"]
