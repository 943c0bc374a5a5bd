"""What speaks for a sentence as the answer to a question, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import Hit
from kaynak.engines.analysis import QueryWord, index_terms, query_words
from kaynak.generation.comparing import synonyms
from kaynak.generation.extractive.cues import Wanted, gives, wanted
from kaynak.generation.extractive.units import Unit

Features = NDArray[np.float64]

NAMES = ("own", "around", "passage", "cosine", "spoken", "cue", "kind", "rank", "short", "heading")
"""Columns of the features.

own: idf-weighted share of the question's words in the sentence. around: the same with what it is read under.
passage: the same in the whole passage. cosine: of sentence and question, 0 as far as the model does not speak the
question. spoken: how well it does, in [0, 1]. cue: has a thing of the kind asked for. kind: the question asks for a
certain kind of thing. rank: 1 / rank of the passage. short: hardly longer than a few words. heading: is a heading,
or a question.
"""

_ASKING = frozenset(["kac", "kacinci", "many", "mani", "much", "often", "long"])

_SYNONYM, _PREFIX = 0.7, 0.6
_BEFORE, _ABOVE = 0.8, 0.5
"""What a word counts in the sentence before, and in a title or heading."""


def column(features: Features, name: str) -> Features:
    """Returns one of `NAMES`, shape ``(n,)``."""
    found: Features = features[:, NAMES.index(name)]
    return found


@dataclass(frozen=True, slots=True)
class Question:
    """A question, analysed in the languages of the passages."""

    text: str
    words: tuple[QueryWord, ...]
    kind: Wanted


def read_question(text: str, hits: Sequence[Hit]) -> Question:
    """Analyses a question in the languages of ``hits``."""
    languages = list(dict.fromkeys(hit.language for hit in hits))
    words = query_words(text, languages)
    # What only asks is not looked for, unless there is nothing else.
    asked = tuple(word for word in words if not any(term in _ASKING for form in word.forms for term, _ in form))
    return Question(text, asked or words, wanted(text))


class Evidence:
    """The words of all sentences and passages, looked up once.

    Args:
        question: What was asked.
        hits: The passages.
        units: Their sentences.
    """

    def __init__(self, question: Question, hits: Sequence[Hit], units: Sequence[Unit]) -> None:
        self._question = question
        self._hits = hits
        self._units = units
        self._own = [frozenset(index_terms(unit.found_by or unit.text, hits[unit.hit].language)) for unit in units]
        before = [frozenset(index_terms(unit.before, hits[unit.hit].language)) for unit in units]
        titles = {above: frozenset(index_terms(above, language)) for above, language in
                  {(unit.above, hits[unit.hit].language) for unit in units}}  # fmt: skip
        above = [titles[unit.above] for unit in units]
        whole: dict[int, frozenset[str]] = {}
        for unit, *parts in zip(units, self._own, before, above, strict=True):
            whole[unit.hit] = whole.get(unit.hit, frozenset()).union(*parts)
        # A table is found by the names of its columns, which count as they do for its rows.
        columns = np.array([_BEFORE if unit.found_by else 1.0 for unit in units]).reshape(-1, 1)
        self._found = _matches(question.words, self._own) * columns
        self._found_around = np.maximum(self._found, _matches(question.words, before) * _BEFORE)
        self._found_around = np.maximum(self._found_around, _matches(question.words, above) * _ABOVE)
        self._found_whole = _matches(question.words, [whole[unit.hit] for unit in units])
        self._weights = _idf(self._found_whole if len(units) < 3 else self._found)

    @property
    def lexical(self) -> Features:
        """Share of the question in each sentence and around it, shape ``(units,)``: to choose what to embed."""
        return self._share(self._found_around) + 0.5 * self._share(self._found_whole)

    def features(self, chosen: Sequence[int], cosines: NDArray[np.float32], spoken: NDArray[np.float32]) -> Features:
        """Returns the features of the chosen sentences, shape ``(len(chosen), len(NAMES))``."""
        shares = [self._share(found) for found in (self._found, self._found_around, self._found_whole)]
        kind = self._question.kind
        rows = []
        for at, cosine, fluent in zip(chosen, cosines.tolist(), spoken.tolist(), strict=True):
            unit = self._units[at]
            rows.append(
                (
                    *(share[at] for share in shares),
                    cosine * fluent,
                    fluent,
                    float(kind is not Wanted.ANY and gives(unit.text, kind, self._question.text)),
                    float(kind is not Wanted.ANY),
                    1.0 / (1 + unit.hit),
                    float(len(unit.text.split()) < 4),
                    float(unit.heading or unit.text.rstrip().endswith("?")),
                )
            )
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(NAMES))

    def _share(self, found: Features) -> Features:
        total = self._weights.sum()
        return found @ self._weights / total if total else np.zeros(len(found))


def _matches(words: Sequence[QueryWord], texts: Sequence[frozenset[str]]) -> Features:
    """Returns how well each text has each word, shape ``(texts, words)``: 1 by its stem, less by its like."""
    found = np.zeros((len(texts), len(words)))
    for column, word in enumerate(words):
        stems = frozenset(term for term, _ in word.forms[0])
        others = frozenset(other for stem in stems for language in ("en", "tr") for other in synonyms(stem, language))
        prefixes = frozenset(term for term, _ in word.forms[1]) if len(word.forms) > 1 else frozenset()
        for level, terms in ((1.0, stems), (_SYNONYM, others), (_PREFIX, prefixes)):
            for row, text in enumerate(texts):
                if found[row, column] == 0.0 and not terms.isdisjoint(text):
                    found[row, column] = level
    return found


def _idf(found: Features) -> Features:
    total, having = len(found), (found > 0).sum(axis=0)
    return np.array([log(1 + (total - count + 0.5) / (count + 0.5)) for count in having])
