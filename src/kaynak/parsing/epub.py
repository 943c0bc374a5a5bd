from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kaynak.domain import Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder
from kaynak.parsing.encodings import decode
from kaynak.parsing.html import parse_html
from kaynak.parsing.html_walker import HtmlWalker
from kaynak.parsing.package import Package
from kaynak.parsing.protocol import ParseLimits, Source
from kaynak.parsing.safexml import attribute, child, children, flat_text, local

if TYPE_CHECKING:
    from lxml.etree import _Element

_FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class EpubParser:
    """E-books: the chapters in reading order, a page for each, named as in the table of contents."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        package = Package(source.path)
        _refuse_protected(package)
        part = _package_document(package)
        root = package.xml(part)
        if root is None:
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The e-book has no list of contents.")
        folder = posixpath.dirname(part)
        items = {
            item.get("id") or "": (_path(folder, item.get("href") or ""), item)
            for item in children(child(root, "manifest"), "item")
        }
        labels = _labels(package, items)
        builder = TextBuilder(limits.text_chars, limits.pages)
        missing = 0
        for entry in children(child(root, "spine"), "itemref"):
            path, item = items.get(entry.get("idref") or "", ("", None))
            if item is None or "nav" in (item.get("properties") or "").split():
                continue
            data = package.read(path)
            if data is None:
                missing += 1
                continue
            _add_chapter(builder, data, labels.get(path))
        return _built(builder, child(root, "metadata"), missing)


def _built(builder: TextBuilder, declared: _Element | None, missing: int) -> ParsedDocument:
    def first(name: str) -> str | None:
        return next((flat_text(one) for one in children(declared, name) if flat_text(one)), None)

    metadata: dict[str, Json] = {
        "author": ", ".join(filter(None, map(flat_text, children(declared, "creator")))),
        "publisher": first("publisher"),
        "created": first("date"),
        "description": first("description"),
    }
    warnings = [f"{missing} chapters are missing in the file."] if missing else []
    return builder.build(media.EPUB, first("title"), first("language"), metadata, warnings)


def _add_chapter(builder: TextBuilder, data: bytes, label: str | None) -> None:
    root = parse_html(decode(data).text)
    if root is None:
        return
    if label is None:
        heading = next(root.iter("h1", "h2", "h3"), None)
        label = flat_text(heading) if heading is not None else None
    if not flat_text(root):
        return  # a cover picture
    builder.page(label=label)
    HtmlWalker(builder).fragment(root)


def _package_document(package: Package) -> str:
    root = package.xml("META-INF/container.xml")
    for element in root.iter() if root is not None else ():
        if local(element) == "rootfile" and element.get("full-path"):
            return str(element.get("full-path"))
    return next((name for name in package.names if name.lower().endswith(".opf")), "content.opf")


def _labels(package: Package, items: dict[str, tuple[str, _Element]]) -> dict[str, str]:
    """Returns chapter names by path, out of the navigation of EPUB 3 or 2."""
    labels: dict[str, str] = {}
    for path, item in items.values():
        folder = posixpath.dirname(path)
        if "nav" in (item.get("properties") or "").split():
            root = parse_html(decode(package.read(path) or b"").text)
            for link in root.iter("a") if root is not None else ():
                labels.setdefault(_path(folder, link.get("href") or ""), flat_text(link))
        elif item.get("media-type") == "application/x-dtbncx+xml":
            ncx = package.xml(path)
            for point in ncx.iter() if ncx is not None else ():
                if local(point) == "navPoint":
                    target = child(point, "content")
                    src = attribute(target, "src") if target is not None else None
                    labels.setdefault(_path(folder, src or ""), flat_text(child(point, "navLabel")))
    return {path: label for path, label in labels.items() if label}


def _path(folder: str, href: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _refuse_protected(package: Package) -> None:
    listing = (package.read("META-INF/encryption.xml") or b"").decode("utf-8", "replace")
    algorithms = re.findall(r'EncryptionMethod[^>]*Algorithm="([^"]+)"', listing)
    if any(algorithm not in _FONT_OBFUSCATION for algorithm in algorithms):
        raise UnreadableDocument(
            UnreadableReason.ENCRYPTED,
            "The e-book is protected by its seller.",
            hint="Only e-books without copy protection can be read.",
        )
