"""What weighs tokens without a model: tokens are words, and long words weigh more."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from kaynak.domain import EmbedderUnavailable
from kaynak.embedding import Kind
from kaynak.testing.fake_embedder import WordCounter


class FakeSparseEmbedder:
    """Gives each word that is longer than three letters a weight by its length. See `SparseEmbedder`.

    Attributes:
        fingerprint: Of the weights.
        calls: The texts of each call, in order, with their kind.
        failures: Errors to raise at the next calls, first one first.
        odd: Words that get a weight of their own.
    """

    def __init__(self, fingerprint: str = "fake-weights") -> None:
        self.fingerprint = fingerprint
        self.calls: list[tuple[tuple[str, ...], Kind]] = []
        self.failures: list[Exception] = []
        self.odd: dict[str, float] = {}
        self._words = WordCounter()
        self._closed = False

    async def embed_sparse(self, texts: Sequence[str], kind: Kind) -> list[Mapping[int, float]]:
        """See `SparseEmbedder`."""
        if self._closed:
            raise EmbedderUnavailable("The embedding model is closed.")
        self.calls.append((tuple(texts), kind))
        if self.failures:
            raise self.failures.pop(0)
        return [self._weights(text) for text in texts]

    async def close(self) -> None:
        """See `SparseEmbedder`."""
        self._closed = True

    def _weights(self, text: str) -> Mapping[int, float]:
        words = {text[start:end].casefold() for start, end in self._words.offsets(text)}
        return {token(word): self.odd.get(word, min(len(word), 16) / 32) for word in words if len(word) > 3}


def token(word: str) -> int:
    """Returns the id of a word."""
    return int.from_bytes(hashlib.blake2b(word.encode(errors="replace"), digest_size=4).digest(), "little")
