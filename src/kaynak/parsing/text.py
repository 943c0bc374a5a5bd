from __future__ import annotations

import re

from kaynak.domain import BlockKind, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder, tidy
from kaynak.parsing.encodings import decode
from kaynak.parsing.protocol import ParseLimits, Source

_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_ITEM = re.compile(r"([ \t]*)(?:[-*•‣◦–]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+\S")
_RULE = re.compile(r"[=\-~_*#]{3,}\s*$")
_CHAPTER = re.compile(
    r"(?:chapter|part|section|article|appendix|bölüm|madde|kısım|ek)\s+(?:[\divxlc]{1,6})\b[^.!?\n]{0,80}$", re.I
)


class TextParser:
    """Plain text: paragraphs, lists and evident headings; line ends within a paragraph stay."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        builder = TextBuilder(limits.text_chars, limits.pages)
        add_plain_text(builder, decoded.text)
        return builder.build(media.TEXT, warnings=[decoded.warning] if decoded.warning else [])


def add_plain_text(builder: TextBuilder, text: str) -> None:
    """Appends plain text, a block for each paragraph, list item and heading."""
    text = re.sub(r"^(?:[ \t]*\n)+", "", tidy(text, code=True))
    start = 0
    for gap in _BLANK_LINES.finditer(text):
        # White space that begins the next paragraph's first line belongs to it.
        _add_paragraph(builder, text[start : gap.start()])
        start = text.rfind("\n", gap.start(), gap.end()) + 1
    _add_paragraph(builder, text[start:])


def _add_paragraph(builder: TextBuilder, paragraph: str) -> None:
    if len(paragraph) > 20_000:
        builder.add(BlockKind.PARAGRAPH, paragraph)
        return
    lines = paragraph.split("\n")
    if len(lines) >= 2 and _RULE.match(lines[1].strip()) and _titled(lines[0]):
        builder.add(BlockKind.HEADING, lines[0], 1 if lines[1].strip()[0] in "=#*" else 2)
        lines = lines[2:]
    elif len(lines) == 1 and (_shouted(lines[0]) or _CHAPTER.match(lines[0].strip())):
        builder.add(BlockKind.HEADING, lines[0], 1)
        return
    while lines:
        end = next((at for at in range(1, len(lines)) if _ITEM.match(lines[at])), len(lines))
        item = _ITEM.match(lines[0])
        block = "\n".join(lines[:end])
        if item and (end < len(lines) or len(lines) > 1 or block.lstrip()[0] in "-*•‣◦"):
            builder.add(BlockKind.LIST_ITEM, block, min(6, len(item.group(1).expandtabs(4)) // 2))
        else:
            builder.add(BlockKind.PARAGRAPH, block)
        lines = lines[end:]


def _titled(line: str) -> bool:
    return 0 < len(line.strip()) <= 100 and any(char.isalpha() for char in line)


def _shouted(line: str) -> bool:
    line = line.strip()
    if not 3 <= len(line) <= 80 or line[-1] in ".,;:":
        return False
    letters = [char for char in line if char.isalpha()]
    return len(letters) >= 3 and all(char.isupper() for char in letters)
