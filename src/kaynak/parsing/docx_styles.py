from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaynak.domain import BlockKind
from kaynak.parsing.safexml import attribute, child, children, local

if TYPE_CHECKING:
    from lxml.etree import _Element

# What localized Word versions and LibreOffice call the styles that English Word calls "heading 1".
_HEADING = re.compile(
    r"(?:heading|head|überschrift|ueberschrift|titre|título|titulo|titolo|başlık|baslik|kop|rubrik|overskrift|otsikko"
    r"|nagłówek|nadpis|заголовок|επικεφαλίδα|標題|标题|見出し|제목|címsor|titlu|naslov|antraštė|virsraksts|заглавие)"
    r"\s*(\d)(?:\s.*|$)",
    re.I,
)
_TITLES = frozenset({"title", "titel", "konu başlığı", "titre principal", "otsikko", "название", "标题", "表題"})
_QUOTES = frozenset({"quote", "intense quote", "alıntı", "zitat", "citation", "block text"})
_CODE = re.compile(r"(?:code|preformatted|source|html preformatted|kod)", re.I)


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style says of its paragraphs.

    Attributes:
        kind: Block kind of plain text in it.
        heading: Heading level; None if it is no heading.
        is_title: Whether it is the document's title.
        list_id: Numbering it belongs to.
        list_level: Level in that numbering.
    """

    kind: BlockKind = BlockKind.PARAGRAPH
    heading: int | None = None
    is_title: bool = False
    list_id: str | None = None
    list_level: int = 0


class Styles:
    """The styles of a document, inheritance resolved."""

    def __init__(self, root: _Element | None) -> None:
        self._elements = {attribute(style, "styleId") or "": style for style in children(root, "style")}
        self._known: dict[str, Style] = {}

    def of(self, properties: _Element | None) -> Style:
        """Returns the style of a paragraph; its own outline level goes before that of the style."""
        mark = child(properties, "pStyle")
        name = (attribute(mark, "val") if mark is not None else None) or ""
        style = self._known.get(name)
        if style is None:
            style = self._known[name] = self._resolve(name)
        level = _level(child(properties, "outlineLvl"))
        if level is not None and style.heading is None:
            return Style(BlockKind.HEADING, level, style.is_title, style.list_id, style.list_level)
        return style

    def _resolve(self, name: str) -> Style:
        kind, heading, is_title = BlockKind.PARAGRAPH, None, False
        list_id: str | None = None
        list_level = 0
        current: str | None = name
        for _ in range(20):  # a chain of styles may be a circle
            element = self._elements.get(current or "")
            label = (attribute(child_or(element, "name"), "val") or current or "").lower()
            match = _HEADING.match(label)
            if heading is None and match:
                heading = max(1, min(9, int(match.group(1))))
            if heading is None and label in _TITLES:
                heading, is_title = 1, True
            if heading is None and element is not None:
                heading = _level(child(element, "pPr", "outlineLvl"))
            if kind is BlockKind.PARAGRAPH:
                kind = _kind(label)
            number = child(element, "pPr", "numPr")
            if list_id is None and number is not None:
                list_id = attribute(child_or(number, "numId"), "val") or None
                list_level = int(attribute(child_or(number, "ilvl"), "val") or 0)
            based = child(element, "basedOn")
            current = attribute(based, "val") if based is not None else None
            if not current:
                break
        return Style(kind, heading, is_title, list_id, list_level)


def child_or(element: _Element | None, name: str) -> _Element:
    """Returns a child, or an element without attributes where there is none."""
    from lxml import etree

    found = child(element, name)
    return found if found is not None else etree.Element("none")


def _kind(label: str) -> BlockKind:
    if label in _QUOTES:
        return BlockKind.QUOTE
    if label == "caption":
        return BlockKind.CAPTION
    return BlockKind.CODE if _CODE.search(label) else BlockKind.PARAGRAPH


def _level(element: _Element | None) -> int | None:
    value = attribute(element, "val") if element is not None and local(element) else None
    return int(value) + 1 if value and value.isdigit() and int(value) < 9 else None
