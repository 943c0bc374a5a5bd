from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, Json
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.safexml import attribute, child, children, flat_text, local
from kaynak.parsing.tables import add_table, spread

if TYPE_CHECKING:
    from lxml.etree import _Element

_MAX_DEPTH = 60
_APART = frozenset({"table-wrap", "fig", "list", "disp-formula", "disp-quote", "boxed-text", "table-wrap-group",
                    "fig-group", "supplementary-material", "def-list", "code", "preformat"})  # fmt: skip


class JatsReader:
    """Scientific articles in JATS: title, authors, abstract, sections, tables, figures, references."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self.title: str | None = None
        self.metadata: dict[str, Json] = {}

    def read(self, article: _Element) -> None:
        """Appends the article."""
        meta = child(article, "front", "article-meta")
        self._front(meta)
        for abstract in children(meta, "abstract"):
            if child(abstract, "title") is None:
                self._builder.add(BlockKind.HEADING, "Abstract", 2)
            self._section(abstract, 2)
        for keywords in children(meta, "kwd-group"):
            words = ", ".join(filter(None, map(flat_text, children(keywords, "kwd"))))
            self._builder.add(BlockKind.PARAGRAPH, f"Keywords: {words}" if words else "")
        for part in (child(article, "body"), child(article, "floats-group"), child(article, "back")):
            if part is not None:
                self._section(part, 1)

    def _front(self, meta: _Element | None) -> None:
        self.title = flat_text(child(meta, "title-group", "article-title")) or None
        self._builder.add(BlockKind.HEADING, self.title or "", 1)
        authors = []
        for group in children(meta, "contrib-group"):
            for person in children(group, "contrib"):
                if (attribute(person, "contrib-type") or "author") != "author":
                    continue
                given = flat_text(child(person, "name", "given-names"))
                name = f"{given} {flat_text(child(person, 'name', 'surname'))}".strip()
                authors.append(name or flat_text(child(person, "collab")))
        people = ", ".join(filter(None, authors))
        self._builder.add(BlockKind.PARAGRAPH, people)
        self.metadata["author"] = people
        places = [_unlabelled(place) for place in (meta.iter() if meta is not None else ()) if local(place) == "aff"]
        self._builder.add(BlockKind.PARAGRAPH, "; ".join(dict.fromkeys(filter(None, places))))
        for date in children(meta, "pub-date"):
            year, month, day = (flat_text(child(date, unit)) for unit in ("year", "month", "day"))
            if year and "created" not in self.metadata:
                padded = [part.zfill(2) for part in (month, day) if part.isdigit()]
                self.metadata["created"] = "-".join([year, *padded])
        for number in children(meta, "article-id"):
            if attribute(number, "pub-id-type") == "doi":
                self.metadata["doi"] = flat_text(number)

    def _section(self, section: _Element, level: int, depth: int = 0) -> None:
        for element in section:
            name = local(element)
            if name in {"title", "label"}:
                if name == "title":
                    label = flat_text(child(section, "label"))
                    self._builder.add(BlockKind.HEADING, f"{label} {flat_text(element)}".strip(), min(level, 6))
            elif name in {"p", "speech", "verse-group"}:
                self._paragraph(element, depth)
            elif name == "ref-list":
                self._references(element, level + 1)
            elif name == "fn":
                self._builder.add(BlockKind.PARAGRAPH, flat_text(element))
            elif name in _APART:
                self._apart(element, name, depth)
            elif name not in {"object-id", "sec-meta"} and depth < _MAX_DEPTH:
                deeper = level + 1 if name in {"sec", "ack", "app", "notes", "fn-group", "glossary"} else level
                self._section(element, deeper, depth + 1)

    def _paragraph(self, paragraph: _Element, depth: int) -> None:
        """Appends a paragraph; tables, figures and lists in it stand apart after it."""
        self._builder.add(BlockKind.PARAGRAPH, " ".join("".join(_prose(paragraph)).split()))
        inner = [one for one in paragraph.iter() if local(one) in _APART]
        for one in inner:
            if not any(local(above) in _APART for above in one.iterancestors()):
                self._apart(one, local(one), depth)

    def _apart(self, element: _Element, name: str, depth: int) -> None:
        if depth > _MAX_DEPTH:
            return
        if name == "table-wrap":
            self._caption(element)
            for table in element.iter():
                if local(table) == "table":
                    add_table(self._builder, spread(_rows(table)), records=False)
            for note in children(element, "table-wrap-foot"):
                self._builder.add(BlockKind.CAPTION, flat_text(note))
        elif name in {"fig", "supplementary-material"}:
            self._caption(element)
        elif name == "list":
            ordered = (attribute(element, "list-type") or "") in {"order", "arabic"}
            for number, item in enumerate(children(element, "list-item"), 1):
                self._builder.add(BlockKind.LIST_ITEM, f"{f'{number}.' if ordered else '-'} {flat_text(item)}", 0)
        elif name == "disp-quote":
            self._builder.add(BlockKind.QUOTE, flat_text(element))
        elif name in {"code", "preformat"}:
            self._builder.add(BlockKind.CODE, "".join(str(piece) for piece in element.itertext()))
        elif name in {"disp-formula", "def-list"}:
            self._builder.add(BlockKind.PARAGRAPH, flat_text(element))
        else:
            self._section(element, 6, depth + 1)

    def _caption(self, element: _Element) -> None:
        label, caption = flat_text(child(element, "label")), flat_text(child(element, "caption"))
        self._builder.add(BlockKind.CAPTION, f"{label} {caption}".strip())

    def _references(self, element: _Element, level: int) -> None:
        self._builder.add(BlockKind.HEADING, flat_text(child(element, "title")) or "References", min(level, 6))
        for reference in children(element, "ref"):
            label = flat_text(child(reference, "label"))
            cited = [one for one in reference if local(one) not in {"label", ""}]
            text = " ".join(filter(None, (_citation(one) for one in cited)))
            self._builder.add(BlockKind.LIST_ITEM, f"{label or '-'} {text}" if text else "", 0)


def _prose(element: _Element) -> Iterator[str]:
    """Yields the text of a paragraph without what stands apart from it."""
    yield element.text or ""
    for one in element:
        if local(one) and local(one) not in _APART:
            yield from _prose(one)
        yield one.tail or ""


def _citation(element: _Element) -> str:
    """Returns a reference; parts that stand without punctuation between them are set apart."""
    parts = [str(piece) for piece in element.itertext()]
    text = re.sub(r" (?=[,.;:)])", "", " ".join(" ".join(parts).split()))
    return re.sub(r"(?<=\d) ?([-–]) ?(?=\d)", r"\1", text)


def _unlabelled(place: _Element) -> str:
    mark = child(place, "label")
    text = flat_text(place)
    label = flat_text(mark)
    return text.removeprefix(label).strip() if label else text


def _rows(table: _Element) -> list[list[tuple[str, int, int]]]:
    return [
        [
            (flat_text(cell), _span(cell, "colspan"), _span(cell, "rowspan"))
            for cell in row
            if local(cell) in {"td", "th"}
        ]
        for row in table.iter()
        if local(row) == "tr"
    ]


def _span(cell: _Element, name: str) -> int:
    value = cell.get(name) or "1"
    return min(int(value), 200) if value.isdigit() and len(value) < 6 else 1
