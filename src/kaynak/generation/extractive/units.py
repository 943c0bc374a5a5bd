"""Passages cut into what can be quoted: sentences and rows of tables, each with what it is read under."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kaynak.domain import Hit, Span
from kaynak.domain.sentences import sentence_spans

MAX_CHARS = 600
"""Longer than this nothing is quoted as one sentence: it is a list without stops, or no prose."""

_RULE = re.compile(r"^\|?[\s:|-]+\|?$")
_HEADING_WORDS = 8
_SAYS = re.compile(r"[\d:|]|[.!?;…]['\"”’»)]*$")
_HEADING = re.compile(r"^#{1,6}\s")
_ITEM = re.compile(r"[-*+•◦▪–]\s|\d{1,3}[.)]\s|[a-zA-Z]\)\s")
_LISTED = re.compile(rf"\||{_ITEM.pattern}")
_AHEAD = re.compile(r":$|\b(?:following|below|as follows)\b|\başağıda", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that can be quoted.

    Attributes:
        hit: Index of its passage.
        span: Where it is in the version's text.
        text: What it says.
        above: What it stands under: title and headings, which many others stand under too.
        before: What it is read with: the sentence before, or the head of the table.
        heading: Whether it is a heading itself, which asks more than it answers.
        row: Whether it is a row of a table.
        reading: The same for reading: on one line, a row with the names of its columns.
        found_by: The words it is looked up by, where they are not its own: a table by the names of its columns.
    """

    hit: int
    span: Span
    text: str
    above: str
    before: str
    reading: str
    heading: bool = False
    row: bool = False
    found_by: str | None = None


def units_of(hits: Sequence[Hit]) -> list[Unit]:
    """Returns all that can be quoted from the passages; the same place stands once."""
    units: list[Unit] = []
    seen: set[tuple[object, Span]] = set()
    for index, hit in enumerate(hits):
        for unit in _of_hit(index, hit):
            key = (hit.version_id, unit.span)
            if key not in seen:
                seen.add(key)
                units.append(unit)
    return units


def _of_hit(index: int, hit: Hit) -> list[Unit]:
    above = " ".join((hit.title, *hit.headings))
    headings = {_plain(heading) for heading in (hit.title, *hit.headings)}
    units: list[Unit] = []
    rows: list[Unit] = []
    before = head = announced = ""
    pieces = [span for span in _pieces(hit.text) if any(char.isalnum() for char in span.of(hit.text))]
    texts = [span.of(hit.text) for span in pieces]
    for at, (span, text) in enumerate(zip(pieces, texts, strict=True)):
        if _RULE.match(text):
            continue
        row = text.startswith("|")
        if not row:
            units += _table(rows, head, hit)
            rows, head = [], ""
        elif not head:
            head = text  # the first row of a table says what its columns are
        # What is announced is read with every row and item, and answers nothing itself.
        under = announced if row or _ITEM.match(text) else ""
        announced = under or (text if _announces(text, texts[at + 1 : at + 2]) else "")
        if len(text) <= MAX_CHARS:
            names = row and text == head
            unit = Unit(
                index,
                span.shift(hit.span.start),
                text,
                above,
                f"{under} {head}".strip() if row else under or before,
                read_row(head, text) if row and not names else " ".join(text.split()),
                names or (bool(announced) and not under) or _is_heading(hit.text, span, headings),
                row,
            )
            units.append(unit)
            rows += [unit] if row else []
        before = text
    return [*units, *_table(rows, head, hit)]


def _announces(text: str, later: Sequence[str]) -> bool:
    """Whether a sentence only says that rows or items follow."""
    return bool(_AHEAD.search(text)) and any(_LISTED.match(one) for one in later)


def _is_heading(text: str, span: Span, known: set[str]) -> bool:
    line = span.of(text)
    return bool(_HEADING.match(line)) or _plain(line) in known or _stands_alone(text, span)


def _table(rows: Sequence[Unit], head: str, hit: Hit) -> list[Unit]:
    """Returns a small table as a whole, for questions that ask for none of its rows."""
    body = [unit for unit in rows if not unit.heading]
    if len(body) < 2 or len(body) == len(rows) or rows[-1].span.end - rows[0].span.start > MAX_CHARS:
        return []
    first = rows[0]
    span = Span(first.span.start, rows[-1].span.end)
    return [
        Unit(
            first.hit,
            span,
            span.shift(-hit.span.start).of(hit.text),
            first.above,
            body[0].before,
            "; ".join(unit.reading for unit in body),
            found_by=head,
        )
    ]


def read_row(head: str, row: str) -> str:
    """Returns a row of a Markdown table as one line: ``Years: 5 · Days: 20``."""
    names, cells = _cells(head), _cells(row)
    if len(names) != len(cells):
        return " · ".join(cell for cell in cells if cell)
    return " · ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=True) if cell)


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _pieces(text: str) -> list[Span]:
    pieces: list[Span] = []
    for span in sentence_spans(text):
        part = span.of(text)
        if "\n" in part and (part.startswith(("|", "#")) or "\n|" in part):
            pieces += _lines(part, span.start)
        else:
            pieces.append(span)
    return pieces


def _lines(part: str, offset: int) -> list[Span]:
    lines, at = [], 0
    for line in part.split("\n"):
        stripped = line.strip()
        if stripped:
            start = offset + at + line.index(stripped)
            lines.append(Span(start, start + len(stripped)))
        at += len(line) + 1
    return lines


def _stands_alone(text: str, span: Span) -> bool:
    """Whether a few words fill a line of their own above others, without a full stop: a heading without a mark."""
    line = span.of(text)
    whole = (span.start == 0 or text[span.start - 1] == "\n") and text[span.end : span.end + 1] == "\n"
    return whole and line[0].isupper() and len(line.split()) <= _HEADING_WORDS and not _SAYS.search(line)


def _plain(text: str) -> str:
    return " ".join(text.lstrip("# ").split()).casefold()
