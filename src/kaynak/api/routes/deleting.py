from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.collections import CollectionName
from kaynak.api.schemas.deleting import DeletionView, DocumentDeletion
from kaynak.api.schemas.indexes import ExaminationView
from kaynak.domain import CollectionNotFound, InvalidFilter, TooLarge, parse_filter

router = APIRouter(prefix="/v1/collections", tags=["documents"], route_class=JsonRoute)


@router.post(
    "/{collection}/documents/delete",
    response_model=DeletionView,
    responses=problems(CollectionNotFound, InvalidFilter, TooLarge, *STORING),
    summary="Delete documents by a filter",
)
async def delete_documents(
    collection: CollectionName, body: DocumentDeletion, kaynak: Services, scope: CurrentScope
) -> Response:
    """Deletes the documents that match and that the caller may read, and says what every store has of them afterwards.

    What comes in while this is at work stays. Count first, with `dry_run`: there is no way back.
    """
    condition = parse_filter(body.filter)
    if condition is None:
        raise InvalidFilter("That filter matches every document.", hint="Delete the collection instead.")
    matching, last = await kaynak.deleting.matching(scope, collection, condition)
    removed, proof = 0, None
    if last is not None and not body.dry_run:
        async for one in kaynak.deleting.delete_matching(scope, collection, condition, until=last, limit=body.limit):
            removed, proof = removed + one.removed, ExaminationView.shown(one.proof)
    return Json({"matching": matching, "removed": removed, "proof": proof})
