from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.domain import Hit, KaynakError, Span
from kaynak.embedding import Embedder
from kaynak.engines.analysis import index_terms, query_words
from kaynak.generation.extractive.units import Unit, units_of
from kaynak.generation.protocol import Quote

_NUMBER = 2.5
"""What a number counts, against a word: it is what a claim most often stands and falls with."""
_MORE = 0.2
"""Share of a claim that a neighbouring sentence must add to be quoted with the best one."""
_ENOUGH = 0.25
"""Share of a claim that words must find; below it, the meaning is asked."""
_COMPARED = 40
_NEAR = 3
"""Characters between sentences that are read together."""

_log = structlog.get_logger(__name__)


Shares = NDArray[np.float64]


class Embedders(Protocol):
    """Knows the embedding model of each collection."""

    async def embedder_of(self, collection: str) -> Embedder:
        """Returns the model; raises `KaynakError` if it is away or the collection is not known."""
        ...


@dataclass(frozen=True, slots=True)
class _Passage:
    units: list[Unit]
    terms: list[frozenset[str]]


class Support:
    """Finds the sentence or two of a passage that best bear a claim out.

    By the words and numbers they share; where those say little, as between languages, by their meaning.

    Args:
        hits: The passages.
        embedders: To compare meanings; None to go by words alone.
    """

    def __init__(self, hits: Sequence[Hit], embedders: Embedders | None = None) -> None:
        self._hits = hits
        self._embedders = embedders
        self._read: dict[int, _Passage] = {}

    async def quotes(self, claim: str, labels: Sequence[int]) -> tuple[Quote, ...]:
        """Returns a quote of each passage that is referred to; ``labels`` count from 1."""
        return tuple([await self._quote(claim, label - 1) for label in labels if 0 < label <= len(self._hits)])

    async def _quote(self, claim: str, index: int) -> Quote:
        hit = self._hits[index]
        passage = self._passage(index)
        if not passage.units:
            return Quote(index, hit.span)
        found, weights = _shares(claim, hit.language, passage.terms)
        total = float(weights.sum())
        scores = found @ weights / total if total else np.zeros(len(passage.units))
        best = int(np.argmax(scores - [0.05 if unit.heading else 0.0001 * len(unit.text) for unit in passage.units]))
        if scores[best] < _ENOUGH:
            best = await self._nearest(claim, hit, passage.units, scores, best)
        return Quote(index, self._widened(passage.units, found * weights / (total or 1.0), best))

    def _passage(self, index: int) -> _Passage:
        if index not in self._read:
            hit = self._hits[index]
            units = units_of([hit])
            self._read[index] = _Passage(units, [frozenset(index_terms(unit.reading, hit.language)) for unit in units])
        return self._read[index]

    def _widened(self, units: Sequence[Unit], shares: Shares, best: int) -> Span:
        """Returns the span of the best sentence, and of the one beside it that adds most, if it adds enough."""
        unit = units[best]
        near = [at for at in (best - 1, best + 1) if 0 <= at < len(units) and not unit.row and not units[at].row]
        beside = [at for at in near if _apart(unit.span, units[at].span) <= _NEAR]
        gains = {at: float(np.maximum(shares[at] - shares[best], 0).sum()) for at in beside}
        most = max(gains, key=lambda at: gains[at], default=best)
        if gains.get(most, 0.0) < _MORE:
            return unit.span
        return Span(min(unit.span.start, units[most].span.start), max(unit.span.end, units[most].span.end))

    async def _nearest(self, claim: str, hit: Hit, units: Sequence[Unit], scores: Shares, best: int) -> int:
        if self._embedders is None or len(units) == 1:
            return best
        likely = np.argsort(-scores, kind="stable")[:_COMPARED].tolist()
        try:
            embedder = await self._embedders.embedder_of(hit.collection)
            (asked,), vectors = await asyncio.gather(
                embedder.embed([claim], "query"), embedder.embed([units[at].reading for at in likely], "document")
            )
        except KaynakError as error:
            _log.warning("quote_by_words_alone", error=error.type)
            return best
        return int(likely[int(np.argmax(np.asarray(vectors) @ np.asarray(asked)))])


def _apart(one: Span, other: Span) -> int:
    return max(one.start, other.start) - min(one.end, other.end)


def _shares(claim: str, language: str | None, terms: Sequence[frozenset[str]]) -> tuple[Shares, Shares]:
    """Returns which sentence has which word of the claim, shape ``(sentences, words)``, and what each word counts."""
    words = query_words(claim, [language])
    found = np.zeros((len(terms), len(words)))
    for column, word in enumerate(words):
        for level, form in zip((1.0, 0.6), word.forms, strict=False):
            wanted = frozenset(term for term, _ in form)
            for row, text in enumerate(terms):
                if found[row, column] == 0.0 and not wanted.isdisjoint(text):
                    found[row, column] = level
    having = (found > 0).sum(axis=0)
    weights = np.array([
        log(1 + (len(terms) + 1) / (count + 0.5))
        * (_NUMBER if any(char.isdigit() for form in word.forms for term, _ in form for char in term) else 1.0)
        for count, word in zip(having, words, strict=True)
    ])  # fmt: skip
    return found, weights.reshape(len(words))
