"""Groups of people, for those who administer them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, page_of
from kaynak.api.problems import problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.users import PersonId
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.people import GroupCreate, GroupUpdate, GroupView, MemberView
from kaynak.domain import Conflict, NotFound

router = APIRouter(prefix="/v1/groups", tags=["people"], route_class=JsonRoute)

GroupId = Annotated[UUID, Path(description="Id of the group.")]


@router.post("", status_code=201, response_model=GroupView, responses=problems(Conflict), summary="Make a group")
async def add_group(body: GroupCreate, kaynak: Services, scope: CurrentScope) -> Response:
    """Makes a group without members."""
    groups = kaynak.identity.groups
    made = await groups.add(scope, body.name, description=body.description, claim=body.claim)
    return Json(made, 201, {"Location": f"/v1/groups/{made.id}"})


@router.get("", response_model=PageOf[GroupView], responses=problems(), summary="List groups")
async def list_groups(kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists groups by name."""
    after = cursors.text_after("groups", page.after)
    found = await kaynak.identity.groups.list(scope, after=after, limit=page.limit + 1)
    return page_of(found, page, "groups", lambda group: group.name)


@router.get("/{group}", response_model=GroupView, responses=problems(NotFound), summary="Show a group")
async def get_group(group: GroupId, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows a group."""
    return Json(await kaynak.identity.groups.get(scope, group))


@router.patch("/{group}", response_model=GroupView, responses=problems(NotFound, Conflict), summary="Change a group")
async def update_group(group: GroupId, body: GroupUpdate, kaynak: Services, scope: CurrentScope) -> Response:
    """Changes the name, the description or the claim of a group."""
    changed = await kaynak.identity.groups.update(
        scope, group, name=body.name, description=body.description, claim=body.claim
    )
    return Json(changed)


@router.delete("/{group}", status_code=204, responses=problems(NotFound), summary="Remove a group")
async def delete_group(group: GroupId, kaynak: Services, scope: CurrentScope) -> Response:
    """Removes a group with what was granted to it. Its members stay."""
    await kaynak.identity.groups.delete(scope, group)
    return Response(status_code=204)


@router.get("/{group}/members", response_model=PageOf[MemberView], responses=problems(NotFound), summary="List members")
async def list_members(group: GroupId, kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists who is in a group."""
    after = cursors.id_after("members", page.after)
    found = await kaynak.identity.groups.members(scope, group, after=after, limit=page.limit + 1)
    return page_of(found, page, "members", lambda member: member.id)


@router.put("/{group}/members/{person}", status_code=204, responses=problems(NotFound), summary="Add a member")
async def add_member(group: GroupId, person: PersonId, kaynak: Services, scope: CurrentScope) -> Response:
    """Puts somebody into a group, to stay there whatever OpenID Connect says."""
    await kaynak.identity.groups.add_member(scope, group, person)
    return Response(status_code=204)


@router.delete("/{group}/members/{person}", status_code=204, responses=problems(NotFound), summary="Remove a member")
async def remove_member(group: GroupId, person: PersonId, kaynak: Services, scope: CurrentScope) -> Response:
    """Takes somebody out of a group."""
    await kaynak.identity.groups.remove_member(scope, group, person)
    return Response(status_code=204)
