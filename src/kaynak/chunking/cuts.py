"""Places where a text may be cut, and how good each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kaynak.domain import Block, BlockKind, ParsedDocument, Span
from kaynak.domain.sentences import sentence_spans

# What a place is worth, against the square of the relative distance from the target size. Tuned on chunking_eval.
SENTENCE = 0.0
LINE = 0.1
ITEM = 0.3
LINES = 0.8
BLOCK = 0.9
HEADING = 1.1
TOP_HEADING = 1.5

_WRAPPED = 120
"""No line is longer where someone wrapped the text by hand."""
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n(?![ \t]*\n)[^\n]*)*")


@dataclass(frozen=True, slots=True)
class Cut:
    """A position before which a chunk may end. ``strength`` is one of the constants above, or between them."""

    at: int
    strength: float


def structural_cuts(parsed: ParsedDocument) -> Iterator[Cut]:
    """Yields the cuts of a document in order, from its blocks; none directly after a heading."""
    text = parsed.text
    previous: Block | None = None
    for block in _complete(text, parsed.blocks):
        strength = _before(text, previous, block)
        if strength is not None:
            yield Cut(block.start, strength)
        yield from _within(text, block)
        previous = block


def _before(text: str, previous: Block | None, block: Block) -> float | None:
    if previous is None:
        return None
    if previous.kind is BlockKind.HEADING:
        return None  # a heading stays with what it heads
    if block.kind is BlockKind.HEADING:
        return max(HEADING, TOP_HEADING - 0.15 * ((block.level or 1) - 1))
    if block.kind is BlockKind.LIST_ITEM and previous.kind is BlockKind.LIST_ITEM:
        return ITEM
    # "The steps are:" belongs to the steps; a caption belongs to its table.
    introduces = text[previous.start : previous.end].endswith(":") or previous.kind is BlockKind.CAPTION
    return SENTENCE if introduces or block.kind is BlockKind.CAPTION else BLOCK


def _within(text: str, block: Block) -> Iterator[Cut]:
    match block.kind:
        case BlockKind.HEADING:
            return
        case BlockKind.TABLE:
            yield from _rows(text, block)
        case BlockKind.CODE:
            yield from _code_lines(text, block)
        case _:
            yield from _sentences(text, block)


def _sentences(text: str, block: Block) -> Iterator[Cut]:
    """Yields beginnings of sentences, and of lines where lines are paragraphs rather than wrapped."""
    part = text[block.start : block.end]
    places = dict.fromkeys((sentence.start for sentence in sentence_spans(part)[1:]), SENTENCE)
    if max(map(len, part.split("\n"))) > _WRAPPED:
        places |= dict.fromkeys((start - block.start for start in _line_starts(text, block)), LINES)
    for at in sorted(places):
        yield Cut(block.start + at, places[at])


def _rows(text: str, block: Block) -> Iterator[Cut]:
    for number, start in enumerate(_line_starts(text, block)):
        # The header row, the rule below it and the first row stay together.
        if number >= 2:
            yield Cut(start, ITEM)


def _code_lines(text: str, block: Block) -> Iterator[Cut]:
    for start in _line_starts(text, block):
        after_blank = text[max(block.start, start - 2) : start] == "\n\n"
        indented = text[start].isspace()
        yield Cut(start, ITEM if after_blank and not indented else SENTENCE if indented else LINE)


def _line_starts(text: str, block: Block) -> Iterator[int]:
    at = text.find("\n", block.start, block.end)
    while at >= 0:
        if at + 1 < block.end and text[at + 1] != "\n":
            yield at + 1
        at = text.find("\n", at + 1, block.end)


def _complete(text: str, blocks: Sequence[Block]) -> Iterator[Block]:
    """Yields the blocks, with paragraphs for text that lies in none."""
    at = 0
    for block in blocks:
        yield from _paragraphs(text, at, block.start)
        yield block
        at = block.end
    yield from _paragraphs(text, at, len(text))


def _paragraphs(text: str, start: int, end: int) -> Iterator[Block]:
    for match in _PARAGRAPH.finditer(text, start, end):
        yield Block(BlockKind.PARAGRAPH, match.start(), match.end())


def trimmed(text: str, start: int, end: int) -> Span | None:
    """Returns ``[start, end)`` without white space at its ends; None if nothing is left."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    if left == len(part):
        return None
    return Span(start + left, start + len(part.rstrip()))
