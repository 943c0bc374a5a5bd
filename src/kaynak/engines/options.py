"""What engines have to be told of the world outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "kaynak"
"""Begins the names of what engines keep in stores that may have other things too."""


@dataclass(frozen=True, slots=True)
class PgVectorOptions:
    """How the database is used.

    Attributes:
        build_mb: Memory that it may take to build a graph, MB.
    """

    build_mb: int = 2048


@dataclass(frozen=True, slots=True)
class QdrantOptions:
    """Where Qdrant is.

    Attributes:
        url: Of a server or cluster; None for the embedded engine, in files of this host.
        api_key: If it wants one.
        shards: Of new collections; None leaves it to the cluster.
        replicas: Copies of each shard of new collections.
        write_consistency: Copies that must have a write before it counts.
        seconds: Most time for one request.
        prefix: Begins the names of its collections, so that several installations can share a server: a letter, then
            letters and digits, all small.
    """

    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    shards: int | None = None
    replicas: int = 1
    write_consistency: int = 1
    seconds: float = 30.0
    prefix: str = PREFIX


@dataclass(frozen=True, slots=True)
class MilvusOptions:
    """Where Milvus is.

    Attributes:
        uri: Of a server or cluster; None for the embedded engine, in files of this host.
        token: ``user:password`` or an API key.
        database: Of the server.
        shards: Of new collections.
        replicas: Copies in memory of what is loaded.
        seconds: Most time for one request.
        prefix: Begins the names of its collections, so that several installations can share a server: a letter, then
            letters and digits, all small.
    """

    uri: str | None = None
    token: str | None = field(default=None, repr=False)
    database: str = "default"
    shards: int = 1
    replicas: int = 1
    seconds: float = 30.0
    prefix: str = PREFIX


@dataclass(frozen=True, slots=True)
class ArangoOptions:
    """Where ArangoDB is.

    Attributes:
        url: Of a server or coordinator; None for none.
        user: Of the database.
        password: Of the user.
        database: It must exist.
        shards: Of new collections.
        replicas: Copies of each shard.
        write_consistency: Copies that must have a write before it counts.
        seconds: Most time for one request.
        prefix: Begins the names of its collections, so that several installations can share a server: a letter, then
            letters and digits, all small.
    """

    url: str | None = None
    user: str = "root"
    password: str | None = field(default=None, repr=False)
    database: str = "_system"
    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    seconds: float = 30.0
    prefix: str = PREFIX


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """All of it.

    Attributes:
        database_url: PostgreSQL with pgvector, as ``postgresql://…``.
        data_dir: Where engines that live in files keep them.
        pgvector: pgvector.
        qdrant: Qdrant.
        milvus: Milvus.
        arangodb: ArangoDB.
    """

    database_url: str
    data_dir: Path
    pgvector: PgVectorOptions = field(default_factory=PgVectorOptions)
    qdrant: QdrantOptions = field(default_factory=QdrantOptions)
    milvus: MilvusOptions = field(default_factory=MilvusOptions)
    arangodb: ArangoOptions = field(default_factory=ArangoOptions)
