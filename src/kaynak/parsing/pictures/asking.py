"""What is asked of a page, how the question and its answer pass to and from the guarded process, and the answering."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final

import orjson

from kaynak.domain import Box, PagePicture, UnreadableDocument, UnreadableReason
from kaynak.parsing.protocol import Source

_BOXES_MOST: Final = 20_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class PageWanted:
    """A page to look at.

    Attributes:
        number: From 1.
        text: The canonical text of the page.
        start: First character of a span within ``text``.
        end: One past its last; equal to ``start`` if nothing is to be marked.
        pixels: Width of the picture; 0 if only the boxes of the span are wanted.
    """

    number: int
    text: str
    start: int
    end: int
    pixels: int = 0


def wanted_of(request: bytes) -> PageWanted | None:
    """Returns the page that a request to a guarded process is about; None if it is to parse a file."""
    page = orjson.loads(request).get("page")
    return None if page is None else PageWanted(**page)


def picture_request(request: Mapping[str, Any], wanted: PageWanted) -> dict[str, Any]:
    """Returns the request to parse a file as one to look at a page of it."""
    return {**request, "page": asdict(wanted)}


def picture_reply(picture: PagePicture) -> dict[str, Any]:
    """Returns a picture as the guarded process replies with it."""
    png = None if picture.png is None else base64.b64encode(picture.png).decode()
    boxes = [[box.left, box.top, box.right, box.bottom] for box in picture.boxes]
    return {"width": picture.width, "height": picture.height, "boxes": boxes, "png": png}


def picture_of(reply: Mapping[str, Any]) -> PagePicture:
    """Returns the picture that a reply has.

    Raises:
        ValueError: It is none; the process is not to be believed.
        KeyError: As `ValueError`.
        TypeError: As `ValueError`.
    """
    boxes = tuple(Box(*map(float, box)) for box in reply["boxes"][: _BOXES_MOST + 1])
    width, height = float(reply["width"]), float(reply["height"])
    numbers = [width, height, *(number for box in boxes for number in (box.left, box.top, box.right, box.bottom))]
    png = None if reply["png"] is None else base64.b64decode(reply["png"], validate=True)
    if len(boxes) > _BOXES_MOST or not all(map(isfinite, numbers)) or (png is not None and not png.startswith(_PNG)):
        raise ValueError("not a picture of a page")
    return PagePicture(width, height, boxes, png)


def look_at(source: Source, wanted: PageWanted) -> PagePicture:
    """Returns where a span is on a page, and the page as a picture if one is wanted.

    Raises:
        UnreadableDocument: The file cannot be opened, the page is missing or cannot be drawn.
    """
    from kaynak.parsing.pictures.pages import picture

    try:
        return picture(source, wanted)
    except (UnreadableDocument, MemoryError):
        raise
    except Exception as exc:
        raise UnreadableDocument(UnreadableReason.CORRUPT, "The page is damaged and cannot be drawn.") from exc
