from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kaynak.domain import Json, ParsedDocument, UnreadableDocument, UnreadableReason
from kaynak.parsing import media
from kaynak.parsing.builder import TextBuilder, one_line
from kaynak.parsing.encodings import decode
from kaynak.parsing.html_walker import HtmlWalker
from kaynak.parsing.protocol import ParseLimits, Source

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding\s*=\s*["']([\w.:-]+)""", re.I
)
# XHTML may close any element at once; to an HTML parser it would stay open.
_SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)(\w+)((?:\s[^<>]*?)?)/>"
)
_AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author")
_DATES = ("article:published_time", "date", "dc.date", "dcterms.created", "citation_date", "pubdate")


class HtmlParser:
    """Web pages: their content without navigation; scripts are not run and nothing is fetched."""

    def parse(self, source: Source, limits: ParseLimits) -> ParsedDocument:
        """See `Parser.parse`."""
        data = source.path.read_bytes()
        declared = _CHARSET.search(data[:4096])
        name = next((group for group in declared.groups() if group), b"").decode() if declared else None
        decoded = decode(data, name)
        builder = TextBuilder(limits.text_chars, limits.pages)
        root = parse_html(decoded.text)
        if root is None:
            raise UnreadableDocument(UnreadableReason.NO_TEXT, "The page has no text.")
        warnings = [decoded.warning] if decoded.warning else []
        HtmlWalker(builder).page(root)
        metas = _metas(root)
        return builder.build(
            media.HTML,
            title=title_of(root),
            language=root.get("lang") or metas.get("content-language") or metas.get("og:locale"),
            metadata=_metadata(metas),
            warnings=warnings,
        )


def parse_html(text: str) -> HtmlElement | None:
    """Returns the root of a page or fragment, however bad its markup; None if there is nothing.

    Raises:
        UnreadableDocument: It is nested more than 2,000 deep.
    """
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, remove_comments=True, remove_pis=True)
    # libxml2 loses the "<" that follows a numeric character without its semicolon.
    text = re.sub(r"(&#(?:\d{2,7}|x[0-9a-fA-F]{2,6}))(?=<)", r"\1;", text)
    if "http://www.w3.org/1999/xhtml" in text[:2000]:
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", text)
    try:
        # A NUL would end the document for libxml2.
        root = html.document_fromstring(text.replace("\x00", "").encode("utf-8", "ignore"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        root = None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        # libxml2 gave up in the middle: what follows would be missing without a word.
        raise UnreadableDocument(UnreadableReason.TOO_COMPLEX, "The page is nested too deeply to be read.")
    return root


def add_html_fragment(builder: TextBuilder, markup: str) -> None:
    """Appends all content of an HTML fragment; navigation is not looked for."""
    root = parse_html(markup)
    if root is not None:
        HtmlWalker(builder).fragment(root)


def title_of(root: HtmlElement) -> str | None:
    """Returns what the page calls itself: its title, or its first heading."""
    for path in ("//head//title", "//title", "//h1"):
        for element in root.xpath(path):
            title = one_line("".join(element.itertext()))
            if title:
                return title
    return None


def _metas(root: HtmlElement) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in root.iter("meta"):
        key = (meta.get("name") or meta.get("property") or meta.get("http-equiv") or "").strip().lower()
        if key and meta.get("content"):
            found.setdefault(key, meta.get("content", "").strip())
    return found


def _metadata(metas: dict[str, str]) -> dict[str, Json]:
    metadata: dict[str, Json] = {}
    for key, names in (
        ("author", _AUTHORS),
        ("created", _DATES),
        ("description", ("description", "og:description", "dc.description")),
        ("keywords", ("keywords",)),
    ):
        value = next((metas[name] for name in names if name in metas), None)
        if value:
            metadata[key] = value
    return metadata
