from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.problems import problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.collections import CollectionName
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.sharing import GrantBody, GrantView
from kaynak.domain import CollectionNotFound, Conflict, NotFound, TooLarge

router = APIRouter(prefix="/v1/collections/{collection}/grants", tags=["sharing"], route_class=JsonRoute)

PrincipalName = Annotated[
    str,
    Path(max_length=320, description="E-mail address or id of a person, name or id of a group."),
]


@router.get(
    "", response_model=PageOf[GrantView], responses=problems(CollectionNotFound), summary="List who has a collection"
)
async def list_grants(collection: CollectionName, kaynak: Services, scope: CurrentScope) -> Response:
    """Lists the people and groups that a collection is shared with, and their roles."""
    return Json({"items": await kaynak.sharing.list(scope, collection), "next": None})


@router.put(
    "/{principal}",
    response_model=GrantView,
    responses=problems(CollectionNotFound, Conflict, TooLarge),
    summary="Share a collection",
)
async def put_grant(
    collection: CollectionName, principal: PrincipalName, body: GrantBody, kaynak: Services, scope: CurrentScope
) -> Response:
    """Gives a person or a group a role in a collection, in place of the one they had. It counts at once."""
    return Json(await kaynak.sharing.share(scope, collection, principal, body.role))


@router.delete(
    "/{principal}",
    status_code=204,
    responses=problems(CollectionNotFound, NotFound, Conflict),
    summary="Stop sharing a collection",
)
async def delete_grant(
    collection: CollectionName, principal: PrincipalName, kaynak: Services, scope: CurrentScope
) -> Response:
    """Takes the role of a person or a group away. It counts at once, for answers being written within seconds."""
    await kaynak.sharing.unshare(scope, collection, principal)
    return Response(status_code=204)
