from __future__ import annotations

from uuid import UUID

from pydantic import Field

from kaynak.api.schemas.base import SpanView, View


class BoxView(View):
    """A rectangle on a page as displayed: points from its upper left corner, y downwards."""

    left: float = Field(description="Left edge.")
    top: float = Field(description="Upper edge.")
    right: float = Field(description="Right edge.")
    bottom: float = Field(description="Lower edge.")


class CitedPageView(View):
    """The part of a place that is on one page."""

    number: int = Field(description="From 1.")
    label: str | None = Field(description="What the document calls it, if not its number.")
    width: float | None = Field(description="As displayed, in points; null where there is no layout.")
    height: float | None = Field(description="As displayed, in points; null where there is no layout.")
    boxes: list[BoxView] = Field(description="Where the place is drawn, in reading order.")
    picture: str | None = Field(description="Address of the picture of the page with the place marked.")


class PlaceView(View):
    """What a citation points at, in the version it was made from."""

    document_id: UUID = Field(description="The document.")
    external_id: str = Field(description="Your name for it.")
    collection: str = Field(description="Name of its collection.")
    title: str = Field(description="Of the document.")
    media_type: str | None = Field(description="Of the version.")
    language: str | None = Field(description="Of the version.")
    version_id: UUID = Field(description="The version that is cited.")
    version: int = Field(description="Its number.")
    current_version_id: UUID | None = Field(description="The version that is read today.")
    current_version: int | None = Field(description="Its number.")
    newer: bool = Field(description="Whether the document has changed since it was cited.")
    span: SpanView = Field(description="Where it is in the text of the version.")
    quote: str = Field(description="What the version says there, to the letter.")
    before: str = Field(description="What it says right before.")
    after: str = Field(description="What it says right after.")
    headings: list[str] = Field(description="The headings above it, outermost first.")
    pages: list[CitedPageView] = Field(description="The pages it is on; empty where the format has none.")
    note: str | None = Field(description="Why no picture can be drawn of pages that the format has.")
    view: str = Field(description="Address of the text with the place marked, for people.")
