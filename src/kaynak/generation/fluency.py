"""How well an embedding model speaks the language of a text."""

from __future__ import annotations

from kaynak.domain.tokens import TokenCounter
from kaynak.retrieval import pieces_per_word

_FLUENT, _FOREIGN = 1.6, 2.8


def fluency(text: str, tokenizer: TokenCounter) -> float:
    """Returns how well a model speaks the language of a text, in [0, 1], from how it spells its words."""
    pieces = pieces_per_word(text, tokenizer)
    return min(1.0, max(0.0, (_FOREIGN - pieces) / (_FOREIGN - _FLUENT)))
