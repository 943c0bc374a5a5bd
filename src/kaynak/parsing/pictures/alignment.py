"""Which character of one text is which of another that says almost the same in the same order."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher
from typing import Final

_ANCHORS: Final = (12, 6)
"""Lengths of stretches that, where they occur once in both texts, are taken for the same."""
_SMALL: Final = 200
"""Characters of a gap up to which it is compared letter by letter."""
_LEAST: Final = 3
"""Characters of a match within a gap below which it is chance, unless the gap itself is tiny."""
_TINY: Final = 16


def aligned(one: str, other: str) -> list[int]:
    """Returns for each character of ``one`` its place in ``other``, -1 where it has none; places only ascend.

    Stretches that occur once in both texts anchor the alignment (“patience”), and what lies between two anchors is
    aligned in the same way. Time grows little more than linearly.
    """
    places = [-1] * len(one)
    gaps = [(0, len(one), 0, len(other))]
    while gaps:
        a, b, c, d = gaps.pop()
        while a < b and c < d and one[a] == other[c]:
            places[a] = c
            a, c = a + 1, c + 1
        while a < b and c < d and one[b - 1] == other[d - 1]:
            b, d = b - 1, d - 1
            places[b] = d
        if a < b and c < d:
            gaps.extend(_inside(one, other, (a, b, c, d), places))
    return places


def _inside(one: str, other: str, gap: tuple[int, int, int, int], places: list[int]) -> list[tuple[int, int, int, int]]:
    """Matches what it can of a gap, and returns the smaller gaps that are left."""
    a, b, c, d = gap
    if b - a >= _LEAST and (whole := other.find(one[a:b], c, d)) >= 0:
        places[a:b] = range(whole, whole + b - a)
        return []
    for length in _ANCHORS:
        anchors = _anchors(one[a:b], other[c:d], length)
        if anchors:
            return _between([(a + i, c + j) for i, j in anchors], length, gap, places)
    if b - a <= _SMALL and d - c <= _SMALL:
        least = 1 if max(b - a, d - c) <= _TINY else _LEAST
        for i, j, size in SequenceMatcher(None, one[a:b], other[c:d], autojunk=False).get_matching_blocks():
            if size >= least:
                places[a + i : a + i + size] = range(c + j, c + j + size)
    return []


def _between(
    anchors: list[tuple[int, int]], length: int, gap: tuple[int, int, int, int], places: list[int]
) -> list[tuple[int, int, int, int]]:
    a, b, c, d = gap
    gaps = []
    for i, j in anchors:
        if i < a or j < c:  # overlaps the anchor before, on which the two texts differ in distance
            continue
        gaps.append((a, i, c, j))
        places[i : i + length] = range(j, j + length)
        a, c = i + length, j + length
    return [*gaps, (a, b, c, d)]


def _anchors(one: str, other: str, length: int) -> list[tuple[int, int]]:
    """Returns where stretches that occur once in both begin, in the longest order that both share."""
    here, there = _once(one, length), _once(other, length)
    pairs = sorted((at, there[stretch]) for stretch, at in here.items() if stretch in there)
    return _ascending(pairs)


def _once(text: str, length: int) -> dict[str, int]:
    stretches = [text[at : at + length] for at in range(len(text) - length + 1)]
    counts = Counter(stretches)
    return {stretch: at for at, stretch in enumerate(stretches) if counts[stretch] == 1}


def _ascending(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the longest part of ``pairs``, sorted by the first, whose second numbers ascend too."""
    ends: list[int] = []
    last: list[int] = []
    before = [-1] * len(pairs)
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        if length == len(ends):
            ends.append(place)
            last.append(at)
        else:
            ends[length], last[length] = place, at
        before[at] = last[length - 1] if length else -1
    chain = []
    at = last[-1] if last else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
