"""Where the words of a sentence stand in its evidence, and whether things stand there in the same company."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from math import log

import numpy as np
from numpy.typing import NDArray

from kaynak.generation.comparing.light_words import light_words
from kaynak.generation.comparing.names import folded, same
from kaynak.generation.comparing.synonyms import synonyms
from kaynak.generation.comparing.words import Reading, alike

Floats = NDArray[np.float64]

_NEAR = 6.0
"""Words by which two places may differ before they count for a third."""
_FAR = 8.0
"""Words from the thing in question after which what stands there counts for a third."""
_LIGHT = 0.3
_SYNONYM = 0.8
_LEAST = 1e-9
_MOST_PLACES, _MOST_SPOTS, _MANY = 32, 64, 1024
"""Places of one word that are looked at, places of a thing, and pairs of words beyond which those far off are passed
over: text that repeats itself must not take more time and memory than there is."""


class Alignment:
    """The words of one text looked up in another.

    Args:
        left: The text whose words are looked for.
        right: The text they are looked for in.
    """

    def __init__(self, left: Reading, right: Reading) -> None:
        self.left = left
        self.right = right
        self._sentence_of = np.array([word.sentence for word in right.words], dtype=np.int64)
        self._own_sentence = np.array([word.sentence for word in left.words], dtype=np.int64)
        self._build()

    def _build(self) -> None:
        lefts: list[int] = []
        rights: list[int] = []
        levels: list[float] = []
        for at, word in enumerate(self.left.words):
            if word.stop:
                continue
            for place, level in islice(self._matches(at), _MOST_PLACES):
                lefts.append(at)
                rights.append(place)
                levels.append(level)
        self._lefts = np.array(lefts, dtype=np.int64)
        self._rights = np.array(rights, dtype=np.int64)
        self._levels = np.array(levels, dtype=np.float64)

    def _matches(self, at: int) -> Iterable[tuple[int, float]]:
        word = self.left.words[at]
        exact = self.right.places.get(word.stem, ())
        yield from ((place, 1.0) for place in exact)
        for place in self.right.prefixes.get(word.stem[:5], ()):
            if place not in exact and (level := alike(word.stem, self.right.words[place].stem)):
                yield place, level
        if not exact:
            for stem in synonyms(word.stem, self.right.language):
                yield from ((place, _SYNONYM) for place in self.right.places.get(stem, ()))
        if word.capital and not exact:
            name = folded(word.text)
            for place, other in enumerate(self.right.words):
                if other.capital and same(name, folded(other.text)):
                    yield place, 1.0

    @cached_property
    def weights(self) -> Floats:
        """What each word of the left text counts, shape ``(words,)``: more where it is rare; 0 for stop words."""
        total = self.right.sentences + 1
        weights = np.zeros(len(self.left.words))
        for at, word in enumerate(self.left.words):
            if not word.stop and word.stem not in light_words(self.left.language):
                having = len({self.right.words[place].sentence for place in self.right.places.get(word.stem, ())})
                weights[at] = log(1 + total / (having + 0.5))
            elif not word.stop:
                weights[at] = _LIGHT
        return weights

    @cached_property
    def table(self) -> Floats:
        """How well each sentence of the right text has each word of the left, shape ``(sentences, words)``."""
        table = np.zeros((max(1, self.right.sentences), len(self.left.words)))
        if len(self._lefts):
            np.maximum.at(table, (self._sentence_of[self._rights], self._lefts), self._levels)
        return table

    def found(self, words: Sequence[int], places: Sequence[int]) -> None:
        """Counts words as standing at places, though they are written another way there: *twelve* at *12*."""
        for place in places:
            self.table[self._sentence_of[place], list(words)] = 1.0

    def coverage(self, width: int) -> Floats:
        """Returns the share of the left words in each run of ``width`` sentences; one run with ``width`` 0: all."""
        total = self.weights.sum()
        if total <= 0:
            return np.ones(1)
        table = self.table
        if width == 0:
            table = table.max(axis=0, keepdims=True)
        for step in range(1, width):
            shifted = np.vstack([self.table[step:], np.zeros((min(step, len(table)), table.shape[1]))])[: len(table)]
            table = np.maximum(table, shifted)
        return np.asarray(table @ self.weights / total)

    def missing(self) -> list[int]:
        """Returns the words that stand nowhere on the right, heaviest first."""
        absent = np.flatnonzero((self.table.max(axis=0) == 0) & (self.weights > 0))
        return sorted(absent.tolist(), key=lambda at: -self.weights[at])

    def company(self, at: int, places: Sequence[int], *, leave: frozenset[int] = frozenset()) -> float:
        """Returns how well what stands around word ``at`` stands in the same way around one of ``places``, in [0, 1].

        Args:
            at: Index of a word on the left.
            places: Indices of words on the right; the best counts.
            leave: Words on the left that do not count: the thing in question itself.
        """
        around = self.weights * np.exp(-np.abs(np.arange(len(self.weights)) - at) / _FAR)
        around[self._own_sentence != self._own_sentence[at]] = 0.0
        around[at] = 0.0
        for one in leave:
            around[one] = 0.0
        total = around.sum()
        if total <= _LEAST or not len(self._lefts) or not len(places):
            return 0.0
        spots = np.asarray(places[:_MOST_SPOTS], dtype=np.int64)[:, None]
        lefts, rights, levels = self._lefts, self._rights, self._levels
        if len(lefts) > _MANY:
            near = around[lefts] > 0.001 * around.max()
            lefts, rights, levels = lefts[near], rights[near], levels[near]
        off = np.abs((rights[None, :] - spots) - (lefts[None, :] - at))
        inside = np.where(self._sentence_of[rights][None, :] == self._sentence_of[spots], 1.0, 0.4)
        values = levels * np.exp(-off / _NEAR) * inside
        best = np.zeros((len(spots), len(self.left.words)))
        for row, scores in zip(best, values, strict=True):
            np.maximum.at(row, lefts, scores)
        return float((best @ around).max() / total)

    def anywhere(self, at: int, *, leave: frozenset[int] = frozenset()) -> float:
        """Returns `company` at the best place there is on the right, whatever stands there."""
        places = np.clip(self._rights - (self._lefts - at), 0, max(0, len(self.right.words) - 1))
        near = np.abs(self._lefts - at) <= _FAR
        return self.company(at, np.unique(places[near]).tolist(), leave=leave)
