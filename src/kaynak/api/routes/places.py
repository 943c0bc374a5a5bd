from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.etags import REVALIDATED, etag_of, known
from kaynak.api.links import picture_path, view_path
from kaynak.api.problems import problems
from kaynak.api.routes.document import DocumentId, VersionNumber
from kaynak.api.schemas.places import PlaceView
from kaynak.api.viewing import HEADERS, page_of
from kaynak.domain import (
    CitedPlace,
    DocumentNotFound,
    InvalidRequest,
    NotFound,
    Span,
    UnreadableDocument,
    Unsupported,
)

router = APIRouter(tags=["documents"])

_RENDERING = 1
"""Changes whenever the same page would be drawn or shown differently, so that no old picture is kept."""
_MOST = 2**31 - 1

Start = Annotated[int, Query(ge=0, le=_MOST, description="First character, in the text of the version.")]
End = Annotated[int, Query(ge=1, le=_MOST, description="One past the last character.")]
MaybeStart = Annotated[int | None, Query(ge=0, le=_MOST, description="First character of what to mark.")]
MaybeEnd = Annotated[int | None, Query(ge=1, le=_MOST, description="One past its last character.")]

_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What you have is still right."}}


@router.get(
    "/v1/citations/{version_id}",
    response_model=PlaceView,
    responses={303: {"description": "For browsers: the text with the place marked."}, **problems(DocumentNotFound)},
    summary="Resolve a citation",
)
async def resolve_citation(
    version_id: Annotated[UUID, Path(description="The version that was cited.")],
    start: Start,
    end: End,
    request: Request,
    kaynak: Services,
    scope: CurrentScope,
) -> Response:
    """Says what a citation points at: quote, page, boxes on it, what is around, and whether the document changed.

    Citations of old versions keep resolving to the version they were made from. A browser (`Accept: text/html`) is
    led to the text with the place marked.
    """
    span = _span(start, end)
    if "text/html" in request.headers.get("accept", ""):
        place = await kaynak.places.resolve(scope, version_id, span, boxes=False)
        return RedirectResponse(view_path(place.document_id, place.version, place.span), 303)
    return Json(_described(await kaynak.places.resolve(scope, version_id, span)))


@router.get(
    "/v1/documents/{document_id}/pages/{number}.png",
    response_class=Response,
    responses={
        200: {
            "description": "The page, with what is cited marked.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        },
        **_NOT_MODIFIED,
        **problems(DocumentNotFound, NotFound, Unsupported, UnreadableDocument),
    },
    summary="See a page",
)
async def get_page_picture(
    document_id: DocumentId,
    number: Annotated[int, Path(ge=1, le=_MOST, description="Number of the page, from 1.")],
    request: Request,
    kaynak: Services,
    scope: CurrentScope,
    version: VersionNumber = None,
    start: MaybeStart = None,
    end: MaybeEnd = None,
    width: Annotated[int, Query(ge=16, le=4000, description="Of the picture, in pixels.")] = 1190,
) -> Response:
    """Draws a page of a PDF. The part of `start` to `end` that is on it is marked."""
    span = _maybe_span(start, end)
    found = await kaynak.places.version(scope, document_id, version)
    etag = etag_of("page", _RENDERING, found.id, number, span, width)
    headers = {"ETag": etag, "Cache-Control": REVALIDATED, "X-Content-Type-Options": "nosniff"}
    if known(request, etag):
        return Response(status_code=304, headers=headers)
    picture = await kaynak.places.picture(scope, found, number, span, width)
    return Response(picture.png, media_type="image/png", headers=headers)


@router.get(
    "/v1/documents/{document_id}/view",
    response_class=Response,
    responses={
        200: {
            "description": "A page for people.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        },
        **_NOT_MODIFIED,
        **problems(DocumentNotFound),
    },
    summary="Read a document with a place marked",
)
async def view_document(
    document_id: DocumentId,
    request: Request,
    kaynak: Services,
    scope: CurrentScope,
    version: VersionNumber = None,
    start: MaybeStart = None,
    end: MaybeEnd = None,
) -> Response:
    """Shows the text of a version as a page for people, with `start` to `end` marked; of PDF the pages too."""
    span = _maybe_span(start, end)
    shown = await kaynak.places.show(scope, document_id, version, span)
    etag = etag_of("view", _RENDERING, shown.version, span)
    headers = {**HEADERS, "ETag": etag, "Cache-Control": REVALIDATED}
    if known(request, etag):
        return Response(status_code=304, headers=headers)
    place = None if span is None else await kaynak.places.resolve(scope, shown.version.id, span)
    return Response(page_of(shown, place), media_type="text/html; charset=utf-8", headers=headers)


def _described(place: CitedPlace) -> dict[str, Any]:
    """Returns a place as JSON, with the addresses under which it can be seen."""
    pages = [
        {
            "number": page.number,
            "label": page.label,
            "width": page.width,
            "height": page.height,
            "boxes": page.boxes,
            "picture": picture_path(place.document_id, place.version, page.number, place.span)
            if page.picture
            else None,
        }
        for page in place.pages
    ]
    plain = {name: getattr(place, name) for name in PlaceView.model_fields if name not in ("pages", "view")}
    return {**plain, "pages": pages, "view": view_path(place.document_id, place.version, place.span)}


def _maybe_span(start: int | None, end: int | None) -> Span | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise InvalidRequest("Either “start” or “end” is missing.", hint="Give both, or neither.")
    return _span(start, end)


def _span(start: int, end: int) -> Span:
    if start >= end:
        raise InvalidRequest(
            f"start: {start} is not before the end, {end}.", hint="“end” is one past the last character."
        )
    return Span(start, end)
