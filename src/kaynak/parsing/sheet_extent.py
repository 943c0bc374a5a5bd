"""How far a sheet reaches, found before a reader makes room for every cell in between."""

from __future__ import annotations

import re

from kaynak.parsing.package import Package

_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')


def cells_spanned(package: Package) -> int:
    """Returns the size in cells of the largest rectangle between the outermost cells of a sheet of an XLSX."""
    largest = 0
    for name in package.names:
        if re.match(r"xl/worksheets/[^/]+\.xml$", name, re.I):
            largest = max(largest, _spanned(package.read(name) or b""))
    return largest


def _spanned(xml: bytes) -> int:
    rows: list[int] = []
    last_column = 0
    for match in _CELL.finditer(xml):
        last_column = max(last_column, _column(match.group(1)))
        row = int(match.group(2))
        if not rows:
            rows = [row, row]
        rows[0], rows[1] = min(rows[0], row), max(rows[1], row)
    return (rows[1] - rows[0] + 1) * last_column if rows else 0


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
