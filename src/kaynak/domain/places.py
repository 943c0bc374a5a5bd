"""Places in documents that can be shown: boxes on pages, and what a citation resolves to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from kaynak.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page as it is displayed: points from its upper left corner, y downwards."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page, where a span is on it, and what it looks like.

    Attributes:
        width: Of the page as displayed, in points.
        height: Of the page as displayed, in points.
        boxes: Of the span, a few for each line, in reading order; empty where the page draws none of it.
        png: The page with the boxes marked; None if only they were asked for.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    png: bytes | None = None


@dataclass(frozen=True, slots=True)
class CitedPage:
    """The part of a span that is on one page.

    Attributes:
        number: From 1.
        label: What the document calls it, where it has a name of its own.
        width: As displayed, in points; None where there is no layout, or no picture can be drawn.
        height: As displayed, in points; None as ``width``.
        boxes: Where the span is on it, a few for each line.
        picture: Whether a picture of the page can be drawn.
    """

    number: int
    label: str | None
    width: float | None
    height: float | None
    boxes: tuple[Box, ...]
    picture: bool


@dataclass(frozen=True, slots=True)
class CitedPlace:
    """What a citation points at, in the version it was made from.

    Attributes:
        document_id: The document.
        external_id: The caller's name for it.
        collection: Name of its collection.
        title: Of the document.
        media_type: Of the version.
        language: ISO 639-1 code of the version.
        version_id: The version that is cited.
        version: Its number.
        current_version_id: The version that is read today; None if the document has none.
        current_version: Its number.
        span: Where it is in the text of the version.
        quote: ``text[span.start:span.end]``, to the letter.
        before: What the version says right before it.
        after: What it says right after it.
        headings: The headings above it, outermost first.
        pages: The pages it is on; empty where the format has none.
        note: Why no picture of its pages can be drawn; None if one can, or the format has no pages.
    """

    document_id: UUID
    external_id: str
    collection: str
    title: str
    media_type: str | None
    language: str | None
    version_id: UUID
    version: int
    current_version_id: UUID | None
    current_version: int | None
    span: Span
    quote: str
    before: str
    after: str
    headings: tuple[str, ...]
    pages: tuple[CitedPage, ...]
    note: str | None = None

    @property
    def newer(self) -> bool:
        """Whether the document has changed since."""
        return self.current_version is not None and self.current_version > self.version
