from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from kaynak.domain import BlockKind
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.tables import add_table


class Dialect(ABC):
    """Light markup, read line by line: what all dialects share.

    Paragraphs are collected until a block or a blank line ends them.
    """

    item: ClassVar[re.Pattern[str]] = re.compile(r"(\s*)([-*+•]|\(?\d+[.)]|#\.|[a-zA-Z][.)])\s+(.*)")
    inline: ClassVar[tuple[tuple[re.Pattern[str], str], ...]] = ()

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._lines: list[str] = []
        self._kind, self._level, self._marker = BlockKind.PARAGRAPH, 0, ""
        self._indents: list[int] = []
        self.fields: dict[str, str] = {}

    def read(self, lines: list[str]) -> None:
        """Appends a whole text."""
        at = 0
        while at < len(lines):
            taken = self.block(lines, at)
            if taken:
                at += taken
                continue
            line = lines[at]
            if not line.strip():
                self.flush()
            elif not self._item(line):
                self._lines.append(line.strip())
            at += 1
        self.flush()

    @abstractmethod
    def block(self, lines: list[str], at: int) -> int:
        """Appends a block that begins at a line; returns how many lines it took, 0 if none begins there."""

    def clean(self, text: str) -> str:
        """Returns a line without inline marks."""
        for pattern, replacement in self.inline:
            text = pattern.sub(replacement, text)
        return text

    def flush(self) -> None:
        """Ends the paragraph or list item that is being collected."""
        text = self.clean("\n".join(self._lines))
        self._lines.clear()
        if self._kind is BlockKind.LIST_ITEM:
            self._builder.add(BlockKind.LIST_ITEM, f"{self._marker} {text}" if text else "", self._level)
        else:
            self._builder.add(self._kind, text)
        self._kind = BlockKind.PARAGRAPH

    def heading(self, text: str, level: int) -> None:
        """Ends what is being collected, and appends a heading; the first one names the document."""
        self.flush()
        self._indents.clear()
        text = self.clean(text.strip())
        if self._builder.blocks == 0:
            self.fields.setdefault("title", text)
        self._builder.add(BlockKind.HEADING, text, max(1, min(6, level)))

    def code(self, lines: list[str]) -> None:
        """Ends what is being collected, and appends lines as they are, less their common indentation."""
        self.flush()
        margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        self._builder.add(BlockKind.CODE, "\n".join(line[margin:] for line in lines))

    def table(self, rows: list[list[str]]) -> None:
        """Ends what is being collected, and appends a table."""
        self.flush()
        add_table(self._builder, [[self.clean(cell) for cell in row] for row in rows], records=False)

    def caption(self, text: str) -> None:
        """Ends what is being collected, and appends a caption."""
        self.flush()
        self._builder.add(BlockKind.CAPTION, self.clean(text))

    def _item(self, line: str) -> bool:
        match = self.item.match(line)
        if not match or (self._lines and self._kind is BlockKind.PARAGRAPH and match.group(2)[0] not in "-*+•#"):
            return False
        self.flush()
        indent, marker, text = match.groups()
        self._level = self.depth(len(indent), marker)
        self._kind = BlockKind.LIST_ITEM
        self._marker = marker if any(char.isalnum() for char in marker) else "-"
        self._lines.append(text)
        return True

    def depth(self, indent: int, marker: str) -> int:
        """Returns the depth of a list item, from its indentation."""
        del marker
        while self._indents and self._indents[-1] > indent:
            self._indents.pop()
        if not self._indents or self._indents[-1] < indent:
            self._indents.append(indent)
        return len(self._indents) - 1

    @staticmethod
    def until(lines: list[str], at: int, end: re.Pattern[str]) -> int:
        """Returns the first line from ``at`` on that matches, or the number of lines."""
        return next((one for one in range(at, len(lines)) if end.match(lines[one])), len(lines))

    @staticmethod
    def indented(lines: list[str], at: int, more_than: int) -> int:
        """Returns the end of the block from ``at`` on whose lines are blank or indented further."""
        end = at
        while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > more_than):
            end += 1
        return end
