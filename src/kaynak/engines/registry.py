"""Engines by name. An engine's libraries are imported when it is first asked for."""

from __future__ import annotations

from pathlib import Path

from kaynak.domain import Misconfigured
from kaynak.engines.protocol import DenseEngine, LexicalEngine

DENSE_ENGINES = ("pgvector", "memory")
LEXICAL_ENGINES = ("tantivy", "memory")


def dense_engine(name: str, *, database_url: str, data_dir: Path) -> DenseEngine:
    """Returns a new dense engine; nothing is connected or created before it is used.

    Args:
        name: One of `DENSE_ENGINES`.
        database_url: PostgreSQL with pgvector, as ``postgresql://…``.
        data_dir: Where engines that live in files keep them.

    Raises:
        Misconfigured: There is no such engine.
    """
    if name == "memory":
        from kaynak.engines.memory import MemoryDense

        return MemoryDense()
    if name == "pgvector":
        from kaynak.engines.pgvector import PgVectorEngine

        return PgVectorEngine(database_url)
    raise Misconfigured(f"There is no dense engine “{name}”.", hint=f"Use one of {', '.join(DENSE_ENGINES)}.")


def lexical_engine(name: str, *, database_url: str, data_dir: Path) -> LexicalEngine:
    """Returns a new lexical engine; arguments and errors as in `dense_engine`."""
    if name == "memory":
        from kaynak.engines.memory import MemoryLexical

        return MemoryLexical()
    if name == "tantivy":
        from kaynak.engines.tantivy import TantivyEngine

        return TantivyEngine(data_dir / "indexes" / "tantivy")
    raise Misconfigured(f"There is no lexical engine “{name}”.", hint=f"Use one of {', '.join(LEXICAL_ENGINES)}.")
