"""BM25 as sparse vectors: an entry holds what its terms are worth by their count, a query what they weigh."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

from kaynak.engines.analysis import entry_terms
from kaynak.engines.protocol import Entry
from kaynak.engines.scoring import K1, B, Plan, idf

USUAL = 100.0
"""Terms of a passage of a hundred tokens with its title, as in decision 9: what an index expects before it has any."""

_DOUBTS = 100
"""Entries that the first write must have to outweigh what was expected."""


def usual_length(entries: Sequence[Entry]) -> float:
    """Returns how many terms an entry is expected to have, by those of the first write."""
    terms = sum(len(entry_terms(one.text, one.context, one.language)) for one in entries)
    return (USUAL * _DOUBTS + terms) / (_DOUBTS + len(entries))


def term_number(term: str) -> int:
    """Returns the index of a term in sparse vectors: 32 bits of a hash."""
    return zlib.crc32(term.encode("utf-8", "replace"))


def entry_weights(entry: Entry, usual: float, number: Callable[[str], int] = term_number) -> dict[int, float]:
    """Returns what each term of an entry is worth, by its number.

    Args:
        entry: With a text.
        usual: Terms of a usual entry.
        number: Returns the number of a term.
    """
    counts = Counter(map(number, entry_terms(entry.text, entry.context, entry.language)))
    norm = K1 * (1 - B + B * counts.total() / usual)
    return {key: count * (K1 + 1) / (count + norm) for key, count in counts.items()}


def query_weights(
    plan: Plan, frequency: Callable[[int], int], total: int, number: Callable[[str], int] = term_number
) -> dict[int, float]:
    """Returns what each term of a query weighs, by its number.

    Args:
        plan: Of the query.
        frequency: How many entries have the term of a number.
        total: How many entries there are.
        number: Returns the number of a term.
    """
    weights: dict[int, float] = {}
    for term, factor in plan.terms.items():
        key = number(term)
        weights[key] = weights.get(key, 0.0) + factor * idf(min(total, frequency(key)), total)
    return weights
