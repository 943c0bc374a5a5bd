"""How well a model speaks a language, from how it spells its words."""

from __future__ import annotations

import re
from typing import Protocol, runtime_checkable

from kaynak.domain.tokens import TokenCounter

_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 2000


@runtime_checkable
class KnowsUnknown(Protocol):
    """A tokenizer that can say what its vocabulary cannot spell."""

    def unknown(self, text: str) -> int:
        """Returns the number of tokens that stand for something unknown."""
        ...


def tokens_per_word(text: str, tokenizer: TokenCounter) -> float:
    """Returns how many pieces the tokenizer needs for a word of ``text``; 0 when it has no words.

    In a language the model was trained on most words are one or two pieces (0.96 to 1.7 for English questions
    with all-MiniLM-L6-v2); in one it was not, words fall apart (3.4 for Turkish). A piece that is unknown
    altogether counts as the whole word's letters, since the model sees nothing of it. Words are runs of
    letters; the first 2,000 characters are looked at. Where tokens are only estimated nothing can be told: 0 as well.
    """
    if getattr(tokenizer, "estimated", False):
        return 0.0
    words = _WORD.findall(text[:_SAMPLE])
    if not words:
        return 0.0
    joined = " ".join(words)
    pieces = float(tokenizer.count(joined))
    if isinstance(tokenizer, KnowsUnknown):
        letters = sum(map(len, words)) / len(words)
        pieces += tokenizer.unknown(joined) * max(0.0, letters - 1)
    return pieces / len(words)
