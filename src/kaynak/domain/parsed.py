"""What a parser makes of bytes: one canonical text, and what lies where in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

JsonScalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "JsonScalar | Sequence[Json] | Mapping[str, Json]"


class BlockKind(StrEnum):
    """The role of a stretch of text in its document."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"
    QUOTE = "quote"
    CAPTION = "caption"


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit. Blocks are in order, do not overlap, and cover all non-blank text.

    Attributes:
        kind: Its role.
        start: First character in the canonical text.
        end: One past the last character; trailing white space is outside.
        level: Heading level (1 is the top) or list depth (0 is the top); otherwise None.
    """

    kind: BlockKind
    start: int
    end: int
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page, slide, sheet, or chapter: whatever the format calls one.

    Attributes:
        number: Counted from 1, in reading order.
        start: First character in the canonical text.
        end: One past the last character. Pages are in order and do not overlap.
        label: The name a reader knows it by (page label, sheet or slide title), where there is one.
        width: In points, where the format has a layout.
        height: In points, where the format has a layout.
    """

    number: int
    start: int
    end: int
    label: str | None = None
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document as text with positions. All offsets count Unicode code points of ``text``.

    ``text`` has no NUL, no carriage return and no lone surrogate; lines end in ``\\n``. It is the only text
    of the version: chunks, quotes and highlights are spans of it.

    Attributes:
        text: The canonical text.
        media_type: Found from the content, e.g. ``application/pdf``.
        blocks: Structure, see `Block`.
        pages: Page map, empty where the format has no pages.
        title: The document's own title, where it has one.
        language: ISO 639-1 code where the document declares it; detection happens later.
        metadata: Author, dates and the like, as the file declares them.
        warnings: What was skipped or guessed, in sentences for the person who uploaded it.
    """

    text: str
    media_type: str
    blocks: tuple[Block, ...] = ()
    pages: tuple[Page, ...] = ()
    title: str | None = None
    language: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Outline:
    """The headings of a document, for looking up the path above any place in logarithmic time."""

    def __init__(self, text: str, blocks: Sequence[Block]) -> None:
        """Reads the headings out of ``blocks``, which are in order."""
        self._starts: list[int] = []
        self._paths: list[tuple[str, ...]] = []
        above: list[tuple[int, str]] = []
        for block in blocks:
            if block.kind is BlockKind.HEADING:
                level = block.level or 1
                above = [entry for entry in above if entry[0] < level]
                before = tuple(title for _, title in above)
                above.append((level, text[block.start : block.end].strip()))
                self._starts += [block.start, block.end]
                self._paths += [before, (*before, above[-1][1])]

    def path(self, offset: int) -> tuple[str, ...]:
        """Returns the headings above ``offset``, outermost first; a heading is not above itself."""
        place = bisect_right(self._starts, offset) - 1
        return self._paths[place] if place >= 0 else ()
