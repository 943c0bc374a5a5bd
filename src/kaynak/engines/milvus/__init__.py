"""Milvus: servers and clusters by gRPC, and milvus-lite in files of this host."""

from kaynak.engines.milvus.engine import MilvusEngine

__all__ = ["MilvusEngine"]
