"""Headings: by the document's outline where it has one, by type larger or bolder than the body elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kaynak.domain import BlockKind
from kaynak.parsing.pdf.blocks import Measures, Stretch

_LARGER = 1.12
_DISPLAY = 1.4
_LONGEST = 200
_LINES = 4
_BOLD_LONGEST = 110
_DEEPEST = 6
_OPENERS = "“„\"«‘'§¿¡#"
_RARE = 0.03
_SECTION = re.compile(r"(?:§\s*)?(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+[^\W\d_]")
_LETTERS = re.compile(r"[^\W_]+")

Style = tuple[float, bool]


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """An entry of the document's outline: what it is called, on which page (from 1), how deep (from 1)."""

    title: str
    page: int
    level: int


def mark_headings(pages: Sequence[Sequence[Stretch]], measures: Measures, outline: Sequence[OutlineEntry]) -> None:
    """Turns stretches into headings with levels, in place.

    Args:
        pages: The stretches of each page, from page 1.
        measures: What is usual in the document.
        outline: Of the document; empty if it has none.
    """
    entries: dict[int, dict[str, int]] = {}
    for entry in outline:
        entries.setdefault(entry.page, {}).setdefault(_key(entry.title), entry.level)
    outlined: dict[Style, int] = {}
    found: list[Stretch] = []
    for number, page in enumerate(pages, 1):
        nearby = {**entries.get(number + 1, {}), **entries.get(number - 1, {}), **entries.get(number, {})}
        for index, stretch in enumerate(page):
            level = _outline_level(stretch, nearby) if nearby else None
            if level is None and not _looks_like_heading(stretch, page, index, measures):
                continue
            stretch.kind = BlockKind.HEADING
            stretch.level = level
            found.append(stretch)
            if level is not None:
                outlined.setdefault(_style(stretch), level)
    _level(found, outlined)


def _outline_level(stretch: Stretch, entries: Mapping[str, int]) -> int | None:
    if len(stretch.lines) > _LINES or stretch.kind in (BlockKind.TABLE, BlockKind.CODE, BlockKind.CAPTION):
        return None
    text = " ".join(line.text for line in stretch.lines)
    if len(text) > _LONGEST:
        return None
    level = entries.get(_key(text))
    return None if level is None else min(level, _DEEPEST)


def _key(text: str) -> str:
    """Returns the letters of a title, without its number."""
    words = _LETTERS.findall(text.casefold())
    while len(words) > 1 and words[0].isdigit():
        words = words[1:]
    return "".join(words)


def _looks_like_heading(stretch: Stretch, page: Sequence[Stretch], index: int, measures: Measures) -> bool:
    lines = stretch.lines
    if stretch.kind not in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM) or len(lines) > _LINES or lines[0].turned:
        return False
    text = " ".join(line.text for line in lines)
    letters = sum(char.isalpha() for char in text)
    if letters < 2 or len(text) > _LONGEST or letters < 0.4 * len(text.replace(" ", "")):
        return False
    if stretch.kind is BlockKind.LIST_ITEM and not _SECTION.match(text):
        return False
    ratio = stretch.size / measures.body
    if ratio < _DISPLAY and any(line.parts > 1 for line in lines) and not _SECTION.match(text):
        return False  # a row of columns
    if text.endswith((",", ";", "-")) or (text.endswith(".") and len(text) > 60):
        return False
    if not (text[0].isalnum() or text[0] in _OPENERS):
        return False
    if ratio >= _LARGER:
        return True
    return _bold_heading(stretch, page, index, measures, text, ratio)


def _bold_heading(
    stretch: Stretch, page: Sequence[Stretch], index: int, measures: Measures, text: str, ratio: float
) -> bool:
    if not stretch.bold or measures.mostly_bold or ratio < 0.95 or len(stretch.lines) > 2:
        return False
    if len(text) > _BOLD_LONGEST or text.endswith((":", ".")) or stretch.lines[0].parts > 1:
        return False
    # What is set in bold in the middle of a table, or as a value by itself, has nothing below it to be headed.
    follower = page[index + 1] if index + 1 < len(page) else None
    if follower is None:
        return index > 0 or len(page) == 1
    same_row = abs(follower.lines[0].base - stretch.lines[-1].base) < 0.5 * stretch.size
    return not same_row and not (follower.bold and follower.size < stretch.size - 1)


def _style(stretch: Stretch) -> Style:
    return round(stretch.size * 2) / 2, stretch.bold


def _level(found: Sequence[Stretch], outlined: Mapping[Style, int]) -> None:
    """Gives headings levels: as outlined, by the depth of their number, or by the rank of their type."""
    uses = Counter(_style(stretch) for stretch in found)
    styles = sorted(uses, reverse=True)
    levels: dict[Style, int] = {}
    deepest = 0
    for style in styles:
        size = style[0]
        larger = [level for (other, _), level in levels.items() if other - size > 0.4]
        near = [level for (other, bold), level in levels.items() if other - size <= 0.4 and bold == style[1]]
        if style in outlined:
            deepest = outlined[style]
        elif near:
            deepest = near[-1]
        elif uses[style] >= _RARE * len(found) or not levels:
            # A style that a cover uses once is no level of the document.
            deepest = deepest + 1 if larger or levels else 1
        levels[style] = min(max(1, deepest), _DEEPEST)
    for stretch in found:
        if stretch.level is None or stretch.kind is not BlockKind.HEADING:
            stretch.level = levels[_style(stretch)]
        stretch.level = stretch.level or levels[_style(stretch)]
