from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_WORD = re.compile(r"\w+")
_SHINGLE = 3
_ALIKE = 0.9
_SKETCH = 8


class Duplicates(Generic[K]):
    """Notices texts that say nearly the same as one before, whatever their case, marks and white space.

    Texts are compared by the share of their three-word sequences that they have in common.
    """

    def __init__(self) -> None:
        self._seen: list[tuple[set[int], K]] = []
        self._sketches: dict[int, list[int]] = {}

    def original(self, text: str, key: K) -> K | None:
        """Returns the key of an earlier text that ``text`` repeats, or None after noting it as new."""
        shingles = _shingles(text)
        # Texts that have nine tenths in common share one of their smallest hashes, as good as always.
        sketch = sorted(shingles)[:_SKETCH]
        near = {at for part in sketch for at in self._sketches.get(part, ())}
        for at in sorted(near):
            seen, first = self._seen[at]
            shared = len(shingles & seen)
            if shared >= _ALIKE * (len(shingles) + len(seen) - shared):
                return first
        for part in sketch:
            self._sketches.setdefault(part, []).append(len(self._seen))
        self._seen.append((shingles, key))
        return None


def _shingles(text: str) -> set[int]:
    """Returns the hashes of all three words in a row: numbers compare and sort faster than what they stand for."""
    words = _WORD.findall(text.casefold())
    if len(words) < _SHINGLE:
        return {hash(tuple(words) or text.strip())}
    return set(map(hash, zip(words, words[1:], words[2:], strict=False)))
