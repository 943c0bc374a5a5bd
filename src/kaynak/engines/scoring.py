"""From the words of a query to weighted terms: the part of BM25 that all lexical engines share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log

from kaynak.engines.analysis import QueryWord

K1 = 1.2
B = 0.75

MAX_WORDS = 128
"""Longer queries are cut to their rarest words: the rest hardly moves the ranking, and costs the most."""

REPEAT = 0.75
"""A word said n times weighs n ** REPEAT; plain counts do worse on short queries, none on long ones."""


def idf(frequency: int, total: int) -> float:
    """Returns the weight of a term that ``frequency`` of ``total`` entries have (Lucene's form; > 0)."""
    return log(1 + (total - frequency + 0.5) / (frequency + 0.5))


@dataclass(frozen=True, slots=True)
class Share:
    """What one word of the query adds to coverage.

    Attributes:
        stems: Terms of which one in an entry earns the whole share.
        prefixes: Terms of which one earns half of it.
        share: Of all weight of the query.
    """

    stems: tuple[str, ...]
    prefixes: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask an inverted index.

    Attributes:
        terms: Term to the factor on its own BM25 score. All of them are in the index.
        shares: Of the words that are in the index; those of the others are missing from a sum of 1.
        ceiling: See `LexicalCandidates`.
        known: See `LexicalCandidates`.
    """

    terms: dict[str, float]
    shares: tuple[Share, ...]
    ceiling: float
    known: float


@dataclass(frozen=True, slots=True)
class _Form:
    found: tuple[tuple[str, float], ...]
    idf: float


def plan_query(words: Sequence[QueryWord], frequency: Callable[[str], int], total: int) -> Plan:
    """Weighs the words of a query.

    The terms of a form (the stem in each language) together weigh what one term with their summed frequency
    would, so that a word is not more important for being rare in one of the languages.

    Args:
        words: From `query_words`.
        frequency: How many entries have a term.
        total: How many entries the index has.
    """
    counts: dict[str, int] = {}
    weighed = [(word.count**REPEAT, _weigh_forms(word, frequency, total, counts)) for word in words]
    known = sum(bool(forms[0].found) for _, forms in weighed) / max(1, len(weighed))
    if len(weighed) > MAX_WORDS:
        weighed.sort(key=lambda item: (not any(form.found for form in item[1]), -item[1][0].idf))
        del weighed[MAX_WORDS:]
    terms: dict[str, float] = {}
    ceiling = 0.0
    for repeat, forms in weighed:
        for form in forms:
            for term, weight in form.found:
                factor = repeat * weight * form.idf / idf(counts[term], total)
                terms[term] = terms.get(term, 0.0) + factor
        ceiling += repeat * _ceiling(forms)
    whole = sum(repeat * forms[0].idf for repeat, forms in weighed) or 1.0
    shares = tuple(
        Share(_terms(forms[:1]), _terms(forms[1:]), repeat * forms[0].idf / whole)
        for repeat, forms in weighed
        if any(form.found for form in forms)
    )
    return Plan(terms, shares, ceiling * (K1 + 1), known)


def _weigh_forms(word: QueryWord, frequency: Callable[[str], int], total: int, counts: dict[str, int]) -> list[_Form]:
    stem, *others = (_weigh(form, frequency, total, counts) for form in word.forms)
    # A prefix is never rarer than its stem but where few entries are in a language that has prefixes.
    most = stem.idf if stem.found else inf
    return [stem, *(_Form(one.found, min(most, one.idf)) for one in others)]


def _weigh(
    form: Sequence[tuple[str, float]], frequency: Callable[[str], int], total: int, counts: dict[str, int]
) -> _Form:
    for term, _ in form:
        if term not in counts:
            counts[term] = frequency(term)
    together = min(total, sum(counts[term] for term, _ in form))
    return _Form(tuple((term, weight) for term, weight in form if counts[term]), idf(together, total))


def _ceiling(forms: Sequence[_Form]) -> float:
    """Returns what an entry can earn with one word: an entry is of one language, which has 1 or 2 forms."""
    best = [max((weight for _, weight in form.found), default=0.0) for form in forms]
    if best[0] == 1.0:
        return forms[0].idf
    return sum(weight * form.idf for weight, form in zip(best, forms, strict=True))


def _terms(forms: Sequence[_Form]) -> tuple[str, ...]:
    return tuple(term for form in forms for term, _ in form.found)
