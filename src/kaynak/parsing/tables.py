"""Tables as text: Markdown where the whole fits a passage, self-explaining records where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kaynak.domain import BlockKind
from kaynak.parsing.builder import TextBuilder

TABLE_CHARS = 1000
"""A Markdown table up to this size stays in one passage; in a longer one, later rows lose their header."""
_LINE_CHARS = 240
_LABEL_CHARS = 80

Row = Sequence[str]


def trimmed(rows: Iterable[Row]) -> list[list[str]]:
    """Returns the rows with equal lengths, without empty rows and without empty columns."""
    kept = [[cell.strip() for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    width = max((len(row) for row in kept), default=0)
    for row in kept:
        row.extend([""] * (width - len(row)))
    used = [column for column in range(width) if any(row[column] for row in kept)]
    return kept if len(used) == width else [[row[column] for column in used] for row in kept]


def markdown(rows: Sequence[Row]) -> str:
    """Returns a Markdown table whose first row is the header; rows have equal lengths."""
    if not rows:
        return ""
    lines = [_line(rows[0]), "|" + " --- |" * len(rows[0])]
    lines.extend(_line(row) for row in rows[1:])
    return "\n".join(lines)


def add_table(builder: TextBuilder, rows: Iterable[Row], *, records: bool = True) -> None:
    """Appends a table: nothing if it is empty, a paragraph if it is one cell, else whatever reads best.

    Args:
        builder: To append to.
        rows: Cells as text; they may differ in length.
        records: Whether a long table with a header may become one record per row.
    """
    grid = trimmed(rows)
    if not grid:
        return
    if len(grid) == 1 and len(grid[0]) == 1:
        builder.add(BlockKind.PARAGRAPH, grid[0][0])
        return
    long = sum(len(cell) + 3 for row in grid for cell in row) > TABLE_CHARS
    if records and long and len(grid) > 2 and is_header(grid[0], grid[1:]):
        for text in as_records(grid[0], grid[1:]):
            add_record(builder, text)
        return
    if len(grid[0]) == 1 and long:
        for (cell,) in grid:
            builder.add(BlockKind.PARAGRAPH, cell)
        return
    builder.add(BlockKind.TABLE, markdown(grid))


def add_record(builder: TextBuilder, text: str) -> None:
    """Appends a record: short ones stand like the items of a list, long ones apart."""
    builder.add(BlockKind.PARAGRAPH if "\n" in text else BlockKind.LIST_ITEM, text)


def is_header(first: Row, rest: Sequence[Row]) -> bool:
    """Returns whether the first row names the columns: short, distinct, worded, over rows that are filled."""
    names = [cell for cell in first if cell]
    if len(first) < 2 or len(names) < len(first) - 1 or len(set(names)) < len(names):
        return False
    if any(len(name) > _LABEL_CHARS or _numeric(name) for name in names):
        return False
    full = sum(sum(map(bool, row)) > len(first) / 2 for row in rest)
    return full * 2 >= len(rest)


def as_records(header: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Yields each row as ``Header: value`` pairs: on one line if short, else a line for each pair."""
    for row in rows:
        text = record(_labelled(header, row))
        if text:
            yield text


def _labelled(header: Row, row: Row) -> Iterator[tuple[str, str]]:
    for column, value in enumerate(row):
        yield (header[column] if column < len(header) else ""), value


def record(pairs: Iterable[tuple[str, str]]) -> str:
    """Returns labelled values as one record; empty values are left out."""
    parts = []
    for label, value in pairs:
        value = value.strip()
        if value:
            label = " ".join(label.split())
            parts.append(f"{label}: {value}" if label else value)
    short = sum(map(len, parts)) <= _LINE_CHARS and not any("\n" in part for part in parts)
    return ("; " if short else "\n").join(parts)


def spread(cells: Iterable[Iterable[tuple[str, int, int]]], max_columns: int = 1000) -> list[list[str]]:
    """Returns a grid of cells that span rows and columns; a spanning cell is repeated wherever it reaches.

    Args:
        cells: Rows of (text, columns spanned, rows spanned).
        max_columns: Columns beyond it are dropped, so that a span of a million costs nothing.
    """
    grid: list[list[str]] = []
    hanging: dict[int, tuple[str, int]] = {}
    for row in cells:
        line: list[str] = []
        for text, columns, rows in row:
            _fill_hanging(line, hanging)
            for _ in range(max(1, min(columns, max_columns - len(line)))):
                if rows > 1:
                    hanging[len(line)] = (text, rows - 1)
                line.append(text)
        _fill_hanging(line, hanging, rest=True)
        grid.append(line[:max_columns])
    return without_echoes(grid)


def without_echoes(grid: list[list[str]]) -> list[list[str]]:
    """Returns the grid without columns that only repeat the one before, as wide spans leave them."""
    width = max(map(len, grid), default=0)
    for row in grid:
        row.extend([""] * (width - len(row)))
    kept = [
        column
        for column in range(width)
        if column == 0 or any(row[column] and row[column] != row[column - 1] for row in grid)
    ]
    return grid if len(kept) == width else [[row[column] for column in kept] for row in grid]


def _fill_hanging(line: list[str], hanging: dict[int, tuple[str, int]], *, rest: bool = False) -> None:
    while True:
        column = len(line)
        if column in hanging:
            text, left = hanging.pop(column)
            if left > 1:
                hanging[column] = (text, left - 1)
            line.append(text)
        elif rest and hanging and max(hanging) > column:
            line.append("")
        else:
            return


def _line(row: Row) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in row) + " |"


def _numeric(text: str) -> bool:
    digits = sum(char.isdigit() for char in text)
    return digits > 0 and digits * 2 >= len(text.replace(" ", ""))
