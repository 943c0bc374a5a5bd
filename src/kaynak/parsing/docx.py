from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.docx_numbering import Numbering
from kaynak.parsing.docx_runs import Runs
from kaynak.parsing.docx_styles import Styles
from kaynak.parsing.office_chart import add_chart
from kaynak.parsing.office_properties import ooxml_properties
from kaynak.parsing.package import Package
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.safexml import attribute, child, children, flat_text, local
from kaynak.parsing.tables import add_table, spread

if TYPE_CHECKING:
    from lxml.etree import _Element

_WRAPPERS = frozenset({"sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo", "AlternateContent", "Choice"})
_MAX_DEPTH = 60


class DocxParser:
    """Word documents: body, notes, comments, text boxes; headers and footers once; changes accepted."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        package = Package(source.path)
        part = package.main_part("word/document.xml")
        root = package.xml(part)
        body = child(root, "body")
        if root is None or body is None:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The Word document has no body.")
        builder = TextBuilder(limits.text_chars, limits.pages)
        reader = _Reader(package, part, builder)
        reader.margins("header")
        reader.blocks(body, 0)
        reader.notes()
        reader.margins("footer")
        reader.comments()
        properties = ooxml_properties(package)
        return builder.build(
            media.DOCX,
            title=properties.title or reader.title or builder.first_heading,
            language=properties.language,
            metadata=properties.metadata,
        )


class _Reader:
    def __init__(self, package: Package, part: str, builder: TextBuilder) -> None:
        self._package, self._builder = package, builder
        self._related = package.related(part)
        folder = part.rpartition("/")[0]
        self.styles = Styles(package.xml(self._target("styles", f"{folder}/styles.xml")))
        self._numbering = Numbering(package.xml(self._target("numbering", f"{folder}/numbering.xml")))
        self._folder = folder
        self.title: str | None = None

    def _target(self, kind: str, fallback: str) -> str:
        return next((target for one, target in self._related.values() if one == kind), fallback)

    def blocks(self, parent: _Element, depth: int) -> None:
        """Appends the paragraphs and tables in an element."""
        for element in parent:
            name = local(element)
            if name == "p":
                self._paragraph(element, depth)
            elif name == "tbl":
                self._table(element, depth)
            elif name in _WRAPPERS and depth < _MAX_DEPTH:
                self.blocks(element, depth + 1)

    def _paragraph(self, element: _Element, depth: int) -> None:
        runs = Runs()
        runs.read(element)
        properties = child(element, "pPr")
        style = self.styles.of(properties)
        text = runs.text.strip()
        if text:
            label, list_level = self._numbering.label(properties, style)
            if style.heading is not None:
                if style.is_title and self.title is None:
                    self.title = text
                self._builder.add(BlockKind.HEADING, f"{label} {text}" if label else text, style.heading)
            elif list_level is not None:
                self._builder.add(BlockKind.LIST_ITEM, f"{label or '-'} {text}", list_level)
            else:
                self._builder.add(style.kind, text)
        if depth < _MAX_DEPTH:
            for box in runs.boxes:
                self.blocks(box, depth + 1)
        for chart in runs.charts:
            _, target = self._related.get(chart, ("", ""))
            add_chart(self._builder, self._package.xml(target) if target else None)

    def _table(self, table: _Element, depth: int) -> None:
        rows = _rows(table)
        if depth < _MAX_DEPTH and _is_frame(rows):
            for row in rows:
                for cell in row:
                    self.blocks(cell, depth + 1)
            return
        add_table(self._builder, spread(self._grid(rows, depth)))

    def _grid(self, rows: list[list[_Element]], depth: int) -> list[list[tuple[str, int, int]]]:
        """Returns (text, columns, rows) of each cell; a cell merged downwards starts at its first row."""
        grid: list[list[tuple[str, int, int]]] = []
        open_cells: dict[int, str] = {}
        for row in rows:
            line: list[tuple[str, int, int]] = []
            column = 0
            for cell in row:
                properties = child(cell, "tcPr")
                if local(cell) == "gap":
                    text, span = "", int(cell.get("span") or 1)
                else:
                    span = _number(child(properties, "gridSpan"), 1)
                    merge = child(properties, "vMerge")
                    continues = merge is not None and attribute(merge, "val") != "restart"
                    text = open_cells.get(column, "") if continues else self._cell(cell, depth)
                    if merge is not None:
                        open_cells[column] = text
                    else:
                        open_cells.pop(column, None)
                line.append((text, span, 1))
                column += span
            grid.append(line)
        return grid

    def _cell(self, cell: _Element, depth: int) -> str:
        pieces: list[str] = []
        for element in cell.iter():
            name = local(element)
            if name == "p" and _nearest_cell(element) is cell:
                runs = Runs()
                runs.read(element)
                label, level = self._numbering.label(child(element, "pPr"), self.styles.of(child(element, "pPr")))
                text = runs.text.strip()
                pieces.append(f"{label or '-'} {text}" if text and level is not None else text)
                pieces.extend(flat_text(box) for box in runs.boxes)
            elif name == "tbl" and element is not cell and depth < _MAX_DEPTH and _nearest_cell(element) is cell:
                inner = self._grid(_rows(element), depth + 1)
                pieces.extend("; ".join(text for text, _, _ in row if text) for row in inner)
        return "\n".join(piece for piece in pieces if piece)

    def margins(self, kind: str) -> None:
        """Appends the text of headers or footers, each different one once."""
        seen: set[str] = set()
        for one, target in self._related.values():
            root = self._package.xml(target) if one == kind else None
            for paragraph in root.iter() if root is not None else ():
                if local(paragraph) != "p":
                    continue
                runs = Runs(fields=False)
                runs.read(paragraph)
                text = " ".join(runs.text.split())
                if any(char.isalpha() for char in text) and text not in seen:
                    seen.add(text)
                    self._builder.add(BlockKind.PARAGRAPH, text)

    def notes(self) -> None:
        """Appends footnotes and endnotes under the marks they have in the text."""
        for kind in ("footnote", "endnote"):
            root = self._package.xml(self._target(f"{kind}s", f"{self._folder}/{kind}s.xml"))
            for note in children(root, kind):
                if attribute(note, "type") in {"separator", "continuationSeparator", "continuationNotice"}:
                    continue
                text = _paragraphs(note)
                if text:
                    mark = attribute(note, "id") or ""
                    self._builder.add(BlockKind.PARAGRAPH, f"[{'e' if kind == 'endnote' else ''}{mark}] {text}")

    def comments(self) -> None:
        """Appends the comments of reviewers."""
        root = self._package.xml(self._target("comments", f"{self._folder}/comments.xml"))
        for comment in children(root, "comment"):
            text = _paragraphs(comment)
            author = attribute(comment, "author") or ""
            if text:
                self._builder.add(BlockKind.QUOTE, f"Comment by {author}: {text}" if author else f"Comment: {text}")


def _paragraphs(element: _Element) -> str:
    texts = []
    for paragraph in element.iter():
        if local(paragraph) == "p":
            runs = Runs()
            runs.read(paragraph)
            texts.append(runs.text.strip())
    return "\n".join(text for text in texts if text)


def _rows(table: _Element) -> list[list[_Element]]:
    rows = []
    for row in _unwrapped(table, "tr"):
        if child(row, "trPr", "del") is not None:
            continue
        cells = _unwrapped(row, "tc")
        before = _number(child(row, "trPr", "gridBefore"), 0)
        if before:
            gap = row.makeelement("gap", {"span": str(min(before, 63))})
            cells.insert(0, gap)
        rows.append(cells)
    return rows


def _unwrapped(parent: _Element, name: str) -> list[_Element]:
    found: list[_Element] = []
    for element in parent:
        if local(element) == name:
            found.append(element)
        elif local(element) in _WRAPPERS:
            found.extend(_unwrapped(element, name))
    return found


def _is_frame(rows: list[list[_Element]]) -> bool:
    """Whether a table of one cell frames content rather than relating cells."""
    return len(rows) == 1 and len(rows[0]) == 1 and local(rows[0][0]) == "tc"


def _nearest_cell(element: _Element) -> _Element | None:
    return next((one for one in element.iterancestors() if local(one) in {"tc", "txbxContent"}), None)


def _number(element: _Element | None, default: int) -> int:
    value = attribute(element, "val") if element is not None else None
    return min(int(value), 1000) if value and value.isdigit() else default
