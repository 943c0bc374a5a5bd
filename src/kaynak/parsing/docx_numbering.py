from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaynak.parsing.docx_styles import Style, child_or
from kaynak.parsing.numerals import numeral
from kaynak.parsing.safexml import attribute, child, children

if TYPE_CHECKING:
    from lxml.etree import _Element


@dataclass(frozen=True, slots=True)
class _Level:
    format: str
    pattern: str
    start: int


class Numbering:
    """Numbers of lists and headings as Word would print them."""

    def __init__(self, root: _Element | None) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        for element in children(root, "abstractNum"):
            levels = {int(attribute(one, "ilvl") or 0): _level(one) for one in children(element, "lvl")}
            self._abstract[attribute(element, "abstractNumId") or ""] = levels
        self._numbers: dict[str, tuple[str, dict[int, _Level]]] = {}
        self._restarts: dict[str, dict[int, int]] = {}
        for element in children(root, "num"):
            self._number(element)
        self._counters: dict[str, list[int]] = {}
        self._started: set[str] = set()

    def _number(self, element: _Element) -> None:
        key = attribute(element, "numId") or ""
        abstract = attribute(child_or(element, "abstractNumId"), "val") or ""
        levels = dict(self._abstract.get(abstract, {}))
        for override in children(element, "lvlOverride"):
            at = int(attribute(override, "ilvl") or 0)
            own = child(override, "lvl")
            if own is not None:
                levels[at] = _level(own)
            start = attribute(child_or(override, "startOverride"), "val")
            if start and start.isdigit():
                self._restarts.setdefault(key, {})[at] = int(start)
        self._numbers[key] = (abstract, levels)

    def label(self, properties: _Element | None, style: Style) -> tuple[str | None, int | None]:
        """Returns the label of the next paragraph (``2.``, ``(a)``, ``-``) and its depth; depth None: no list."""
        own = child(properties, "numPr")
        key = (attribute(child_or(own, "numId"), "val") if own is not None else None) or style.list_id
        if not key or key == "0" or key not in self._numbers:
            return None, None
        written = attribute(child_or(own, "ilvl"), "val") if own is not None else None
        at = int(written) if written and written.isdigit() else style.list_level
        at = min(at, 8)
        abstract, levels = self._numbers[key]
        counters = self._counters.setdefault(abstract, [0] * 9)
        self._begin(key, counters)
        level = levels.get(at, _Level("bullet", "", 1))
        counters[at] = counters[at] + 1 if counters[at] else level.start
        counters[at + 1 :] = [0] * (8 - at)
        if level.format in {"bullet", "none"}:
            return ("-" if level.format == "bullet" else None), at

        def written_number(match: re.Match[str]) -> str:
            which = int(match.group(1)) - 1
            one = levels.get(which, level)
            return numeral(counters[which] or one.start, one.format)

        return re.sub(r"%([1-9])", written_number, level.pattern).strip() or None, at

    def _begin(self, key: str, counters: list[int]) -> None:
        if key in self._started:
            return
        self._started.add(key)
        for at, start in self._restarts.get(key, {}).items():
            if at < 9:
                counters[at:] = [0] * (9 - at)
                counters[at] = start - 1


def _level(element: _Element) -> _Level:
    start = attribute(child_or(element, "start"), "val") or "1"
    return _Level(
        attribute(child_or(element, "numFmt"), "val") or "decimal",
        attribute(child_or(element, "lvlText"), "val") or "",
        int(start) if start.isdigit() else 1,
    )
