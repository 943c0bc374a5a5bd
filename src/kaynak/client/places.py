from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from kaynak.client.both import Both
from kaynak.client.calls import Call, given
from kaynak.client.decoding import decode
from kaynak.domain import CitedPlace, Span


class Place(Protocol):
    """A stretch of one version of a document: a `Citation`, a `Hit`, a `CitedPlace`."""

    @property
    def version_id(self) -> UUID:
        """The version."""
        ...

    @property
    def span(self) -> Span:
        """Where it is in the text of the version."""
        ...


def _resolved(place: Place) -> Call[CitedPlace]:
    """Returns what a citation points at: quote, pages with boxes, what is around, and whether there is a newer one.

    Citations of old versions keep resolving to the version they were made from.

    Args:
        place: A citation or a hit; whatever has a version and a span.

    Raises:
        DocumentNotFound: The document was deleted, or may not be read.
        InvalidRequest: The version has no such span.
    """
    params = {"start": place.span.start, "end": place.span.end}
    return Call("GET", f"/v1/citations/{place.version_id}", _place, params=params)


def _picture(
    document: UUID, number: int, *, version: int | None = None, span: Span | None = None, width: int | None = None
) -> Call[bytes]:
    """Returns the picture of a page, as PNG.

    Args:
        document: Which.
        number: Of the page, from 1.
        version: Number of the version; default: the one that is read today.
        span: What to mark; the part of it that is on the page is.
        width: Of the picture, in pixels.

    Raises:
        NotFound: There is no such document, version or page.
        Unsupported: No picture can be drawn of this format.
    """
    marked = {} if span is None else {"start": span.start, "end": span.end}
    params = given(version=version, width=width, **marked)
    return Call("GET", f"/v1/documents/{document}/pages/{number}.png", bytes, params=params, binary=True)


class PlaceCalls:
    """What both clients can do with the places that answers and searches point at."""

    resolve = Both(_resolved)
    page_picture = Both(_picture)


def _place(value: Any) -> CitedPlace:
    # Over HTTP a page has the address of its picture; here it says whether there is one.
    pages = [{**page, "picture": page["picture"] is not None} for page in value["pages"]]
    return decode(CitedPlace, {**value, "pages": pages})
