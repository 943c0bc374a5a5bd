"""Reading order: which stretches of a page form one column, and in which order columns are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from kaynak.parsing.pdf.segments import Segment

_DEPTH = 24
_GUTTER = 0.7
"""Least width, in ems, of the white space between two columns."""
_LINES = 3
"""Least lines of a column."""
_PROSE = 18
"""Characters per line from which a column reads downwards even where its lines stand level with its neighbour's."""
_SLIM = 7
"""Characters per line below which there is no column but labels, numbers or bullets."""
_CANDIDATES = 40
_MOST = 3000
"""Segments beyond which a page (a map, a drawing) is read from top to bottom: columns would mean nothing."""


def regions(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Returns the stretches in groups that each read from top to bottom, in reading order.

    A gutter is a vertical strip that no text crosses between two heights, with text on both sides. The one with
    the most text beside it is taken first; what lies above it, left of it, right of it and below it follow in this
    order, each treated the same way. So titles across columns, columns of different number on one page, and boxes
    at the side come out as they are read. Where most text runs from right to left, so do the columns.
    """
    if len(segments) < 2 * _LINES or len(segments) > _MOST:
        return [list(segments)] if segments else []
    letters = sum(len(one.text) for one in segments)
    if sum(len(one.text) for one in segments if one.rtl) * 2 <= letters:
        return _split(list(segments), 0)
    # The mirror image of a right-to-left page has its columns in left-to-right order.
    twins = [replace(one, left=-one.right, right=-one.left) for one in segments]
    originals = {id(twin): one for twin, one in zip(twins, segments, strict=True)}
    return [[originals[id(twin)] for twin in group] for group in _split(twins, 0)]


def _split(segments: list[Segment], depth: int) -> list[list[Segment]]:
    cut = _best_cut(segments) if depth < _DEPTH and len(segments) >= 2 * _LINES else None
    if cut is None:
        return [segments] if segments else []
    x, top, bottom = cut
    above: list[Segment] = []
    left: list[Segment] = []
    right: list[Segment] = []
    below: list[Segment] = []
    for one in segments:
        middle = (one.top + one.bottom) / 2
        if middle < top:
            above.append(one)
        elif middle > bottom:
            below.append(one)
        elif one.left < x:
            left.append(one)
        else:
            right.append(one)
    if not left or not right:
        return [segments]
    return [group for part in (above, left, right, below) for group in _split(part, depth + 1)]


def _best_cut(segments: list[Segment]) -> tuple[float, float, float] | None:
    """Returns the gutter with the most text beside it as (x, top, bottom)."""
    em = median(one.size for one in segments)
    ordered = sorted(segments, key=lambda one: one.top)
    best, best_score = None, 0
    for x in _candidates(segments, em):
        for top, bottom, beside in _bands(ordered, x, em):
            score = _judge([one for one in beside if one.left < x], [one for one in beside if one.left >= x], em)
            if score > best_score:
                best, best_score = (x - 0.1, top, bottom), score
    return best


def _candidates(segments: list[Segment], em: float) -> list[float]:
    """Returns left edges that several stretches share: columns begin there."""
    edges = sorted((one.left, len(one.text)) for one in segments)
    found: list[tuple[int, float]] = []
    index = 0
    while index < len(edges):
        end, weight = index, 0
        while end < len(edges) and edges[end][0] - edges[index][0] <= 0.5 * em:
            weight += edges[end][1]
            end += 1
        if end - index >= 2:
            found.append((weight, edges[index][0]))
        index = end
    found.sort(reverse=True)
    first = min(one.left for one in segments)
    return [x for _, x in found[:_CANDIDATES] if x > first + em]


def _bands(ordered: list[Segment], x: float, em: float) -> list[tuple[float, float, list[Segment]]]:
    """Returns the heights between which nothing crosses the strip left of ``x``, with the text beside it."""
    bands: list[tuple[float, float, list[Segment]]] = []
    beside: list[Segment] = []
    strip = x - _GUTTER * em
    top = bottom = 0.0
    for one in ordered:
        if one.left < x - 0.1 and one.right > strip:
            # A stretch between the lines of a band belongs to it only if it crosses nothing.
            if beside:
                bands.append((top, bottom, beside))
            beside = []
            continue
        middle = (one.top + one.bottom) / 2
        top, bottom = (min(top, middle), max(bottom, middle)) if beside else (middle, middle)
        beside.append(one)
    if beside:
        bands.append((top, bottom, beside))
    return [band for band in bands if len(band[2]) >= 2 * _LINES]


def _judge(left: list[Segment], right: list[Segment], em: float) -> int:
    """Returns how much text speaks for two columns; 0 if they are none, such as the columns of a table."""
    rows_left, rows_right = _rows(left, em), _rows(right, em)
    if len(rows_left) < _LINES or len(rows_right) < _LINES:
        return 0
    shared = min(rows_left[-1][0], rows_right[-1][0]) - max(rows_left[0][0], rows_right[0][0])
    shorter = min(rows_left[-1][0] - rows_left[0][0], rows_right[-1][0] - rows_right[0][0])
    if shared < 1.5 * em or shared < 0.4 * shorter:
        return 0
    wide_left = median(characters for _, characters in rows_left)
    wide_right = median(characters for _, characters in rows_right)
    if min(wide_left, wide_right) < _SLIM:
        return 0
    tabular = min(wide_left, wide_right) < _PROSE or _parts(left, rows_left) + _parts(right, rows_right) > 3.0
    if tabular and _level(rows_left, rows_right, em) > 0.6:
        return 0
    text_left = sum(characters for _, characters in rows_left)
    return min(text_left, sum(characters for _, characters in rows_right))


def _parts(segments: list[Segment], rows: list[tuple[float, int]]) -> float:
    """Returns how many stretches a row has on average: prose has one, a table one per column."""
    return len(segments) / len(rows)


def _rows(segments: list[Segment], em: float) -> list[tuple[float, int]]:
    """Returns (base line, characters) of each row, from the top."""
    rows: list[tuple[float, int]] = []
    for one in sorted(segments, key=lambda one: one.base):
        if rows and one.base - rows[-1][0] < 0.5 * em:
            rows[-1] = (rows[-1][0], rows[-1][1] + _width(one))
        else:
            rows.append((one.base, _width(one)))
    return rows


def _width(one: Segment) -> int:
    """Returns the characters of a stretch; ideographs and the like count twice, as they say twice as much."""
    return len(one.text) if one.text.isascii() else sum(2 if char >= "\u2e80" else 1 for char in one.text)


def _level(left: list[tuple[float, int]], right: list[tuple[float, int]], em: float) -> float:
    """Returns the share of rows of the side with fewer that stand level with a row of the other."""
    few, many = sorted((left, right), key=len)
    bases = [base for base, _ in many]
    return sum(any(abs(base - other) < 0.2 * em for other in bases) for base, _ in few) / len(few)
