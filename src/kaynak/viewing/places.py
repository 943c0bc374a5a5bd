from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from kaynak.catalog import BlobStore, Catalog, CitedVersion, Unit
from kaynak.domain import (
    Action,
    CitedPage,
    CitedPlace,
    InvalidRequest,
    NotFound,
    Page,
    PagePicture,
    Scope,
    Span,
    UnreadableDocument,
    UnreadableReason,
    Unsupported,
)
from kaynak.parsing import PageWanted, Source

MARKED_MOST = 20_000
"""Characters of one place."""
CONTEXT = 400
"""Characters shown around a place unless told otherwise."""
_PAGES_MOST = 20
"""Pages of one place that are looked at."""
_AROUND = 50_000
"""Characters of a document shown before and after the place in its text."""
_PDF = "application/pdf"
_log = structlog.get_logger(__name__)


class Pictures(Protocol):
    """Looks at pages in guarded processes; see `kaynak.parsing.ParserPool.look`."""

    async def look(self, source: Source, wanted: PageWanted) -> PagePicture:
        """Returns where a span is on a page, and the page as a picture if one is wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A version's text around a place.

    Attributes:
        version: The version.
        window: What part of the text is shown.
        text: Its characters.
        marked: The place, inside the window; None if none was asked for.
        pages: The pages the place is on.
    """

    version: CitedVersion
    window: Span
    text: str
    marked: Span | None
    pages: tuple[Page, ...]


class Places:
    """Places in documents, in the version they were cited from, whatever has become of the document since.

    Args:
        catalog: Has the text of every version.
        blobs: Has every original.
        pictures: Draws pages.
    """

    def __init__(self, catalog: Catalog, blobs: BlobStore, pictures: Pictures) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._pictures = pictures

    async def version(self, scope: Scope, document_id: UUID, number: int | None = None) -> CitedVersion:
        """Returns a version of a document, by default the current one.

        Raises:
            DocumentNotFound: There is no such document or version, not for this caller, or it is not readable.
        """
        async with self._catalog.read() as unit:
            return await unit.cited.version_of(scope, document_id, number)

    async def resolve(
        self,
        scope: Scope,
        version_id: UUID,
        span: Span,
        *,
        before: int = CONTEXT,
        after: int = CONTEXT,
        boxes: bool = True,
    ) -> CitedPlace:
        """Returns what a citation points at.

        Args:
            scope: Who asks.
            version_id: The version that was cited.
            span: Where, in its text.
            before: Characters to show before it.
            after: Characters to show after it.
            boxes: Whether to look on the pages for where it is drawn, which takes some milliseconds for each.

        Raises:
            DocumentNotFound: There is no such version, or not for this caller.
            InvalidRequest: The span is empty, too long, or beyond the end of the text.
            Unavailable: No process that looks at pages can be started.
        """
        async with self._catalog.read() as unit:
            version = await unit.cited.version(scope, version_id)
            _check(span, version)
            left, right = Span(max(0, span.start - before), span.start), Span(span.end, span.end + after)
            quote, said_before, said_after = await unit.cited.excerpts(scope, version.id, [span, left, right])
            headings = await unit.cited.headings(scope, version.id, span.start)
            pages = await unit.cited.pages(scope, version.id, span, limit=_PAGES_MOST)
            texts = await _texts(unit, scope, version, pages if boxes else ())
        await self._read(scope, version, Action.DOCUMENT_READ, span, part="place")
        cited, note = await self._cited(version, span, pages, texts)
        return CitedPlace(
            document_id=version.document_id,
            external_id=version.external_id,
            collection=version.collection,
            title=version.title,
            media_type=version.media_type,
            language=version.language,
            version_id=version.id,
            version=version.number,
            current_version_id=version.current_id,
            current_version=version.current,
            span=span,
            quote=quote,
            before=said_before,
            after=said_after,
            headings=headings,
            pages=cited,
            note=note,
        )

    async def picture(
        self, scope: Scope, version: CitedVersion, number: int, span: Span | None, pixels: int
    ) -> PagePicture:
        """Returns a page as a picture, with the part of a span marked that is on it.

        Args:
            scope: Who asks.
            version: As `version` returned it.
            number: Of the page, from 1.
            span: What to mark; None for nothing.
            pixels: Width of the picture.

        Raises:
            NotFound: There is no such page.
            InvalidRequest: The span is empty, too long, or beyond the end of the text.
            Unsupported: The format has no pages that can be drawn.
            UnreadableDocument: The file is protected by a password, which is not kept, or the page is damaged.
            Unavailable: No process that draws can be started.
        """
        if span is not None:
            _check(span, version)
        async with self._catalog.read() as unit:
            page = await unit.cited.page(scope, version.id, number)
            if page is None:
                raise NotFound(
                    f"Version {version.number} of the document has no page {number}.",
                    hint="GET /v1/documents/{id}/text lists its pages.",
                )
            if version.media_type != _PDF:
                raise Unsupported(
                    f"Pages of {version.media_type or 'this format'} cannot be drawn; of PDF they can.",
                    hint="GET /v1/documents/{id}/view shows the text with the place marked.",
                )
            (text,) = await unit.cited.excerpts(scope, version.id, [Span(page.start, page.end)])
        marked = span if span is not None else Span(page.start, page.start)
        picture = await self._look(version, _wanted(page, text, marked, pixels))
        await self._read(scope, version, Action.PAGE_SEEN, span, page=number)
        return picture

    async def show(self, scope: Scope, document_id: UUID, number: int | None, span: Span | None) -> Shown:
        """Returns the text of a version around a place, or from its beginning.

        Raises:
            DocumentNotFound: There is no such document or version, not for this caller, or it is not readable.
            InvalidRequest: The span is empty, too long, or beyond the end of the text.
        """
        async with self._catalog.read() as unit:
            version = await unit.cited.version_of(scope, document_id, number)
            pages: tuple[Page, ...] = ()
            begin, end = 0, 0
            if span is not None:
                _check(span, version)
                begin, end = span.start, span.end
                pages = await unit.cited.pages(scope, version.id, span, limit=_PAGES_MOST)
            window = Span(max(0, begin - _AROUND), min(version.length, end + _AROUND))
            (text,) = await unit.cited.excerpts(scope, version.id, [window])
        await self._read(scope, version, Action.DOCUMENT_READ, span, part="view")
        return Shown(version, window, text, span, pages)

    async def _read(
        self, scope: Scope, version: CitedVersion, action: Action, span: Span | None, **details: object
    ) -> None:
        where = {} if span is None else {"start": span.start, "end": span.end}
        on = f"document:{version.document_id}"
        await self._catalog.audit.record(scope, action, on, version=version.number, **where, **details)

    async def _cited(
        self, version: CitedVersion, span: Span, pages: Sequence[Page], texts: Sequence[str]
    ) -> tuple[tuple[CitedPage, ...], str | None]:
        """Returns the pages with the boxes of the span, and why there are none if a file cannot be looked at."""
        drawn: list[PagePicture | None] = [None] * len(pages)
        note = None
        if version.media_type == _PDF:
            try:
                for at, (page, text) in enumerate(zip(pages, texts, strict=False)):
                    drawn[at] = await self._look(version, _wanted(page, text, span, 0))
            except (UnreadableDocument, NotFound) as error:
                note = error.message
        can = version.media_type == _PDF and note is None
        return tuple(_page(page, picture, can) for page, picture in zip(pages, drawn, strict=True)), note

    async def _look(self, version: CitedVersion, wanted: PageWanted) -> PagePicture:
        try:
            path = await self._blobs.open_path(version.content_hash)
            return await self._pictures.look(Source(path, version.filename, version.media_type), wanted)
        except UnreadableDocument as error:
            _log.info("page_not_drawn", version=str(version.id), page=wanted.number, reason=error.reason)
            if error.reason is UnreadableReason.ENCRYPTED:
                raise UnreadableDocument(
                    error.reason,
                    "The file is protected by a password, which is not kept, so its pages cannot be drawn.",
                    hint="GET /v1/documents/{id}/view shows the text with the place marked.",
                ) from error
            raise


async def _texts(unit: Unit, scope: Scope, version: CitedVersion, pages: Sequence[Page]) -> list[str]:
    if not pages or version.media_type != _PDF:
        return []
    return await unit.cited.excerpts(scope, version.id, [Span(page.start, page.end) for page in pages])


def _wanted(page: Page, text: str, span: Span, pixels: int) -> PageWanted:
    start = min(max(span.start, page.start), page.end) - page.start
    end = min(max(span.end, page.start), page.end) - page.start
    return PageWanted(page.number, text, start, end, pixels)


def _page(page: Page, picture: PagePicture | None, can: bool) -> CitedPage:
    if picture is None:
        return CitedPage(page.number, page.label, page.width, page.height, (), can)
    return CitedPage(page.number, page.label, picture.width, picture.height, picture.boxes, can)


def _check(span: Span, version: CitedVersion) -> None:
    if not 0 < len(span) <= MARKED_MOST:
        raise InvalidRequest(
            f"A place has 1 to {MARKED_MOST:,} characters; this one has {len(span):,}.",
            hint="“end” is one past the last character.",
        )
    if span.end > version.length:
        raise InvalidRequest(
            f"The place ends at character {span.end:,}, but the text of version {version.number} has "
            f"{version.length:,} characters.",
            hint="Offsets count Unicode code points of the text of the version that was cited.",
        )
