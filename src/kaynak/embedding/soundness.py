"""What a model gives, looked at before anybody stores it or searches with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable, Misconfigured, UnsoundEmbedding
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding.protocol import Embedder, Kind

Vectors = NDArray[np.float32]

_LEAST_LENGTH = 1e-6


def sound(rows: Any, count: int, dimensions: int | None, title: str) -> Vectors:
    """Returns what a model gave as unit vectors, shape ``(count, dimensions)``.

    Args:
        rows: What it gave.
        count: How many texts it was given.
        dimensions: How many it must have; None: as many as the first has.
        title: Of the model, for people.

    Raises:
        EmbedderUnavailable: They are no rows of numbers, too few or too many.
        UnsoundEmbedding: They are not finite, or have no direction.
        Misconfigured: They have other dimensions.
    """
    try:
        vectors = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        raise EmbedderUnavailable(f"{title} gave vectors that are not rows of numbers.", hint="Try again.") from exc
    if len(vectors) != count:
        raise EmbedderUnavailable(f"{title} gave {len(vectors)} vectors for {count} texts.", hint="Try again.")
    if vectors.ndim != 2:
        raise Misconfigured(
            f"{title} gives no single vector for a text.", hint="Choose an embedding model whose output is pooled."
        )
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise Misconfigured(
            f"{title} gave vectors of {vectors.shape[1]} dimensions in place of {dimensions}.",
            hint="Another model may answer under this name now. Put the old one back, or build a new generation.",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise UnsoundEmbedding(f"{title} gave a vector with numbers that are none (NaN).", hint="Try again.")
    if not (lengths > _LEAST_LENGTH).all():
        raise UnsoundEmbedding(f"{title} gave a vector of zeros.", hint="Try again.")
    return np.asarray(vectors / lengths, dtype=np.float32)


class Sound:
    """Lets only sound vectors through. See `Embedder`.

    Args:
        inner: Embeds.
        title: Of the model, for people.
    """

    def __init__(self, inner: Embedder, title: str) -> None:
        self.fingerprint = inner.fingerprint
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokenizer: TokenCounter = inner.tokenizer
        self._inner = inner
        self._title = title

    async def embed(self, texts: Sequence[str], kind: Kind) -> Vectors:
        """See `Embedder`."""
        return sound(await self._inner.embed(texts, kind), len(texts), self.dimensions, self._title)

    async def close(self) -> None:
        """See `Embedder`."""
        await self._inner.close()
