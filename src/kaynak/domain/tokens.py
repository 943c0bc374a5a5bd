from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class TokenCounter(Protocol):
    """The embedder's own tokenizer, as far as chunkers need it. Thread-safe."""

    fingerprint: str

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Returns the character range of each token of ``text``, without special tokens, in order."""
        ...

    def starts(self, text: str) -> Sequence[int]:
        """Returns the first character of each token of ``text``, without special tokens, in order."""
        ...

    def count(self, text: str) -> int:
        """Returns how many tokens ``text`` has, without special tokens."""
        ...
