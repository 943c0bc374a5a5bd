"""An embedder without a model: words in common make vectors alike."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import EmbedderUnavailable
from kaynak.domain.tokens import TokenCounter
from kaynak.embedding import Kind

_WORD = re.compile(r"\w+|[^\w\s]")


class WordCounter:
    """A tokenizer whose tokens are words and single marks. See `TokenCounter`."""

    fingerprint = "words"

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """See `TokenCounter`."""
        return [match.span() for match in _WORD.finditer(text)]

    def starts(self, text: str) -> list[int]:
        """See `TokenCounter`."""
        return [match.start() for match in _WORD.finditer(text)]

    def count(self, text: str) -> int:
        """See `TokenCounter`."""
        return sum(1 for _ in _WORD.finditer(text))


class FakeEmbedder:
    """Sums a pseudo-random direction for each word, ignoring case. See `Embedder`.

    Attributes:
        calls: The texts of each call, in order, with their kind.
        failures: Errors to raise at the next calls, first one first.
    """

    def __init__(self, dimensions: int = 64, max_tokens: int = 254) -> None:
        self.fingerprint = f"fake-{dimensions}-{max_tokens}"
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.tokenizer: TokenCounter = WordCounter()
        self.calls: list[tuple[tuple[str, ...], Kind]] = []
        self.failures: list[Exception] = []
        self._closed = False

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """See `Embedder`."""
        if self._closed:
            raise EmbedderUnavailable("The embedding model is closed.")
        self.calls.append((tuple(texts), kind))
        if self.failures:
            raise self.failures.pop(0)
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        return np.stack([self._vector(text) for text in texts])

    async def close(self) -> None:
        """See `Embedder`."""
        self._closed = True

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = [text[start:end].casefold() for start, end in self.tokenizer.offsets(text)][: self.max_tokens]
        total = np.sum([self._direction(word) for word in words or [""]], axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)

    def _direction(self, word: str) -> NDArray[np.float64]:
        seed = int.from_bytes(hashlib.blake2b(word.encode(errors="replace"), digest_size=8).digest(), "little")
        return np.random.default_rng(seed).standard_normal(self.dimensions)
