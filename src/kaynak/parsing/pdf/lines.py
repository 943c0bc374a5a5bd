"""Stretches of text to lines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from kaynak.parsing.pdf.segments import Segment

_LEVEL = 0.45
"""Distance of base lines, in ems of the larger type, within which stretches are on one line."""
_RAISED = 6
"""Characters up to which small type may be an index or a footnote mark."""
_WORD_GAP = 0.17
"""White space, in ems, that parts words."""

_LEADERS = re.compile(r"(?:\s?\.){4,}\s?|(?:\s\.){3,}\s?|…{2,}")
"""Dots that lead the eye from an entry of a table of contents to its page."""


@dataclass(slots=True)
class Line:
    """A line of text as it reads.

    Attributes:
        text: With single spaces between stretches.
        left: Of its box, as are ``top``, ``right``, ``bottom``.
        base: Its base line.
        size: Of the type of most of it.
        bold: Whether most of it is.
        mono: Whether all of it is.
        rtl: Whether it runs from right to left.
        region: Number of its column on its page.
        parts: How many stretches, with wide gaps between, it is made of.
        table: Number of the table of the page that it stands for; -1 for text.
        turned: Whether it runs in another direction than the page.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    base: float
    size: float
    bold: bool
    mono: bool
    rtl: bool
    region: int = 0
    parts: int = 1
    table: int = -1
    turned: bool = False

    @property
    def first_word(self) -> float:
        """The width of its first word, roughly."""
        head = self.text.split(" ", 1)[0]
        return (self.right - self.left) * len(head) / max(1, len(self.text))


def lines_of(segments: Sequence[Segment], region: int) -> list[Line]:
    """Returns the lines of a column from top to bottom."""
    rows: list[list[Segment]] = []
    bases: list[float] = []
    for one in sorted(segments, key=lambda one: (one.base, one.left)):
        if rows and one.table < 0 and rows[-1][0].table < 0 and _same_row(rows[-1], bases[-1], one):
            rows[-1].append(one)
            bases[-1] = max(rows[-1], key=lambda each: (each.size * len(each.text), -each.left)).base
        else:
            rows.append([one])
            bases.append(one.base)
    return [_line(row, base, region) for row, base in zip(rows, bases, strict=True)]


def _same_row(row: list[Segment], base: float, one: Segment) -> bool:
    main = max(row, key=lambda each: len(each.text))
    smaller = min(main, one, key=lambda each: each.size)
    # A raised number may lie off the line by much of a large em; whole words beside a large initial may not.
    raised = len(smaller.text) <= _RAISED
    em = max(main.size, one.size) if raised else smaller.size
    if abs(one.base - base) > _LEVEL * em:
        return False
    overlap = min(one.bottom, max(each.bottom for each in row)) - max(one.top, min(each.top for each in row))
    return overlap > 0.3 * min(one.bottom - one.top, row[0].bottom - row[0].top)


def _line(row: list[Segment], base: float, region: int) -> Line:
    letters = sum(len(one.text) for one in row)
    rtl = sum(len(one.text) for one in row if one.rtl) * 2 > letters
    row = sorted(row, key=lambda one: -one.right if rtl else one.left)
    main = max(row, key=lambda one: len(one.text))
    row = [one for index, one in enumerate(row) if index == 0 or not _echo(row[index - 1], one)]
    text, parts = row[0].text, 1
    for before, one in itertools.pairwise(row):
        gap = before.left - one.right if rtl else one.left - before.right
        parts += gap > 2 * main.size
        apart = gap > _WORD_GAP * min(before.size, one.size) or _turn(before, one)
        text += (" " if apart else "") + one.text
    if "." in text and (leaders := _LEADERS.search(text)):
        text = f"{text[: leaders.start()].rstrip()} … {text[leaders.end() :].lstrip()}"
        parts += 1
    return Line(
        text=text.strip(),
        left=min(one.left for one in row),
        top=min(one.top for one in row),
        right=max(one.right for one in row),
        bottom=max(one.bottom for one in row),
        base=base,
        size=main.size,
        bold=sum(len(one.text) for one in row if one.bold) > 0.6 * letters,
        mono=all(one.mono for one in row),
        rtl=rtl,
        region=region,
        parts=parts,
        table=main.table,
        turned=main.turned,
    )


def _turn(before: Segment, one: Segment) -> bool:
    """Returns whether two words of scripts of different directions meet; white space there is easily misplaced."""
    return before.rtl != one.rtl and before.text[-1:].isalpha() and one.text[:1].isalpha() and len(before.text) > 1


def _echo(before: Segment, one: Segment) -> bool:
    """Returns whether a stretch is drawn a second time, as a shadow or to look bold."""
    return (
        before.text == one.text
        and abs(before.left - one.left) < 0.3 * one.size
        and abs(before.right - one.right) < 0.3 * one.size
    )
