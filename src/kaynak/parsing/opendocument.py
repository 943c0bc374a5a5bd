from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.detect import detect
from kaynak.parsing.office_properties import odf_properties
from kaynak.parsing.package import Package
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.safexml import attribute, child, children, flat_text, local
from kaynak.parsing.tables import add_table, spread

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONTAINERS = frozenset({"section", "index-body", "table-of-content", "frame", "text-box", "g", "custom-shape",
                         "alphabetical-index", "illustration-index", "list-header", "bibliography", "shape",
                         "rect", "ellipse", "line", "connector", "polygon", "path", "a"})  # fmt: skip
_FURNITURE = frozenset({"title", "page-number", "date-time", "footer", "header"})
_MAX_DEPTH = 100


class OpenDocumentParser:
    """OpenDocument texts (ODT) and presentations (ODP, a page for each slide)."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        media_type = detect(source.path, source.name)
        package = Package(source.path)
        refuse_encrypted(package)
        root = package.xml("content.xml")
        body = child(root, "body")
        if body is None or not len(body):
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The document has no body.")
        builder = TextBuilder(limits.text_chars, limits.pages)
        reader = _Reader(builder, root)
        if media_type == media.ODP:
            for slide in children(body[0], "page"):
                reader.slide(slide)
        else:
            reader.blocks(body[0], 0)
            reader.leftovers()
        properties = odf_properties(package)
        return builder.build(
            media_type,
            title=properties.title or reader.title or builder.first_heading,
            language=properties.language,
            metadata=properties.metadata,
        )


def refuse_encrypted(package: Package) -> None:
    """Raises if an OpenDocument file is encrypted.

    Raises:
        UnreadableDocument: It is.
    """
    if b"encryption-data" in (package.read("META-INF/manifest.xml") or b""):
        raise UnreadableDocument(
            UnreadableReason.ENCRYPTED,
            "The document is encrypted, and passwords of OpenDocument files are not supported.",
            hint="Save it without a password, or as PDF or DOCX with one.",
        )


class _Reader:
    def __init__(self, builder: TextBuilder, root: _Element | None) -> None:
        self._builder = builder
        self._numbered = _numbered_lists(root)
        self._titles = _title_styles(root)
        self._notes: list[str] = []
        self._comments: list[str] = []
        self.title: str | None = None

    def blocks(self, parent: _Element, depth: int) -> None:
        """Appends the paragraphs, lists and tables in an element."""
        for element in parent:
            name = local(element)
            if name in {"h", "p"}:
                self._paragraph(element, name)
            elif name == "list":
                self._list(element, 0, None, depth)
            elif name == "table":
                self._table(element)
            elif name in _CONTAINERS and depth < _MAX_DEPTH:
                self.blocks(element, depth + 1)

    def slide(self, page: _Element) -> None:
        """Appends a slide as a page."""
        title = next((flat_text(one) for one in page if attribute(one, "class") == "title"), "")
        self._builder.page(label=title or attribute(page, "name"))
        self._builder.add(BlockKind.HEADING, title, 1)
        for element in page:
            name = local(element)
            if name == "notes":
                text = "\n".join(filter(None, (self._text(one) for one in element.iter() if local(one) == "p")))
                self._builder.add(BlockKind.PARAGRAPH, f"Notes: {text}" if text else "")
            elif name in _CONTAINERS and attribute(element, "class") not in _FURNITURE:
                self.blocks(element, 0)
        self.leftovers()

    def leftovers(self) -> None:
        """Appends notes and comments met so far."""
        for note in self._notes:
            self._builder.add(BlockKind.PARAGRAPH, note)
        for comment in self._comments:
            self._builder.add(BlockKind.QUOTE, comment)
        self._notes.clear()
        self._comments.clear()

    def _paragraph(self, element: _Element, name: str) -> None:
        text = self._text(element).strip()
        style = attribute(element, "style-name") or ""
        if name == "h":
            level = attribute(element, "outline-level") or "1"
            self._builder.add(BlockKind.HEADING, text, min(9, int(level)) if level.isdigit() else 1)
        elif style == "Title" or self._titles.get(style) == "Title":
            self.title = self.title or text
            self._builder.add(BlockKind.HEADING, text, 1)
        elif self._titles.get(style, style) == "Quotations":
            self._builder.add(BlockKind.QUOTE, text)
        elif self._titles.get(style, style) == "Preformatted_20_Text":
            self._builder.add(BlockKind.CODE, text)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _list(self, element: _Element, level: int, style: str | None, depth: int) -> None:
        style = attribute(element, "style-name") or style
        numbered = level in self._numbered.get(style or "", set())
        number = 0
        for item in element:
            if local(item) not in {"list-item", "list-header"} or depth > _MAX_DEPTH:
                continue
            marked = False
            for part in item:
                name = local(part)
                if name in {"p", "h"}:
                    text = self._text(part).strip()
                    if name == "h":
                        self._paragraph(part, "h")
                    elif text and not marked:
                        number += 1
                        marked = True
                        self._builder.add(BlockKind.LIST_ITEM, f"{number}. {text}" if numbered else f"- {text}", level)
                    else:
                        self._builder.add(BlockKind.PARAGRAPH, text)
                elif name == "list":
                    self._list(part, level + 1, style, depth + 1)

    def _table(self, table: _Element) -> None:
        rows: list[list[tuple[str, int, int]]] = []
        for row in table.iter():
            if local(row) != "table-row" or _nearest_table(row) is not table:
                continue
            cells: list[tuple[str, int, int]] = []
            for cell in row:
                if local(cell) != "table-cell":
                    continue
                repeat = min(_number(cell, "number-columns-repeated"), 200)
                text = "\n".join(filter(None, (self._text(one) for one in cell.iter() if local(one) in {"p", "h"})))
                spans = (text, _number(cell, "number-columns-spanned"), _number(cell, "number-rows-spanned"))
                cells.extend([spans] * (repeat if text else min(repeat, 50)))
            rows.append(cells)
        add_table(self._builder, spread(rows))

    def _text(self, element: _Element) -> str:
        parts: list[str] = []
        self._collect(element, parts, 0)
        return "".join(parts)

    def _collect(self, element: _Element, parts: list[str], depth: int) -> None:
        parts.append(_collapsed(element.text))
        for one in element:
            name = local(one)
            if name == "s":
                parts.append(" " * min(_number(one, "c"), 1000))
            elif name == "tab":
                parts.append("\t")
            elif name == "line-break":
                parts.append("\n")
            elif name == "note":
                mark = flat_text(child(one, "note-citation"))
                parts.append(f"[{mark}]")
                self._notes.append(f"[{mark}] {flat_text(child(one, 'note-body'))}")
            elif name == "annotation":
                author = flat_text(child(one, "creator"))
                text = " ".join(filter(None, map(flat_text, children(one, "p"))))
                self._comments.append(f"Comment by {author}: {text}" if author else f"Comment: {text}")
            elif name not in {"annotation-end", "tracked-changes", ""} and depth < _MAX_DEPTH:
                apart = name in {"p", "h", "list-item"}
                parts.append("\n" if apart else "")
                self._collect(one, parts, depth + 1)
            parts.append(_collapsed(one.tail))


def _collapsed(text: str | None) -> str:
    if not text:
        return ""
    words = " ".join(text.split())
    if not words:
        return " "
    return (" " if text[0].isspace() else "") + words + (" " if text[-1].isspace() else "")


def _nearest_table(row: _Element) -> _Element | None:
    return next((one for one in row.iterancestors() if local(one) == "table"), None)


def _number(element: _Element, name: str) -> int:
    value = attribute(element, name) or "1"
    return int(value) if value.isdigit() and len(value) < 9 else 1


def _numbered_lists(root: _Element | None) -> dict[str, set[int]]:
    """Returns, by style name, the levels of a list that are numbered."""
    found: dict[str, set[int]] = {}
    for style in root.iter() if root is not None else ():
        if local(style) == "list-style":
            found[attribute(style, "name") or ""] = {
                int(attribute(level, "level") or 1) - 1
                for level in children(style, "list-level-style-number")
                if attribute(level, "num-format")
            }
    return found


def _title_styles(root: _Element | None) -> dict[str, str]:
    """Returns the parents of automatic paragraph styles."""
    automatic = child(root, "automatic-styles")
    return {
        attribute(style, "name") or "": attribute(style, "parent-style-name") or ""
        for style in (automatic if automatic is not None else ())
        if local(style) == "style"
    }
