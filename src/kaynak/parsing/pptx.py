from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.docx_runs import Runs
from kaynak.parsing.office_chart import add_chart
from kaynak.parsing.office_properties import ooxml_properties
from kaynak.parsing.package import Package
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.safexml import attribute, child, children, flat_text, local
from kaynak.parsing.tables import add_table, spread

if TYPE_CHECKING:
    from lxml.etree import _Element

_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr"})
_LISTS = frozenset({None, "body", "obj", "half"})
_MAX_DEPTH = 40


class PptxParser:
    """Presentations: a page for each slide with title, text, tables, charts, notes and comments."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        package = Package(source.path)
        part = package.main_part("ppt/presentation.xml")
        root = package.xml(part)
        if root is None:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The presentation has no list of slides.")
        builder = TextBuilder(limits.text_chars, limits.pages)
        related = package.related(part)
        authors = _authors(package, related)
        for entry in children(child(root, "sldIdLst"), "sldId"):
            key = next((value for name, value in entry.attrib.items() if str(name).endswith("}id")), "")
            kind, target = related.get(str(key), ("", ""))
            slide = package.xml(target) if kind == "slide" else None
            if slide is not None:
                _Slide(package, target, builder, authors).read(slide)
        properties = ooxml_properties(package)
        return builder.build(
            media.PPTX,
            title=properties.title or builder.first_heading,
            language=properties.language,
            metadata=properties.metadata,
        )


class _Slide:
    def __init__(self, package: Package, part: str, builder: TextBuilder, authors: dict[str, str]) -> None:
        self._package, self._builder, self._authors = package, builder, authors
        self._related = package.related(part)

    def read(self, slide: _Element) -> None:
        tree = child(slide, "cSld", "spTree")
        shapes = _flattened(tree, 0)
        titles = [shape for shape in shapes if _placeholder(shape) in _TITLES]
        title = " ".join(filter(None, (flat_title(shape) for shape in titles)))
        self._builder.page(label=title or None)
        if title:
            self._builder.add(BlockKind.HEADING, title, 1)
        for shape in shapes:
            if shape not in titles:
                self._shape(shape)
        self._notes()
        self._comments()

    def _shape(self, shape: _Element) -> None:
        name, place = local(shape), _placeholder(shape)
        if place in _FURNITURE:
            return
        if name == "graphicFrame":
            self._graphic(shape)
            return
        body = child(shape, "txBody")
        is_list = place in _LISTS and place != "" and child(shape, "nvSpPr", "nvPr", "ph") is not None
        for paragraph in children(body, "p"):
            self._paragraph(paragraph, is_list=is_list, subtitle=place == "subTitle")

    def _paragraph(self, paragraph: _Element, *, is_list: bool, subtitle: bool) -> None:
        runs = Runs()
        runs.read(paragraph)
        text = runs.text.strip()
        if not text:
            return
        properties = child(paragraph, "pPr")
        level = int((properties.get("lvl") if properties is not None else None) or 0)
        marked = any(child(properties, mark) is not None for mark in ("buChar", "buAutoNum", "buBlip"))
        bare = child(properties, "buNone") is not None
        if not subtitle and (marked or (is_list and not bare)):
            self._builder.add(BlockKind.LIST_ITEM, f"- {text}", level)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _graphic(self, frame: _Element) -> None:
        for element in frame.iter():
            name = local(element)
            if name == "tbl":
                add_table(self._builder, spread(_table_rows(element)), records=False)
                return
            if name == "chart" and attribute(element, "id"):
                _, target = self._related.get(attribute(element, "id") or "", ("", ""))
                add_chart(self._builder, self._package.xml(target) if target else None)
                return
            if name == "relIds":  # SmartArt keeps its text in a part of its own
                _, target = self._related.get(attribute(element, "dm") or "", ("", ""))
                root = self._package.xml(target) if target else None
                for body in root.iter() if root is not None else ():
                    if local(body) == "t" and local(body.getparent()) == "pt":
                        self._builder.add(BlockKind.LIST_ITEM, "- " + flat_text(body) if flat_text(body) else "")

    def _notes(self) -> None:
        for kind, target in self._related.values():
            root = self._package.xml(target) if kind == "notesSlide" else None
            shapes = _flattened(child(root, "cSld", "spTree"), 0) if root is not None else []
            shown = [shape for shape in shapes if _placeholder(shape) not in _FURNITURE | {"sldImg"}]
            text = "\n".join(filter(None, map(_shape_text, shown)))
            if text:
                self._builder.add(BlockKind.PARAGRAPH, f"Notes: {text}")

    def _comments(self) -> None:
        for kind, target in self._related.values():
            root = self._package.xml(target) if kind == "comments" else None
            for comment in root.iter() if root is not None else ():
                if local(comment) not in {"cm", "reply"}:
                    continue
                body = child(comment, "text") if child(comment, "text") is not None else child(comment, "txBody")
                text = flat_text(body)
                author = self._authors.get(comment.get("authorId") or "", "")
                if text:
                    self._builder.add(BlockKind.QUOTE, f"Comment by {author}: {text}" if author else f"Comment: {text}")


def flat_title(shape: _Element) -> str:
    """Returns the text of a title shape on one line."""
    return " ".join(_shape_text(shape).split())


def _shape_text(shape: _Element) -> str:
    lines = []
    for paragraph in children(child(shape, "txBody"), "p"):
        runs = Runs()
        runs.read(paragraph)
        lines.append(runs.text.strip())
    return "\n".join(filter(None, lines))


def _flattened(tree: _Element | None, depth: int) -> list[_Element]:
    """Returns the shapes of a tree in their order, those in groups included."""
    shapes: list[_Element] = []
    for element in tree if tree is not None else ():
        name = local(element)
        if name in {"sp", "graphicFrame", "cxnSp"}:
            shapes.append(element)
        elif name == "grpSp" and depth < _MAX_DEPTH:
            shapes.extend(_flattened(element, depth + 1))
        elif name == "AlternateContent" and depth < _MAX_DEPTH:
            chosen = child(element, "Choice")
            shapes.extend(_flattened(chosen if chosen is not None else child(element, "Fallback"), depth + 1))
    return shapes


def _placeholder(shape: _Element) -> str | None:
    """Returns the type of a placeholder; None for a general one, an empty string for no placeholder."""
    for holder in ("nvSpPr", "nvGraphicFramePr", "nvPicPr"):
        mark = child(shape, holder, "nvPr", "ph")
        if mark is not None:
            return str(mark.get("type")) if mark.get("type") else None
    return ""


def _table_rows(table: _Element) -> list[list[tuple[str, int, int]]]:
    rows = []
    for row in children(table, "tr"):
        cells = []
        for cell in children(row, "tc"):
            if cell.get("hMerge") in {"1", "true"} or cell.get("vMerge") in {"1", "true"}:
                continue
            span, down = cell.get("gridSpan") or "1", cell.get("rowSpan") or "1"
            cells.append((_shape_text(cell), int(span) if span.isdigit() else 1, int(down) if down.isdigit() else 1))
        rows.append(cells)
    return rows


def _authors(package: Package, related: dict[str, tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, target in related.values():
        root = package.xml(target) if kind in {"commentAuthors", "authors"} else None
        for author in root.iter() if root is not None else ():
            if author.get("id") and author.get("name"):
                found[str(author.get("id"))] = str(author.get("name"))
    return found
