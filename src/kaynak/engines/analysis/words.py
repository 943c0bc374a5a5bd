"""Words to terms, in Rust: tantivy's analyzers, one per language."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from kaynak.engines.analysis.languages import STEMMERS
from kaynak.engines.analysis.stopwords import stop_list

if TYPE_CHECKING:
    from tantivy import TextAnalyzer, TextAnalyzerBuilder

MAX_TERM_BYTES = 120
"""Longer words are encoded data, not language."""

# Marks belong to words: Hindi and many others cannot be cut without them.
_WORD = r"[\p{L}\p{M}\p{N}]+"


def _cutter(*, ascii_only: bool) -> TextAnalyzerBuilder:
    import tantivy

    # On ASCII both tokenizers cut alike, and the plain one is three times as fast.
    tokenizer = tantivy.Tokenizer.simple() if ascii_only else tantivy.Tokenizer.regex(_WORD)
    return tantivy.TextAnalyzerBuilder(tokenizer).filter(tantivy.Filter.remove_long(MAX_TERM_BYTES))


@cache
def _words_analyzer(*, ascii_only: bool, fold: bool) -> TextAnalyzer:
    import tantivy

    builder = _cutter(ascii_only=ascii_only)
    return (builder.filter(tantivy.Filter.ascii_fold()) if fold else builder).build()


@cache
def _stem_analyzer(language: str | None, *, ascii_only: bool) -> TextAnalyzer:
    import tantivy

    builder = _cutter(ascii_only=ascii_only)
    if language in STEMMERS:
        builder = builder.filter(tantivy.Filter.stemmer(STEMMERS[language]))
    # Folded after stemming: stemmers need the diacritics, people often leave them out.
    return builder.filter(tantivy.Filter.ascii_fold()).build()


@cache
def _stop_analyzer(language: str | None) -> TextAnalyzer | None:
    import tantivy

    builder = _cutter(ascii_only=False)
    own = stop_list(language)
    if own:
        return builder.filter(tantivy.Filter.custom_stopword(own)).build()
    try:
        return builder.filter(tantivy.Filter.stopword(STEMMERS[language or ""])).build()
    except (KeyError, ValueError):
        return None


def words(normal: str) -> list[str]:
    """Returns the words of a normalised text, as they are written."""
    return _words_analyzer(ascii_only=normal.isascii(), fold=False).analyze(normal)


def folded_words(normal: str) -> list[str]:
    """Returns the words of a normalised text without diacritics."""
    return _words_analyzer(ascii_only=normal.isascii(), fold=True).analyze(normal)


def stems(normal: str, language: str | None) -> list[str]:
    """Returns the stems of the words of a normalised text, without diacritics, in order."""
    return _stem_analyzer(language, ascii_only=normal.isascii()).analyze(normal)


def is_stop_word(word: str, language: str | None) -> bool:
    """Returns whether a normalised word says nothing in ``language``."""
    kept = _stop_analyzer(language)
    return kept is not None and not kept.analyze(word)
