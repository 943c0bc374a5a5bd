"""A document's text as a page for people: escaped, without scripts, with the cited place marked."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from kaynak.api.links import picture_path, view_path
from kaynak.domain import CitedPlace
from kaynak.viewing import Shown

_STYLE: Final = """
:root { color-scheme: light dark; }
body { max-width: 46rem; margin: 0 auto; padding: 1.5rem; font: 1rem/1.6 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
header p { margin: .15rem 0; opacity: .75; font-size: .9rem; overflow-wrap: anywhere; }
.note { border-left: .25rem solid #c80; padding: .4rem .8rem; margin: 1rem 0; }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; opacity: .75; }
img { max-width: 100%; height: auto; border: 1px solid #8886; background: #fff; }
article { white-space: pre-wrap; overflow-wrap: anywhere; border-top: 1px solid #8886; padding-top: 1rem; }
mark { background: #ffe240; color: #000; scroll-margin: 30vh; }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    # The text is other people's: whatever it holds, the browser runs nothing and fetches only our pictures.
    "Content-Security-Policy": f"default-src 'none'; img-src 'self'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_of(shown: Shown, place: CitedPlace | None) -> str:
    """Returns the page.

    Args:
        shown: The text.
        place: What is marked in it; None for nothing.
    """
    version = shown.version
    about = [f"{version.collection} · {version.external_id} · version {version.number}"]
    notes = [_newer(shown)] if version.current is not None and version.current > version.number else []
    figures: list[str] = []
    if place is not None:
        about += [" › ".join(place.headings)] if place.headings else []
        notes += [escape(place.note)] if place.note is not None else []
        figures = [_figure(place, page.number) for page in place.pages if page.picture]
    parts = [
        f"<header><h1>{escape(version.title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in about),
        "</header>",
        *(f'<p class="note">{note}</p>' for note in notes),
        *figures,
        f'<article dir="auto">{_text(shown)}</article>',
    ]
    language = f' lang="{escape(version.language)}"' if version.language else ""
    return (
        f'<!doctype html>\n<html{language}><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(version.title)}</title><style>{_STYLE}</style></head>\n<body>{''.join(parts)}</body></html>\n"
    )


def _newer(shown: Shown) -> str:
    version = shown.version
    path = escape(view_path(version.document_id, version.current or 1))
    return (
        f"This is version {version.number}, as it was cited. The document has changed since: "
        f'<a href="{path}">version {version.current}</a> is the current one.'
    )


def _figure(place: CitedPlace, number: int) -> str:
    path = escape(picture_path(place.document_id, place.version, number, place.span))
    return (
        f'<figure><a href="{path}"><img src="{path}" alt="Page {number}, with the cited place marked"></a>'
        f"<figcaption>Page {number}</figcaption></figure>"
    )


def _text(shown: Shown) -> str:
    begin, end = "", ""
    if shown.window.start > 0:
        begin = f"[{shown.window.start:,} characters before this are not shown.]\n\n"
    if shown.window.end < shown.version.length:
        end = f"\n\n[{shown.version.length - shown.window.end:,} characters after this are not shown.]"
    if shown.marked is None:
        return begin + escape(shown.text) + end
    place = shown.marked.shift(-shown.window.start)
    before, quote, after = shown.text[: place.start], place.of(shown.text), shown.text[place.end :]
    return f'{begin}{escape(before)}<mark id="cited">{escape(quote)}</mark>{escape(after)}{end}'
