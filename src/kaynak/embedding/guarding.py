"""A generation is searched, and written to, with the model it was made with, and no other."""

from __future__ import annotations

from kaynak.domain import Misconfigured
from kaynak.embedding.protocol import Embedder, SparseEmbedder


def check_fingerprint(embedder: Embedder | SparseEmbedder, wanted: str | None) -> None:
    """Raises `Misconfigured` if the model is not the one with the fingerprint ``wanted``."""
    if embedder.fingerprint != wanted:
        raise Misconfigured(
            "The embedding model is not the one the collection was indexed with: its files, its prompts or what its "
            "server runs has changed.",
            hint="Put the old model back, or build a new generation with the new one: kaynak index build.",
        )
