"""From places where a text may be cut to the places where it is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaynak.chunking.cuts import HEADING, Cut, trimmed
from kaynak.chunking.token_map import TokenMap
from kaynak.domain import Span


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a chunk should measure, in tokens.

    Attributes:
        target: Best.
        least: Smaller ones join a neighbour where they can.
        most: Never exceeded.
    """

    target: int
    least: int
    most: int

    def times(self, factor: float) -> Sizes:
        """Returns the sizes enlarged by ``factor``, within what is never exceeded; never smaller ones."""
        grow = max(1.0, factor)
        target = min(round(self.target * grow), self.most)
        return Sizes(target, min(round(self.least * grow), target), self.most)


def pack(tokens: TokenMap, cuts: Sequence[Cut], sizes: Sizes) -> list[Span]:
    """Cuts the text where the gain of a good place outweighs the loss of a size off the target.

    Goes from left to right; each chunk ends at the best place in reach. A text that has no place in reach is
    cut between words at the target, so that what is left of it is not an orphan.
    """
    text = tokens.text
    places = [*cuts, Cut(len(text), HEADING)]
    marks = tokens.starts.searchsorted(np.fromiter((cut.at for cut in places), dtype=np.int64))
    spans: list[Span] = []
    start, mark, next_place = 0, 0, 0
    while start < len(text):
        while next_place < len(places) and places[next_place].at <= start:
            next_place += 1
        beyond = int(marks.searchsorted(mark + sizes.most, side="right"))
        best = _best(places, marks, next_place, beyond, mark, sizes)
        end = tokens.cut(start, places[next_place].at, sizes.target) if best is None else places[best].at
        span = trimmed(text, start, end)
        if span is not None:
            spans.append(span)
        start, mark = end, tokens.index(end)
    return spans


def _best(
    places: Sequence[Cut], marks: NDArray[np.int64], first: int, beyond: int, mark: int, sizes: Sizes
) -> int | None:
    """Returns the best of the places ``first`` to ``beyond``; None if there is none."""
    best, best_score = None, -np.inf
    last = len(places) - 1
    for at in range(first, beyond):
        size = int(marks[at]) - mark
        off = (size - sizes.target) / sizes.target
        score = places[at].strength - off * off
        if size < sizes.least:
            score -= 1
        rest = int(marks[last]) - int(marks[at])
        if 0 < rest < sizes.least:
            score -= 0.5  # would leave an orphan
        if score > best_score:
            best, best_score = at, score
    return best
