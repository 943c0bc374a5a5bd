from __future__ import annotations

import html
import html.entities
import re
from typing import TYPE_CHECKING

from kaynak.domain import BlockKind, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.encodings import decode
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.safexml import attribute, child, flat_text, local, parse_xml
from kaynak.parsing.tables import add_record, record

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADINGS = frozenset({"title", "head", "heading", "subtitle", "caption"})
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_MARKUP = re.compile(r"<(?:p|div|br|a|b|i|img|ul|li|span|strong|em|h\d)\b[^>]*>", re.I)
_MAX_DEPTH = 200


class XmlParser:
    """XML: articles in JATS by their structure; anything else by its elements."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        data = source.path.read_bytes()
        decoded = decode(data, _declared(data[:200]))
        root = parse_xml(_plain(decoded.text))
        if root is None:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The XML is damaged beyond reading.")
        builder = TextBuilder(limits.text_chars, limits.pages)
        warnings = [decoded.warning] if decoded.warning else []
        if local(root) == "article" and (child(root, "front") is not None or child(root, "body") is not None):
            from kaynak.parsing.jats import JatsReader

            article = JatsReader(builder)
            article.read(root)
            return builder.build(media.XML, article.title, attribute(root, "lang"), article.metadata, warnings)
        add_element(builder, root, 1)
        title = next((flat_text(one) for one in root.iter() if local(one) == "title"), None)
        return builder.build(media.XML, title=title, language=attribute(root, "lang"), warnings=warnings)


def _declared(head: bytes) -> str | None:
    match = re.search(rb"""encoding\s*=\s*["']([\w.:-]+)""", head)
    return match.group(1).decode() if match else None


def _plain(text: str) -> bytes:
    """Returns XML in UTF-8 without a declaration, its named characters resolved and other entities left alone."""

    def character(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in _PREDEFINED:
            return match.group(0)
        return html.unescape(f"&{name};") if f"{name};" in html.entities.html5 else match.group(0)

    text = _ENTITY.sub(character, _DECLARATION.sub("", text.lstrip("\ufeff"), count=1))
    return text.replace("\x00", "").encode("utf-8", "ignore")


def add_element(builder: TextBuilder, element: _Element, level: int, depth: int = 0) -> None:
    """Appends an element: leaves as labelled records, titles as headings, mixed content as paragraphs."""
    if depth > _MAX_DEPTH:
        builder.add(BlockKind.PARAGRAPH, flat_text(element))
        return
    waiting = [(local_name(key), str(value)) for key, value in element.attrib.items() if _told(str(key))]
    if _mixed(element):
        add_record(builder, record(waiting))
        builder.add(BlockKind.PARAGRAPH, flat_text(element))
        return
    for one in element:
        name = local(one)
        if not name:
            continue
        if name.lower() in _HEADINGS and not len(one) and depth and _prose_follows(one):
            add_record(builder, record(waiting))
            waiting.clear()
            builder.add(BlockKind.HEADING, flat_text(one), min(level, 6))
        elif not len(one) and not any(_told(str(key)) for key in one.attrib):
            waiting.append((name, _value(one)))
        else:
            add_record(builder, record(waiting))
            waiting.clear()
            add_element(builder, one, level + 1, depth + 1)
    if not len(element):
        waiting.append((local(element), _value(element)))
    pairs = waiting if len(waiting) > 1 or not _long(waiting) else [("", waiting[0][1])]
    add_record(builder, record(pairs))


def local_name(key: object) -> str:
    """Returns an attribute name without its namespace."""
    return str(key).rpartition("}")[2]


def _told(key: str) -> bool:
    return local_name(key).lower() not in {"id", "lang", "space", "schemalocation", "class", "style", "href", "type",
                                           "nonamespaceschemalocation", "version", "base", "idref"}  # fmt: skip


def _long(waiting: list[tuple[str, str]]) -> bool:
    return bool(waiting) and len(waiting[0][1]) > 80


def _mixed(element: _Element) -> bool:
    """Whether text stands beside child elements, as in prose."""
    if not len(element):
        return False
    beside = (element.text or "").strip() or any((one.tail or "").strip() for one in element)
    return bool(beside)


def _prose_follows(title: _Element) -> bool:
    """Whether a title heads paragraphs or sections rather than naming a record."""
    following = title.getnext()
    return following is not None and (bool(len(following)) or len(flat_text(following)) > 200)


def _value(element: _Element) -> str:
    text = (element.text or "").strip()
    if len(_MARKUP.findall(text)) > 1:  # feeds carry escaped HTML
        from kaynak.parsing.html import parse_html
        from kaynak.parsing.html_walker import HtmlWalker

        inner = TextBuilder()
        root = parse_html(text)
        if root is not None:
            HtmlWalker(inner).fragment(root)
        return inner.text_since(0)
    return "\n".join(" ".join(line.split()) for line in text.split("\n") if line.strip())
