from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import BlockKind
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.safexml import child, flat_text, local
from kaynak.parsing.tables import add_table

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_POINTS = 500


def add_chart(builder: TextBuilder, root: _Element | None) -> None:
    """Appends a chart: its title, and its cached values as a table of categories by series."""
    if root is None:
        return
    title = _label(child(root, "chart", "title", "tx"))
    builder.add(BlockKind.CAPTION, title)
    categories: list[str] = []
    columns: list[list[str]] = []
    for series in root.iter():
        if local(series) == "ser":
            names = _points(child(series, "cat"), child(series, "xVal"))
            categories = names if len(names) > len(categories) else categories
            columns.append([_label(child(series, "tx")), *_values(series)])
    if columns:
        grid = [["", *(column[0] for column in columns)]]
        for at, category in enumerate(categories or [""] * max(len(column) - 1 for column in columns)):
            grid.append([category, *(column[at + 1] if at + 1 < len(column) else "" for column in columns)])
        add_table(builder, grid, records=False)


def _label(holder: _Element | None) -> str:
    """Returns written text, or the cached value of a reference to a cell."""
    if holder is None:
        return ""
    cached = [flat_text(one) for one in holder.iter() if local(one) == "v"]
    return " ".join(cached) or flat_text(holder)


def _values(series: _Element) -> list[str]:
    return _points(child(series, "val"), child(series, "yVal"))


def _points(*holders: _Element | None) -> list[str]:
    for holder in holders:
        if holder is not None:
            points: dict[int, str] = {}
            for point in holder.iter():
                at = (point.get("idx") or "") if local(point) == "pt" else ""
                if at.isdigit() and int(at) < _MAX_POINTS:
                    points[int(at)] = flat_text(child(point, "v"))
            return [points.get(at, "") for at in range(max(points, default=-1) + 1)]
    return []
