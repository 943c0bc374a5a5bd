from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from kaynak.domain import BlockKind
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.tables import add_table, spread

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_SKIPPED: Final = frozenset({
    "script", "style", "template", "noscript", "head", "svg", "iframe", "object", "embed", "canvas", "audio",
    "video", "map", "button", "select", "input", "textarea", "nav", "datalist", "dialog", "applet", "frameset",
})  # fmt: skip
_BLOCKS: Final = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "aside", "body", "html", "address", "dl", "dt",
    "dd", "figure", "form", "fieldset", "legend", "center", "details", "summary", "hr", "noframes", "title",
    "blockquote", "ul", "ol", "menu", "dir", "li", "table", "pre", "figcaption", "caption", "tr", "td", "th",
    "tbody", "thead", "tfoot", "h1", "h2", "h3", "h4", "h5", "h6", "listing", "xmp", "hgroup", "search",
})  # fmt: skip
_WHITE = re.compile(r"[ \t\n\r\f\v]+")
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.I)
_CLUTTER = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|breadcrumbs?|cookies?|cookie-banner|skip-link|sr-only|visually-hidden"
    r"|pagination|share-buttons|social-share|toc-toggle|screen-reader-text|noprint)(?:$|[\s_-])",
    re.I,
)
_MAX_DEPTH = 100
_MAX_SPAN = 1000


class HtmlWalker:
    """Walks an HTML tree and appends its content, block by block."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []
        self._kind = BlockKind.PARAGRAPH
        self._level: int | None = None
        self._lists: list[int | None] = []
        self._marker = ""
        self._clean = True

    def page(self, root: HtmlElement) -> None:
        """Appends a page without its navigation; all of it where nothing else would be left."""
        before = self._builder.blocks
        main = _main_part(root)
        self._walk(main if main is not None else root, 0)
        self._flush()
        if self._builder.blocks == before:
            self.fragment(root)

    def fragment(self, root: HtmlElement) -> None:
        """Appends everything but what is never shown."""
        self._clean = False
        self._walk(root, 0)
        self._flush()

    def _walk(self, element: HtmlElement, depth: int) -> None:
        tag = element.tag if isinstance(element.tag, str) else None
        if tag is None or self._dropped(element, tag):
            return
        if depth > _MAX_DEPTH:
            self._inline.append(" ".join(str(piece) for piece in element.itertext()))
            return
        if tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            alt = (element.get("alt") or "").strip()
            self._inline.append(f" {alt} " if len(alt.split()) > 1 else "")
        elif tag in _BLOCKS:
            self._flush()
            self._block(element, tag, depth)
            self._flush()
        else:
            self._content(element, depth)

    def _content(self, element: HtmlElement, depth: int) -> None:
        if element.text:
            self._inline.append(_WHITE.sub(" ", element.text))
        for child in element:
            self._walk(child, depth + 1)
            if child.tail:
                self._inline.append(_WHITE.sub(" ", child.tail))

    def _block(self, element: HtmlElement, tag: str, depth: int) -> None:
        if tag[0] == "h" and tag[1:].isdigit():
            self._styled(element, depth, BlockKind.HEADING, int(tag[1:]))
        elif tag in {"ul", "ol", "menu", "dir"}:
            start = element.get("start") or ""
            self._lists.append((int(start) if start.isdigit() else 1) if tag == "ol" else None)
            self._content(element, depth)
            self._lists.pop()
        elif tag == "li":
            self._item(element, depth)
        elif tag == "table":
            self._table(element, depth)
        elif tag in {"pre", "listing", "xmp"}:
            self._builder.add(BlockKind.CODE, _verbatim(element))
        elif tag == "blockquote":
            self._styled(element, depth, BlockKind.QUOTE, None)
        elif tag in {"figcaption", "caption"}:
            self._styled(element, depth, BlockKind.CAPTION, None)
        else:
            self._content(element, depth)

    def _styled(self, element: HtmlElement, depth: int, kind: BlockKind, level: int | None) -> None:
        outer = self._kind, self._level
        self._kind, self._level = kind, level
        self._content(element, depth)
        self._flush()
        self._kind, self._level = outer

    def _item(self, element: HtmlElement, depth: int) -> None:
        if not self._lists:
            self._lists.append(None)
            self._item(element, depth)
            self._lists.pop()
            return
        number = self._lists[-1]
        if number is not None:
            value = element.get("value") or ""
            number = int(value) if value.isdigit() else number
            self._lists[-1] = number + 1
        self._marker = "- " if number is None else f"{number}. "
        self._content(element, depth)
        self._flush()
        self._marker = ""

    def _table(self, element: HtmlElement, depth: int) -> None:
        rows = _rows(element)
        if _for_layout(element, rows):
            self._content(element, depth)
            return
        for caption in element.iterchildren("caption"):
            self._styled(caption, depth, BlockKind.CAPTION, None)
        grid = spread(
            [(_cell_text(cell), _span(cell, "colspan"), _span(cell, "rowspan")) for cell in _cells(row)] for row in rows
        )
        add_table(self._builder, grid)

    def _flush(self) -> None:
        if not self._inline:
            return
        text = _lines("".join(self._inline))
        self._inline.clear()
        if not text:
            return
        kind, level = self._kind, self._level
        if self._marker and kind is not BlockKind.HEADING:
            kind, level, text = BlockKind.LIST_ITEM, max(0, len(self._lists) - 1), self._marker + text
            self._marker = ""
        self._builder.add(kind, text, level)

    def _dropped(self, element: HtmlElement, tag: str) -> bool:
        if tag in _SKIPPED and not (tag == "nav" and not self._clean):
            return True
        if element.get("hidden") is not None or _HIDDEN.search(element.get("style") or ""):
            return True
        if not self._clean or tag in {"body", "html", "main", "article"}:
            return False
        if element.get("role") in {"navigation", "search", "banner", "menu", "menubar"} or tag == "footer":
            return not any(True for _ in element.iterancestors("article", "main", "blockquote"))
        names = f"{element.get('class') or ''} {element.get('id') or ''}"
        return bool(names.strip()) and bool(_CLUTTER.search(names)) and _mostly_links(element)


def _main_part(root: HtmlElement) -> HtmlElement | None:
    """Returns the one element that the page marks as its content, if it holds a fair part of the text."""
    body = root.find("body")
    whole = _text_length(body if body is not None else root)
    for path in ("//main", '//*[@role="main"]', "//article"):
        found = root.xpath(path)
        if len(found) == 1 and _text_length(found[0]) >= max(200, whole * 0.3):
            return found[0]
    return None


def _text_length(element: HtmlElement) -> int:
    length = 0
    for one in element.iter():
        if isinstance(one.tag, str) and one.tag not in {"script", "style"}:
            length += len((one.text or "").strip())
        length += len((one.tail or "").strip())
    return length


def _mostly_links(element: HtmlElement) -> bool:
    whole = len(_WHITE.sub("", "".join(element.itertext())))
    linked = sum(len(_WHITE.sub("", "".join(link.itertext()))) for link in element.iter("a"))
    return whole == 0 or linked > 0.5 * whole or whole < 80


def _rows(table: HtmlElement) -> list[HtmlElement]:
    rows: list[HtmlElement] = []
    for part in table:
        if part.tag == "tr":
            rows.append(part)
        elif part.tag in {"thead", "tbody", "tfoot"}:
            rows.extend(part.iterchildren("tr"))
    return rows


def _cells(row: HtmlElement) -> list[HtmlElement]:
    return list(row.iterchildren("td", "th"))


def _for_layout(table: HtmlElement, rows: list[HtmlElement]) -> bool:
    """Whether the table places content on the page rather than relating cells."""
    if (table.get("role") or "") in {"presentation", "none"}:
        return True
    cells = [_cells(row) for row in rows]
    if max((len(row) for row in cells), default=0) < 2:
        return True
    if next(table.iter("th"), None) is not None:
        return False
    if any(next(cell.iter("table", "h1", "h2", "h3", "pre"), None) is not None for row in cells for cell in row):
        return True
    filled = [row for row in cells if any(_WHITE.sub("", "".join(cell.itertext())) for cell in row)]
    return len(filled) < 2


def _span(cell: HtmlElement, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(int(value), _MAX_SPAN) if value.isdigit() and len(value) < 9 and int(value) > 0 else 1


def _cell_text(cell: HtmlElement) -> str:
    parts: list[str] = []
    _collect(cell, parts, 0)
    return _WHITE.sub(" ", "".join(parts)).strip()


def _collect(element: HtmlElement, parts: list[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        parts.extend(str(piece) for piece in element.itertext())
        return
    parts.append(element.text or "")
    for child in element:
        tag = child.tag if isinstance(child.tag, str) else "script"
        if tag not in _SKIPPED and not _HIDDEN.search(child.get("style") or ""):
            if tag == "img":
                parts.append(f" {child.get('alt') or ''} ")
            gap = " " if tag in _BLOCKS or tag == "br" else ""
            parts.append(gap)
            _collect(child, parts, depth + 1)
            parts.append(gap)
        parts.append(child.tail or "")


def _verbatim(element: HtmlElement) -> str:
    parts = [element.text or ""]
    for one in element.iterdescendants():
        if one.tag == "br":
            parts.append("\n")
        if isinstance(one.tag, str) and one.tag not in {"script", "style"}:
            parts.append(one.text or "")
        parts.append(one.tail or "")
    return "".join(parts)


def _lines(text: str) -> str:
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
