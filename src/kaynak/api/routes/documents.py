from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, UploadingScope, page_of
from kaynak.api.multipart import MEBIBYTE, received_form
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import BulkJsonRoute, parse_json, read_body
from kaynak.api.routes.collections import CollectionName
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.documents import (
    DocumentView,
    SubmissionView,
    TextDocument,
    TextDocuments,
    UploadForm,
    UrlDocument,
)
from kaynak.api.uploads import from_form, from_texts, received_url
from kaynak.domain import (
    OWNER,
    And,
    CollectionNotFound,
    Condition,
    Conflict,
    Forbidden,
    InvalidFilter,
    InvalidRequest,
    Op,
    Permission,
    TooLarge,
    UnreadableDocument,
    UrlFailed,
    UrlRefused,
    parse_filter,
)

router = APIRouter(prefix="/v1/collections", tags=["documents"], route_class=BulkJsonRoute)

_BODIES = {
    "requestBody": {
        "required": True,
        "description": "Files as a multipart form, or one text as JSON.",
        "content": {
            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/UploadForm"}},
            "application/json": {"schema": {"$ref": "#/components/schemas/TextDocument"}},
        },
    }
}
EXTRA_SCHEMAS = (UploadForm, TextDocument)
"""Referred to by hand above, so FastAPI does not collect them."""

_NOTHING_LEFT: dict[int | str, dict[str, Any]] = {
    200: {"model": SubmissionView, "description": "Nothing is left to do: everything was there already."}
}
_ERRORS = (CollectionNotFound, TooLarge, Conflict, UnreadableDocument, *STORING)


@router.post(
    "/{collection}/documents",
    status_code=202,
    response_model=SubmissionView,
    responses={**_NOTHING_LEFT, **problems(*_ERRORS)},
    openapi_extra=_BODIES,
    summary="Add documents",
)
async def add_documents(
    collection: CollectionName, request: Request, kaynak: Services, scope: UploadingScope
) -> Response:
    """Stores files (`multipart/form-data`) or one text (`application/json`), and queues the work on them.

    The same bytes under the same external id change nothing; other bytes become a new version. Archives are
    unpacked: each member becomes a document of its own.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        document = await _text_document(request)
        return _submitted(await kaynak.intake.submit(scope, collection, from_texts([document])))
    if kind != "multipart/form-data":
        raise InvalidRequest(
            "The body must be multipart/form-data or application/json.",
            hint="Send files with -F file=@report.pdf, or text as JSON.",
        )
    # An unknown collection, or one of others, is found out before a gigabyte is received.
    scope.require(Permission.WRITE, (await kaynak.collections.get(scope, collection)).id)
    limits = kaynak.settings.limits
    async with received_form(
        request,
        root=kaynak.settings.data_dir / "uploads",
        limit=limits.upload_mb * MEBIBYTE,
        parts=limits.request_documents,
    ) as form:
        return _submitted(await kaynak.intake.submit(scope, collection, from_form(form)))


@router.post(
    "/{collection}/documents/batch",
    status_code=202,
    response_model=SubmissionView,
    responses={**_NOTHING_LEFT, **problems(*_ERRORS)},
    summary="Add many texts",
)
async def add_texts(
    collection: CollectionName, body: TextDocuments, kaynak: Services, scope: UploadingScope
) -> Response:
    """Stores many texts as one job."""
    most = kaynak.settings.limits.request_documents
    if len(body.documents) > most:
        raise TooLarge(f"A request may carry at most {most} documents.", hint="Send several requests.")
    return _submitted(await kaynak.intake.submit(scope, collection, from_texts(body.documents)))


@router.post(
    "/{collection}/documents/url",
    status_code=202,
    response_model=SubmissionView,
    responses={**_NOTHING_LEFT, **problems(*_ERRORS, Forbidden, UrlRefused, UrlFailed)},
    summary="Add a document from the web",
)
async def add_from_url(
    collection: CollectionName, body: UrlDocument, kaynak: Services, scope: UploadingScope
) -> Response:
    """Fetches what is at an address, stores it, and queues the work on it.

    Only public addresses are asked, at every redirect anew, and networks that the settings allow. Where people sign
    in, an administrator must have allowed it (`KAYNAK_URLS__ALLOW`).
    """
    if scope.subject != OWNER.subject and not kaynak.settings.urls.allow:
        raise Forbidden(
            "Documents from addresses of the web are not allowed here.",
            hint="Upload the file instead; an administrator can set KAYNAK_URLS__ALLOW=true.",
        )
    found = await kaynak.collections.get(scope, collection)
    scope.require(Permission.WRITE, found.id)
    async with received_url(kaynak.fetcher, body, root=kaynak.settings.data_dir / "uploads") as upload:
        return _submitted(await kaynak.intake.submit(scope, collection, [upload]))


@router.get(
    "/{collection}/documents",
    response_model=PageOf[DocumentView],
    responses=problems(CollectionNotFound, InvalidFilter),
    summary="List documents",
)
async def list_documents(
    collection: CollectionName,
    kaynak: Services,
    scope: CurrentScope,
    page: Paging,
    filter: Annotated[  # noqa: A002 - the name callers see
        str | None,
        Query(
            max_length=100_000,
            description="Condition on metadata, as JSON.",
            examples=['{"team": "hr"}'],
        ),
    ] = None,
    external_id: Annotated[
        str | None, Query(max_length=1024, description="Only the document of this external id.")
    ] = None,
) -> Response:
    """Lists the documents of a collection in the order they were first seen."""
    condition = filter_of(filter)
    after = cursors.id_after("documents", page.after)
    if external_id is not None:
        named = Condition("_id", Op.EQ, external_id)
        condition = named if condition is None else And((named, condition))
    found = await kaynak.documents.list(scope, collection, condition=condition, after=after, limit=page.limit + 1)
    return page_of(found, page, "documents", lambda document: document.id)


def filter_of(text: str | None) -> Any:
    """Returns the filter of a query parameter.

    Raises:
        InvalidFilter: It is not JSON, or not a filter.
    """
    if text is None:
        return None
    try:
        value = parse_json(text.encode())
    except ValueError as exc:
        raise InvalidFilter("filter is not JSON.", hint='For example {"team": "hr"}.') from exc
    return parse_filter(value)


async def _text_document(request: Request) -> TextDocument:
    from fastapi.exceptions import RequestValidationError
    from pydantic import ValidationError

    content = await read_body(request, BulkJsonRoute.body_limit)
    try:
        return TextDocument.model_validate(parse_json(content))
    except json.JSONDecodeError as exc:
        fault = {"type": "json_invalid", "loc": ("body",), "msg": "", "ctx": {"error": exc.msg}}
        raise RequestValidationError([fault]) from exc
    except ValidationError as exc:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in exc.errors(include_input=False)]
        raise RequestValidationError(faults) from exc


def _submitted(submission: Any) -> Response:
    return Json({"job": submission.job, "items": submission.items}, status_code=202 if submission.job else 200)
