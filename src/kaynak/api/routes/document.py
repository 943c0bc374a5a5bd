from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, page_of
from kaynak.api.download import Download, RangeNotSatisfiable
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.documents import ChunkView, DocumentUpdate, DocumentView, TextView
from kaynak.api.schemas.sharing import ReadersView
from kaynak.api.uploads import checked_metadata
from kaynak.domain import UNCHANGED, DocumentNotFound, TooLarge

router = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=JsonRoute)

DocumentId = Annotated[UUID, Path(description="Id of the document.")]
VersionNumber = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Number of the version; default: the readable one.")
]


@router.get(
    "/{document_id}",
    response_model=DocumentView,
    responses=problems(DocumentNotFound),
    summary="Show a document",
)
async def get_document(document_id: DocumentId, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows a document: its readable version, and the state of its newest one."""
    return Json(await kaynak.documents.get(scope, document_id))


@router.patch(
    "/{document_id}",
    response_model=DocumentView,
    responses={
        202: {
            "model": DocumentView,
            "description": "Changed; a job embeds the passages under the new title.",
            "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
        },
        **problems(DocumentNotFound, TooLarge, *STORING),
    },
    summary="Change metadata, title or readers",
)
async def update_document(
    document_id: DocumentId, body: DocumentUpdate, kaynak: Services, scope: CurrentScope
) -> Response:
    """Replaces the metadata, the title, or both: filters and words find the document so at once.

    Who may read it is replaced with `readers`: people and groups, or null for all who read the collection. It counts
    at once; the owners of the collection read all of its documents.

    The text is not read again. Passages are embedded with their title, so another title begins a job that embeds
    them anew: the answer is 202 then, and `Location` names the job.
    """
    metadata = None if body.metadata is None else checked_metadata(body.metadata)
    readers = body.readers if "readers" in body.model_fields_set else UNCHANGED
    changed = await kaynak.documents.update(scope, document_id, metadata=metadata, title=body.title, readers=readers)
    if changed.job is None:
        return Json(changed.document)
    return Json(changed.document, status_code=202, headers={"Location": f"/v1/jobs/{changed.job.id}"})


@router.get(
    "/{document_id}/readers",
    response_model=ReadersView,
    responses=problems(DocumentNotFound),
    summary="List who may read a document",
)
async def list_readers(document_id: DocumentId, kaynak: Services, scope: CurrentScope) -> Response:
    """Lists who may read a document beside the owners of its collection; for those who may change it."""
    return Json({"readers": await kaynak.documents.readers(scope, document_id)})


@router.delete(
    "/{document_id}",
    status_code=204,
    responses=problems(DocumentNotFound, *STORING),
    summary="Delete a document",
)
async def delete_document(document_id: DocumentId, kaynak: Services, scope: CurrentScope) -> Response:
    """Deletes a document with every version and everything derived from it. There is no way back."""
    await kaynak.documents.delete(scope, document_id)
    return Response(status_code=204)


@router.get(
    "/{document_id}/content",
    status_code=200,
    response_class=Download,
    responses={
        200: {
            "description": "The original bytes, as an attachment.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        206: {"description": "The range that was asked for."},
        **problems(DocumentNotFound, RangeNotSatisfiable),
    },
    summary="Download the original",
)
async def get_content(
    document_id: DocumentId, kaynak: Services, scope: CurrentScope, version: VersionNumber = None
) -> Response:
    """Returns the bytes as they were uploaded; ranges are understood."""
    path, filename, media_type = await kaynak.documents.content(scope, document_id, version)
    return Download(path, media_type=media_type or "application/octet-stream", filename=filename)


@router.get(
    "/{document_id}/text",
    response_model=TextView,
    responses=problems(DocumentNotFound),
    summary="Read the text",
)
async def get_text(
    document_id: DocumentId, kaynak: Services, scope: CurrentScope, version: VersionNumber = None
) -> Response:
    """Returns the canonical text with its pages and blocks: what spans and citations refer to."""
    found = await kaynak.documents.text(scope, document_id, version)
    return Json(
        {
            "document_id": document_id,
            "version_id": found.version_id,
            "version": found.number,
            "text": found.text,
            "pages": found.pages,
            "blocks": found.blocks,
        }
    )


@router.get(
    "/{document_id}/chunks",
    response_model=PageOf[ChunkView],
    responses=problems(DocumentNotFound),
    summary="List passages",
)
async def list_chunks(document_id: DocumentId, kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists the passages of the readable version, in order."""
    after = cursors.number_after("chunks", page.after)
    found = await kaynak.documents.chunks(scope, document_id, after=after, limit=page.limit + 1)
    return page_of(found, page, "chunks", lambda chunk: chunk.ordinal)
