"""Text to terms, per language. Every lexical engine indexes and asks with exactly these."""

from kaynak.engines.analysis.normalise import normalise
from kaynak.engines.analysis.terms import QueryWord, entry_terms, index_terms, query_words
from kaynak.engines.analysis.words import is_stop_word, stems

ANALYSIS_VERSION = 1
"""Changes whenever an index written before would have to be built anew."""

__all__ = [
    "ANALYSIS_VERSION",
    "QueryWord",
    "entry_terms",
    "index_terms",
    "is_stop_word",
    "normalise",
    "query_words",
    "stems",
]
