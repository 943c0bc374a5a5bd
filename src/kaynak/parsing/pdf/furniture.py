"""Running headers, footers and page numbers: what repeats at the edge of pages and is no part of the text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from kaynak.parsing.pdf.lines import Line
from kaynak.parsing.pdf.page import PageLayout

_PAGES = 3
"""Documents with fewer pages keep everything: nothing can be told from one or two."""
_OUTER = 4
"""Lines at each end of a page that may be furniture."""
_NUMBER = re.compile(r"\d+|\b[ivxlc]{1,7}\b", re.IGNORECASE)
_FIRST_NUMBER = re.compile(r"^\W*(?:[^\W\d]+\.?\s+)?(\d{1,5})(?=\s|\W*$)")
_LAST_NUMBER = re.compile(r"(?<!\S)\W*(\d{1,5})(?=\W*$)")
_ROMAN = re.compile(r"[ivxlc]{1,8}", re.IGNORECASE)
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_SHARE = 0.25
_COUNTED = 0.3
_LONGEST = 90
"""Characters of a line that may be a page number with the title of its chapter."""
_ROUGHLY = 6.0

_Key = tuple[str, int, bool]


def without_furniture(pages: Sequence[PageLayout]) -> None:
    """Drops lines that stand at the same height of several pages with the same words, numbers aside."""
    if len(pages) < _PAGES:
        return
    seen: dict[_Key, set[int]] = defaultdict(set)
    numbers: Counter[tuple[int, int, bool]] = Counter()
    outer = {page.number: _outer(page) for page in pages}
    for page in pages:
        for line, upper in outer[page.number]:
            for height in _heights(line, page):
                seen[_normalised(line), height, upper].add(page.number)
            for lead in _leads(line, page):
                numbers.update((lead, height, upper) for height in _heights(line, page))
    for page in pages:
        dropped = {
            id(line)
            for line, upper in outer[page.number]
            if _repeats(line, upper, page, seen, len(pages)) or _counts(line, upper, page, numbers, len(pages))
        }
        # A page of nothing else (a form filled in many times, a slide) says just that.
        if dropped and len(dropped) < len(page.lines):
            page.lines = [line for line in page.lines if id(line) not in dropped]


def _outer(page: PageLayout) -> list[tuple[Line, bool]]:
    """Returns the lines nearest to the upper and the lower edge, with whether it is the upper."""
    rows = sorted((line for line in page.lines if line.table < 0), key=lambda line: line.base)
    if not rows:
        return []
    middle = page.top + page.height / 2
    upper = [(line, True) for line in _first_rows(rows) if line.base < middle]
    return upper + [(line, False) for line in _first_rows(rows[::-1]) if line.base >= middle]


def _first_rows(rows: Sequence[Line]) -> list[Line]:
    """Returns the lines of the first few heights; a header may have a part at the left and one at the right."""
    chosen: list[Line] = []
    heights = 0
    for line in rows:
        if not chosen or abs(line.base - chosen[-1].base) > 0.5 * line.size:
            heights += 1
            if heights > _OUTER:
                break
        chosen.append(line)
    return chosen


def _heights(line: Line, page: PageLayout) -> tuple[int, int]:
    """Returns the height of a line in two coarse grids, so that near neighbours share one."""
    height = line.base - page.top
    return int(height // _ROUGHLY) * 2, int((height + _ROUGHLY / 2) // _ROUGHLY) * 2 + 1


def _normalised(line: Line) -> str:
    return " ".join(_NUMBER.sub("#", line.text.casefold()).split())


def _repeats(line: Line, upper: bool, page: PageLayout, seen: dict[_Key, set[int]], total: int) -> bool:
    words = _normalised(line)
    if words.strip("# -–—|./") == "":
        return False  # bare numbers are judged by their sequence
    for height in _heights(line, page):
        pages = seen[words, height, upper]
        near = sum(1 for number in pages if abs(number - page.number) <= 4)
        if len(pages) >= _PAGES and (len(pages) >= _SHARE * total or near >= _PAGES):
            return True
    return False


def _counts(line: Line, upper: bool, page: PageLayout, numbers: Counter[tuple[int, int, bool]], total: int) -> bool:
    """Returns whether a line has the number of its page: one that counts with the pages stands at this height."""
    return any(
        numbers[lead, height, upper] >= max(_PAGES, _COUNTED * total)
        for lead in _leads(line, page)
        for height in _heights(line, page)
    )


def _leads(line: Line, page: PageLayout) -> set[int]:
    """Returns by how much numbers at the ends of a line run ahead of the count of pages."""
    if len(line.text) > _LONGEST:
        return set()
    found = [match.group(1) for match in (_FIRST_NUMBER.search(line.text), _LAST_NUMBER.search(line.text)) if match]
    if _ROMAN.fullmatch(line.text.strip()):
        found.append(str(_roman(line.text.strip())))
    return {int(number) - page.number for number in found}


def _roman(text: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in text.lower()]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
