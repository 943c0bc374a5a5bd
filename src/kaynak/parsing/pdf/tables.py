"""Ruled tables: a grid out of lines, and the text of its cells."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kaynak.parsing.pdf.glyphs import Glyphs
from kaynak.parsing.pdf.lines import Line, lines_of
from kaynak.parsing.pdf.rules import Rule
from kaynak.parsing.pdf.segments import Segment
from kaynak.parsing.pdf.words import join_lines
from kaynak.parsing.tables import trimmed

_NEAR = 3.0
"""Distance, in points, within which lines meet or are one."""
_CELLS_MOST = 5_000
_TALE = 1_200
"""Characters of one cell beyond which, if it has most of the text, the grid is a frame around prose."""


@dataclass(slots=True)
class Table:
    """A grid of ruled lines.

    Attributes:
        xs: Edges of the columns, ascending.
        ys: Edges of the rows, ascending.
        owners: For each row and column the number of its cell; merged ones share it. Counted over the page.
        rows: The text, once it is known; a merged cell's stands in its first row and column.
    """

    xs: list[float]
    ys: list[float]
    owners: NDArray[np.int64]
    rows: list[list[str]] = field(default_factory=list)


def find_tables(rules: Sequence[Rule]) -> list[Table]:
    """Returns the grids of a page with at least two rows and two columns, from the top."""
    lying = _merged([(one.top, one.left, one.right) for one in rules if one.horizontal])
    standing = _merged([(one.left, one.top, one.bottom) for one in rules if not one.horizontal])
    if len(lying) < 2 or not standing:
        return []
    tables: list[Table] = []
    first = 0
    for across, down in _connected(lying, standing):
        xs = _edges([x for x, _, _ in down] + [end for _, a, b in across for end in (a, b)])
        ys = _edges([y for y, _, _ in across] + [end for _, a, b in down for end in (a, b)])
        if len(xs) < 3 or len(ys) < 3 or len(xs) * len(ys) > _CELLS_MOST:
            continue
        owners = _owners(xs, ys, across, down)
        if len(np.unique(owners)) < 4:
            continue
        tables.append(Table(xs, ys, owners + first))
        first += owners.size
    return sorted(tables, key=lambda table: table.ys[0])


def cells_of(tables: Iterable[Table], glyphs: Glyphs) -> NDArray[np.int64]:
    """Returns the table cell of each character, -1 outside of tables."""
    x = (glyphs.left + glyphs.right) / 2
    y = (glyphs.top + glyphs.bottom) / 2
    cells = np.full(len(glyphs), -1, np.int64)
    for table in list(tables):
        column = np.searchsorted(table.xs, x) - 1
        row = np.searchsorted(table.ys, y) - 1
        inside = (column >= 0) & (column < len(table.xs) - 1) & (row >= 0) & (row < len(table.ys) - 1)
        inside &= cells < 0
        mine = np.full(len(glyphs), -1, np.int64)
        mine[inside] = table.owners[row[inside], column[inside]]
        if _cut_words(mine, glyphs) <= 1:
            cells[inside] = mine[inside]
    return cells


def _cut_words(cells: NDArray[np.int64], glyphs: Glyphs) -> int:
    """Returns how many words lie in two cells: the lines of a real table stand between words."""
    em = glyphs.size[1:]
    close = np.abs(glyphs.left[1:] - glyphs.right[:-1]) < 0.25 * em
    level = np.abs(glyphs.base[1:] - glyphs.base[:-1]) < 0.1 * em
    apart = (cells[1:] != cells[:-1]) & ~glyphs.space[1:]
    return int(np.count_nonzero(apart & close & level))


def in_tables(segments: Sequence[Segment], tables: Sequence[Table]) -> tuple[list[Segment], list[Table]]:
    """Puts text into its tables.

    Returns:
        The stretches outside of tables with one for each table in its place, and the tables that proved to be.
    """
    by_cell: dict[int, list[Segment]] = defaultdict(list)
    for one in segments:
        if one.cell >= 0:
            by_cell[one.cell].append(one)
    kept: list[Table] = []
    places: list[Segment] = []
    taken: set[int] = set()
    for table in tables:
        numbers = np.unique(table.owners).tolist()
        lines = {number: lines_of(by_cell[number], 0) for number in numbers if number in by_cell}
        texts = {number: join_lines(line.text for line in found) for number, found in lines.items()}
        if _is_frame(lines.values()) or not _plausible(table, texts):
            continue
        table.rows = _rows(table, texts)
        height = (table.ys[0] + table.ys[-1]) / 2
        places.append(
            Segment("table", table.xs[0], table.ys[0], table.xs[-1], table.ys[-1], height, 1.0, table=len(kept))
        )
        kept.append(table)
        taken.update(numbers)
    return [one for one in segments if one.cell not in taken] + places, kept


def _is_frame(cells: Iterable[list[Line]]) -> bool:
    """Returns whether cells hold columns of their own: the lines frame a form, whose rows say what goes together."""
    return any(sum(line.parts > 1 for line in lines) >= 3 for lines in cells)


def _plausible(table: Table, texts: dict[int, str]) -> bool:
    """Returns whether the grid is a table of text and not a frame, a chart or a form of empty boxes."""
    if len(texts) < 4:
        return False
    cells = len(np.unique(table.owners))
    longest, total = max(map(len, texts.values())), sum(map(len, texts.values()))
    if len(texts) < 0.25 * cells or (longest > _TALE and longest > 0.6 * total):
        return False
    grid = trimmed(_rows(table, texts))
    return len(grid) >= 2 and len(grid[0]) >= 2


def _rows(table: Table, texts: dict[int, str]) -> list[list[str]]:
    seen: set[int] = set()
    rows: list[list[str]] = []
    for owners in table.owners.tolist():
        row = []
        for owner in owners:
            row.append("" if owner in seen else texts.get(owner, ""))
            seen.add(owner)
        rows.append(row)
    return rows


def _merged(lines: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    """Returns lines as (place, begin, end), with those that continue or double one another made one."""
    merged: list[tuple[float, float, float]] = []
    groups: list[list[tuple[float, float, float]]] = []
    for line in sorted(lines):
        if groups and line[0] - groups[-1][-1][0] <= _NEAR / 2 and line[0] - groups[-1][0][0] <= _NEAR:
            groups[-1].append(line)
        else:
            groups.append([line])
    for group in groups:
        place = sum(line[0] for line in group) / len(group)
        spans: list[list[float]] = []
        for _, begin, end in sorted(group, key=lambda line: line[1]):
            if spans and begin <= spans[-1][1] + _NEAR:
                spans[-1][1] = max(spans[-1][1], end)
            else:
                spans.append([begin, end])
        merged.extend((place, begin, end) for begin, end in spans)
    return merged


Lines = list[tuple[float, float, float]]


def _connected(lying: Lines, standing: Lines) -> list[tuple[Lines, Lines]]:
    """Returns groups of lines that meet, as (lying, standing)."""
    parents = list(range(len(lying) + len(standing)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    places = [line[0] for line in lying]
    for number, (x, begin, end) in enumerate(standing, len(lying)):
        for index in range(bisect_right(places, begin - _NEAR), len(lying)):
            y, left, right = lying[index]
            if y > end + _NEAR:
                break
            if left - _NEAR <= x <= right + _NEAR:
                parents[root(number)] = root(index)
    groups: dict[int, tuple[Lines, Lines]] = defaultdict(lambda: ([], []))
    for index, line in enumerate(lying + standing):
        groups[root(index)][index >= len(lying)].append(line)
    return [group for group in groups.values() if len(group[0]) >= 2 and group[1]]


def _edges(values: list[float]) -> list[float]:
    edges: list[float] = []
    for value in sorted(values):
        if not edges or value - edges[-1] > _NEAR:
            edges.append(value)
    return edges


def _owners(xs: list[float], ys: list[float], across: Lines, down: Lines) -> NDArray[np.int64]:
    """Returns the number of the cell at each place of the grid; places without a line between are one cell."""
    rows, columns = len(ys) - 1, len(xs) - 1
    owners = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)
    for row in range(rows):
        for column in range(columns - 1):
            if not _covered(down, xs[column + 1], ys[row], ys[row + 1]):
                _unite(owners, owners[row, column], owners[row, column + 1])
    for column in range(columns):
        for row in range(rows - 1):
            if not _covered(across, ys[row + 1], xs[column], xs[column + 1]):
                _unite(owners, owners[row, column], owners[row + 1, column])
    return owners


def _unite(owners: NDArray[np.int64], one: np.int64, other: np.int64) -> None:
    if one != other:
        owners[owners == max(one, other)] = min(one, other)


def _covered(lines: Lines, place: float, begin: float, end: float) -> bool:
    wanted = 0.6 * (end - begin)
    return any(abs(at - place) <= _NEAR and min(end, stop) - max(begin, start) >= wanted for at, start, stop in lines)
