"""Engines by name. An engine's libraries are imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kaynak.domain import Misconfigured
from kaynak.engines.options import EngineOptions
from kaynak.engines.protocol import DenseEngine, LexicalEngine

if TYPE_CHECKING:
    from kaynak.engines.qdrant.transport import Transport


def _pgvector(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.pgvector import PgVectorEngine

    return PgVectorEngine(options.database_url, build_megabytes=options.pgvector.build_mb)


def _faiss(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.faiss import FaissEngine

    return FaissEngine(options.data_dir / "indexes" / "faiss")


def _milvus(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.milvus import MilvusEngine

    return MilvusEngine(options.milvus, options.data_dir / "indexes" / "milvus")


def _milvus_lexical(options: EngineOptions) -> LexicalEngine:
    from kaynak.engines.milvus import MilvusLexical

    return MilvusLexical(options.milvus, options.data_dir / "indexes" / "milvus")


def _memory_dense(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.memory import MemoryDense

    return MemoryDense()


def _tantivy(options: EngineOptions) -> LexicalEngine:
    from kaynak.engines.tantivy import TantivyEngine

    return TantivyEngine(options.data_dir / "indexes" / "tantivy")


def _memory_lexical(options: EngineOptions) -> LexicalEngine:
    from kaynak.engines.memory import MemoryLexical

    return MemoryLexical()


def _arangodb_dense(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.arangodb import ArangoDense

    return ArangoDense(options.arangodb)


def _arangodb_lexical(options: EngineOptions) -> LexicalEngine:
    from kaynak.engines.arangodb import ArangoLexical

    return ArangoLexical(options.arangodb)


def _qdrant(options: EngineOptions) -> Transport:
    if options.qdrant.url:
        with _installed("qdrant"):
            from kaynak.engines.qdrant.server import ServerTransport

            return ServerTransport(options.qdrant)
    with _installed("qdrant-embedded"):
        from kaynak.engines.qdrant.edge import EdgeTransport

        return EdgeTransport(options.data_dir / "indexes" / "qdrant", options.qdrant.prefix)


def _qdrant_dense(options: EngineOptions) -> DenseEngine:
    from kaynak.engines.qdrant import QdrantDense

    return QdrantDense(_qdrant(options))


def _qdrant_lexical(options: EngineOptions) -> LexicalEngine:
    from kaynak.engines.qdrant import QdrantLexical

    return QdrantLexical(_qdrant(options))


_DENSE: dict[str, Callable[[EngineOptions], DenseEngine]] = {
    "pgvector": _pgvector,
    "arangodb": _arangodb_dense,
    "qdrant": _qdrant_dense,
    "milvus": _milvus,
    "faiss": _faiss,
    "memory": _memory_dense,
}
_LEXICAL: dict[str, Callable[[EngineOptions], LexicalEngine]] = {
    "tantivy": _tantivy,
    "arangodb": _arangodb_lexical,
    "qdrant": _qdrant_lexical,
    "milvus": _milvus_lexical,
    "memory": _memory_lexical,
}
DENSE_ENGINES = tuple(_DENSE)
LEXICAL_ENGINES = tuple(_LEXICAL)


def dense_engine(name: str, options: EngineOptions) -> DenseEngine:
    """Returns a new dense engine; nothing is connected or created before it is used.

    Args:
        name: One of `DENSE_ENGINES`.
        options: What it has to be told.

    Raises:
        Misconfigured: There is no such engine, or its library is not installed.
    """
    if name not in _DENSE:
        raise Misconfigured(f"There is no dense engine “{name}”.", hint=f"Use one of {', '.join(DENSE_ENGINES)}.")
    with _installed(name):
        return _DENSE[name](options)


def lexical_engine(name: str, options: EngineOptions) -> LexicalEngine:
    """Returns a new lexical engine; arguments and errors as in `dense_engine`."""
    if name not in _LEXICAL:
        raise Misconfigured(f"There is no lexical engine “{name}”.", hint=f"Use one of {', '.join(LEXICAL_ENGINES)}.")
    with _installed(name):
        return _LEXICAL[name](options)


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as exc:
        raise Misconfigured(
            f"The library of “{extra}” is not installed ({exc.name}).",
            hint=f"Install it: pip install 'kaynak[{extra}]'",
        ) from exc
