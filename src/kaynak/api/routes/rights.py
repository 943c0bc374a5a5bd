"""A person's right to see all that is held about them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Services
from kaynak.api.problems import problems
from kaynak.auditing import as_json
from kaynak.domain import Conflict, NotFound

router = APIRouter(tags=["people"])

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Profile, groups, grants, sessions, keys, conversations, usage and events, as one document.",
        "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
    }
}


@router.get(
    "/v1/me/export",
    response_class=Response,
    responses={**_FILE, **problems(Conflict, NotFound)},
    summary="Export all that is held about me",
)
async def export_me(kaynak: Services, scope: CurrentScope) -> Response:
    """Returns everything that is held about the caller. No secrets are in it."""
    return _file(await kaynak.rights.export_own(scope))


@router.get(
    "/v1/users/{person}/export",
    response_class=Response,
    responses={**_FILE, **problems(NotFound)},
    summary="Export all that is held about a person",
)
async def export_person(
    person: Annotated[UUID, Path(description="Id of the person.")], kaynak: Services, scope: CurrentScope
) -> Response:
    """Returns everything that is held about somebody, conversations included. That it was exported is an event."""
    return _file(await kaynak.rights.export(scope, person))


def _file(held: dict[str, Any]) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "private, no-store"}
    return Response(as_json(held), media_type="application/json", headers=headers)
