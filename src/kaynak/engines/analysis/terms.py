from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kaynak.engines.analysis.languages import PREFIX, has_prefix_form
from kaynak.engines.analysis.normalise import APOSTROPHES, normalise
from kaynak.engines.analysis.words import folded_words, is_stop_word, stems, words

MAX_QUERY_WORDS = 500
"""Distinct words of a query that are looked at; of those the rarest are asked for."""

MAX_QUERY_CHARS = 20_000

CONTEXT_COPIES = 2
"""How often title and headings are counted. Once more than the text gained .006 on the mean of seven sets."""

# Identifiers, versions, numbers, addresses, hyphenated words: letters or digits joined by single signs.
# They begin where a word does: tried from every letter, a long word would take the square of its length.
_COMPOUND = re.compile(r"(?<![^\W_])[^\W_]+(?:[-_.,/:@+#&" + APOSTROPHES + r"][^\W_]+)+")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
_MAX_COMPOUND = 64

Weighted = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class QueryWord:
    """One word of a query.

    Attributes:
        forms: What it stands under in the index: its stem, and for some languages its prefix. A form has a
            term for each language that the query is analysed in, each with a weight in (0, 1].
        count: How often the query says it.
    """

    forms: tuple[Weighted, ...]
    count: int


def entry_terms(text: str, context: str, language: str | None) -> list[str]:
    """Returns all terms that an entry is indexed under; repeated ones count as often as they stand there."""
    return [*index_terms(text, language), *_context_terms(context, language)]


@lru_cache(maxsize=64)
def _context_terms(context: str, language: str | None) -> tuple[str, ...]:
    # The passages of a document come together and share its title.
    return tuple(index_terms(context, language) * CONTEXT_COPIES)


def index_terms(text: str, language: str | None) -> list[str]:
    """Returns the terms of a text: stems in order, then prefixes, then compounds as a whole."""
    if not text:
        return []
    normal = normalise(text, language, short_grams=True)
    terms = stems(normal, language)
    if has_prefix_form(language):
        terms += [_prefix(word) for word in folded_words(normal)]
    return terms + _compounds(normal, language)


def _prefix(folded: str) -> str:
    # Marked, so that it never meets a stem of another language.
    return "~" + folded[:PREFIX]


def _compounds(normal: str, language: str | None) -> list[str]:
    """Returns each compound of a normalised text as one term: ``abc-123`` is also ``abc123``."""
    # There is none in what is letters and digits alone, which is most of a text.
    marked = " ".join([piece for piece in normal.split() if not piece.isalnum()])
    found = [_joined(match[0]) for match in _COMPOUND.finditer(marked) if len(match[0]) <= _MAX_COMPOUND]
    plain = [one for one in found if not one.isalpha()]
    # Letters alone are a word, which may come without its hyphen: it is stemmed as that would be.
    return plain + stems(" ".join(one for one in found if one.isalpha()), language) if found else found


def _joined(compound: str) -> str:
    """Returns the one term of a compound; numbers keep their decimal point, but not their grouping."""
    if _THOUSANDS.fullmatch(compound):
        return compound.replace(",", "").replace(".", "")
    if compound.replace(".", "").replace(",", "").isdigit():
        return compound.replace(",", ".")
    return "".join(char for char in compound if char.isalnum())


def query_words(text: str, languages: Sequence[str | None]) -> tuple[QueryWord, ...]:
    """Returns the distinct words of a query, without stop words unless there is nothing else.

    Args:
        text: Any text.
        languages: To analyse it in. Empty for no stemming.
    """
    pieces: dict[str, int] = {}
    for piece in text[:MAX_QUERY_CHARS].split():
        pieces[piece] = pieces.get(piece, 0) + 1
    kept: dict[tuple[Weighted, ...], int] = {}
    stopped: dict[tuple[Weighted, ...], int] = {}
    for piece, count in pieces.items():
        for forms, stop in _forms(piece, tuple(dict.fromkeys(languages)) or (None,)):
            where = stopped if stop else kept
            where[forms] = where.get(forms, 0) + count
        if len(kept) >= MAX_QUERY_WORDS:
            break
    return tuple(QueryWord(forms, count) for forms, count in (kept or stopped).items())


def _forms(piece: str, languages: tuple[str | None, ...]) -> Iterator[tuple[tuple[Weighted, ...], bool]]:
    """Yields the forms of each word in a piece without spaces, and whether a language calls it a stop word.

    Words are matched between languages by their place in the piece.
    """
    stem_forms: list[dict[str, float]] = []
    prefix_forms: list[dict[str, float]] = []
    stops: set[int] = set()
    wholes: dict[str, float] = {}
    for language in languages:
        normal = normalise(piece, language, short_grams=False)
        weight = 0.5 if has_prefix_form(language) else 1.0
        for at, word in enumerate(words(normal)[:MAX_QUERY_WORDS]):
            if at == len(stem_forms):
                stem_forms.append({})
                prefix_forms.append({})
            for term in stems(word, language):
                stem_forms[at][term] = max(weight, stem_forms[at].get(term, 0.0))
            if weight < 1:
                prefix_forms[at].update((_prefix(folded), weight) for folded in folded_words(word))
            if is_stop_word(word, language):
                stops.add(at)
        wholes.update(dict.fromkeys(_compounds(normal, language), 1.0))
    for at, (stem_form, prefix_form) in enumerate(zip(stem_forms, prefix_forms, strict=True)):
        forms = tuple(tuple(form.items()) for form in (stem_form, prefix_form) if form)
        if forms:
            yield forms, at in stops
    for whole in wholes:
        yield (((whole, 1.0),),), False
