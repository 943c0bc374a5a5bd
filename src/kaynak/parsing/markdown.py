from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, Json, ParsedDocument
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.encodings import decode
from kaynak.parsing.frontmatter import split_front_matter
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.tables import add_table, trimmed
from kaynak.parsing.text import add_plain_text

if TYPE_CHECKING:
    from markdown_it.token import Token


_MAX_CHARS = 8_000_000
_MAX_LINE = 100_000  # inline marks on one line take time that grows with its square


class MarkdownParser:
    """Markdown (CommonMark with tables): read as it would be shown, without its marks."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        decoded = decode(source.path.read_bytes())
        builder = TextBuilder(limits.text_chars, limits.pages)
        head, body = split_front_matter(decoded.text.replace("\r\n", "\n"))
        warnings = [decoded.warning] if decoded.warning else []
        first: str | None = None
        if len(body) > _MAX_CHARS or max(map(len, body.split("\n"))) > _MAX_LINE:
            add_plain_text(builder, body)
            warnings.append("The file is too large to be read as Markdown; it was read as plain text.")
        else:
            first = add_markdown(builder, body)
        title = head.pop("title", None)
        language = head.pop("lang", None) or head.pop("language", None)
        metadata: dict[str, Json] = {str(key).lower(): value for key, value in head.items()}
        return builder.build(
            media.MARKDOWN,
            title=title if isinstance(title, str) else first,
            language=language if isinstance(language, str) else None,
            metadata=metadata,
            warnings=warnings,
        )


def add_markdown(builder: TextBuilder, text: str) -> str | None:
    """Appends a Markdown text; returns its first top heading, if it begins with one."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return _Writer(builder).write(tokens)


class _Writer:
    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._lists: list[int | None] = []  # next number of each open list, None for bullets
        self._marker = ""
        self._quotes = 0
        self._first: str | None = None

    def write(self, tokens: Sequence[Token]) -> str | None:
        at = 0
        while at < len(tokens):
            at = self._block(tokens, at)
        return self._first

    def _block(self, tokens: Sequence[Token], at: int) -> int:
        token = tokens[at]
        kind = token.type
        if kind == "heading_open":
            self._heading(inline_text(tokens[at + 1]), int(token.tag[1]))
            return at + 3
        if kind == "table_open":
            return self._table(tokens, at)
        if kind in {"bullet_list_open", "ordered_list_open"}:
            start = int(token.attrGet("start") or 1) if kind[0] == "o" else None
            self._lists.append(start)
        elif kind in {"bullet_list_close", "ordered_list_close"}:
            self._lists.pop()
        elif kind == "list_item_open":
            number = self._lists[-1]
            self._marker = "- " if number is None else f"{number}. "
            if number is not None:
                self._lists[-1] = number + 1
        elif kind in {"blockquote_open", "blockquote_close"}:
            self._quotes += 1 if kind.endswith("open") else -1
        elif kind == "inline":
            self._paragraph(inline_text(token))
        elif kind in {"fence", "code_block"}:
            self._builder.add(BlockKind.CODE, token.content)
        elif kind == "html_block":
            self._html(token.content)
        return at + 1

    def _heading(self, text: str, level: int) -> None:
        if self._builder.blocks == 0 and level == 1:
            self._first = text
        self._builder.add(BlockKind.HEADING, text, level)

    def _paragraph(self, text: str) -> None:
        if self._lists and self._marker:
            self._builder.add(BlockKind.LIST_ITEM, self._marker + text, len(self._lists) - 1)
            self._marker = ""
        elif self._quotes:
            self._builder.add(BlockKind.QUOTE, text)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _table(self, tokens: Sequence[Token], at: int) -> int:
        rows: list[list[str]] = []
        while tokens[at].type != "table_close":
            if tokens[at].type == "tr_open":
                rows.append([])
            elif tokens[at].type == "inline":
                rows[-1].append(inline_text(tokens[at]))
            at += 1
        if trimmed(rows):
            add_table(self._builder, rows)
        return at + 1

    def _html(self, markup: str) -> None:
        from kaynak.parsing.html import add_html_fragment

        add_html_fragment(self._builder, markup)


def inline_text(token: Token) -> str:
    """Returns an inline token as it reads: links and emphasis by their text, pictures by their description."""
    parts: list[str] = []
    for piece in token.children or ():
        if piece.type in {"text", "code_inline"}:
            parts.append(piece.content)
        elif piece.type == "softbreak":
            parts.append(" ")
        elif piece.type == "hardbreak":
            parts.append("\n")
        elif piece.type == "image":
            parts.append(inline_text(piece))
        elif piece.type == "html_inline" and piece.content.lower().startswith("<br"):
            parts.append("\n")
    return "".join(parts)
