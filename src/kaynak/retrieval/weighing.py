"""How much the dense side is worth for a query and a collection."""

from __future__ import annotations

from dataclasses import dataclass

from kaynak.domain import Json
from kaynak.retrieval.profiles import Profile

BALANCE = 0.37
"""Weight of the dense side where the model speaks the language. More loses passages that answer a question in its own
words (span recall falls from .35 on), less loses documents on the same topic (nDCG falls below .35)."""

_LEAST = 0.02

_FLUENT, _FOREIGN = 1.6, 2.6
"""Tokens a word, in passages and questions: English 1.0 to 1.5 with the default model, French 1.7, German 2.4,
Turkish 3."""
_APART, _ALIKE = 0.3, 0.5
"""Mean cosine between passages: .1 to .3 where the model tells them apart, .5 for Turkish with the default one."""
_SPELLING_ALONE = 0.7
"""How far words in pieces count against a model that tells the passages apart nevertheless."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Weight of the dense side in [0, 1], and the signals it comes from."""

    dense: float
    signals: dict[str, Json]


def weigh(query_pieces: float, profile: Profile, *, known: float | None, fixed: float | None) -> Weight:
    """Returns the weight of the dense side.

    A model that does not speak a language breaks its words into many pieces, and finds its passages all alike.
    Question and collection speak for themselves with half the weight each: names fall into pieces in any
    language, and a collection may hold several languages.

    Args:
        query_pieces: Tokens per word of the query; 0 when it has no words.
        profile: What the model makes of the collection.
        known: Share of the query's words that the index has, for the record; None where it holds learnt weights, or
            did not answer.
        fixed: The caller's own choice.
    """
    sides = [pieces for pieces in (query_pieces, profile.pieces) if pieces > 0]
    pieces = sum(sides) / len(sides) if sides else 0.0
    spelt = _rising(pieces, _FLUENT, _FOREIGN)
    foreign = spelt * (_SPELLING_ALONE + (1 - _SPELLING_ALONE) * _rising(profile.cosine, _APART, _ALIKE))
    dense = max(_LEAST, BALANCE * (1 - foreign)) if fixed is None else fixed
    signals: dict[str, Json] = {
        "query_tokens_per_word": round(query_pieces, 2),
        "collection_tokens_per_word": round(profile.pieces, 2),
        "collection_cosine": round(profile.cosine, 3),
        "foreign": round(foreign, 3),
        "lexical_known": None if known is None else round(known, 3),
    }
    return Weight(dense, signals)


def _rising(value: float, start: float, end: float) -> float:
    """Returns 0 up to ``start``, 1 from ``end`` on, and a straight line between."""
    return min(1.0, max(0.0, (value - start) / (end - start)))
