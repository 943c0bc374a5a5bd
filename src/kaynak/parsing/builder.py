from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kaynak.domain import Block, BlockKind, Json, Page, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.domain.text import clean

_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_.].*)?$")
_MAX_TITLE = 500


class TextBuilder:
    """Accumulates a canonical text with the exact place of every block and page.

    Blocks are separated by a blank line, items of one list by a line end; nested items are indented outside
    their block. What is added is cleaned and loses its outer white space, so that no block begins (code:
    begins a line) or ends with any. A heading is written as it reads, without marks of Markdown.

    Args:
        max_chars: Characters beyond which the document is refused.
        max_pages: Pages beyond which the document is refused.
    """

    def __init__(self, max_chars: int | None = None, max_pages: int | None = None) -> None:
        self._max_chars = max_chars
        self._max_pages = max_pages
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._pages: list[Page] = []
        self._open: _OpenPage | None = None

    @property
    def length(self) -> int:
        """Characters so far."""
        return self._length

    @property
    def blocks(self) -> int:
        """Blocks so far."""
        return len(self._blocks)

    @property
    def first_heading(self) -> str | None:
        """The heading that the text begins with, if it begins with one: what stands in for a title."""
        if not self._blocks or self._blocks[0].kind is not BlockKind.HEADING:
            return None
        return self._parts[1]

    def add(self, kind: BlockKind, text: str, level: int | None = None) -> Block | None:
        """Appends a block; returns where it is, or None if the text is blank.

        Raises:
            UnreadableDocument: The text has grown beyond ``max_chars``.
        """
        text = tidy(text, code=kind is BlockKind.CODE)
        if kind is BlockKind.HEADING and "\n" in text:
            text = " ".join(text.split())
        if not text:
            return None
        self._append(self._separator(kind, level))
        start = self._length
        if self._open is not None and self._open.start is None:
            self._open.start = start
        self._append(text)
        block = Block(kind, start, self._length, level)
        self._blocks.append(block)
        return block

    def extend(self, parsed: ParsedDocument, deeper: int = 0) -> None:
        """Appends all blocks of another document; its headings move ``deeper`` levels down."""
        for block in parsed.blocks:
            level = block.level
            if block.kind is BlockKind.HEADING:
                level = min(9, (level or 1) + deeper)
            self.add(block.kind, parsed.text[block.start : block.end], level)

    def text_since(self, start: int) -> str:
        """Returns what was appended since the text had ``start`` characters."""
        taken: list[str] = []
        length = self._length
        for part in reversed(self._parts):
            if length <= start:
                break
            taken.append(part)
            length -= len(part)
        return "".join(reversed(taken))

    def page(self, label: str | None = None, width: float | None = None, height: float | None = None) -> None:
        """Begins a page; what is added from here on is on it. A page may stay empty.

        Raises:
            UnreadableDocument: There are more than ``max_pages``.
        """
        self._close_page()
        if self._max_pages is not None and len(self._pages) >= self._max_pages:
            raise UnreadableDocument(
                UnreadableReason.TOO_COMPLEX,
                f"The document has more than {self._max_pages:,} pages.",
                hint="Split it into smaller files.",
            )
        self._open = _OpenPage(one_line(label), width, height)

    def build(
        self,
        media_type: str,
        title: str | None = None,
        language: str | None = None,
        metadata: Mapping[str, Json] | None = None,
        warnings: Iterable[str] = (),
    ) -> ParsedDocument:
        """Returns the document. The builder is spent.

        Args:
            media_type: Found from the content.
            title: Put on one line; a blank one is None.
            language: As declared (``tr``, ``en-GB``); reduced to its ISO 639 code.
            metadata: Text is cleaned, empty values are dropped.
            warnings: Repeated ones are kept once.
        """
        self._close_page()
        return ParsedDocument(
            text="".join(self._parts),
            media_type=media_type,
            blocks=tuple(self._blocks),
            pages=tuple(self._pages),
            title=one_line(title),
            language=language_code(language),
            metadata=_clean_metadata(metadata or {}),
            warnings=tuple(dict.fromkeys(warnings)),
        )

    def _separator(self, kind: BlockKind, level: int | None) -> str:
        indent = "  " * min(level or 0, 20) if kind is BlockKind.LIST_ITEM else ""
        if not self._blocks:
            return ""
        fresh_page = self._open is not None and self._open.start is None
        both_items = kind is BlockKind.LIST_ITEM and self._blocks[-1].kind is BlockKind.LIST_ITEM
        return ("\n" if both_items and not fresh_page else "\n\n") + indent

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
        if self._max_chars is not None and self._length > self._max_chars:
            raise UnreadableDocument(
                UnreadableReason.TOO_COMPLEX,
                f"The document has more than {self._max_chars:,} characters of text.",
                hint="Split it into smaller files.",
            )

    def _close_page(self) -> None:
        page = self._open
        if page is not None:
            start = self._length if page.start is None else page.start
            number = len(self._pages) + 1
            self._pages.append(Page(number, start, self._length, page.label, page.width, page.height))
        self._open = None


class _OpenPage:
    def __init__(self, label: str | None, width: float | None, height: float | None) -> None:
        self.label, self.width, self.height = label, width, height
        self.start: int | None = None


def tidy(text: str, *, code: bool = False) -> str:
    """Returns ``text`` as it may stand in a canonical text, without outer white space.

    All line and page breaks become ``\\n``. The first line of code keeps its indentation.
    """
    text = clean(_BREAKS.sub("\n", text))
    if not code:
        return text.strip()
    text = text.rstrip()
    first_mark = len(text) - len(text.lstrip())
    return text[text.rfind("\n", 0, first_mark) + 1 :]


def one_line(text: str | None) -> str | None:
    """Returns ``text`` on one line, cut to a title's length; None if it is blank."""
    words = clean(text or "")[: 4 * _MAX_TITLE].split()
    line = " ".join(words)
    return (line if len(line) <= _MAX_TITLE else line[: _MAX_TITLE - 1] + "…") or None


def language_code(declared: str | None) -> str | None:
    """Returns the ISO 639 code in a declared language such as ``tr-TR`` or ``en_US.UTF-8``; None if none."""
    match = _LANGUAGE.match((declared or "").strip())
    code = match.group(1).lower() if match else None
    return None if code in {"und", "mul", "zxx", "mis", "xx", "x"} else code


def _clean_metadata(metadata: Mapping[str, Json]) -> dict[str, Json]:
    cleaned: dict[str, Json] = {}
    for key, value in metadata.items():
        kept = _clean_value(value)
        if kept not in (None, "", [], {}):
            cleaned[clean(key)] = kept
    return cleaned


def _clean_value(value: Json) -> Json:
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, Mapping):
        return _clean_metadata(value)
    if isinstance(value, list | tuple):
        return [_clean_value(item) for item in value]
    return value
