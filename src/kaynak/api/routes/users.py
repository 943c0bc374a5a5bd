"""People, for those who administer them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentCaller, CurrentScope, Json, Paging, Services, page_of
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.me import KeyId, SessionId, made, wish_of
from kaynak.api.schemas.auth import ApiKeyView, KeyCreate, NewKeyView, SessionView
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.people import PersonCreate, PersonUpdate, PersonView
from kaynak.domain import CollectionNotFound, Conflict, NotFound, WeakPassword

router = APIRouter(prefix="/v1/users", tags=["people"], route_class=JsonRoute)

PersonId = Annotated[UUID, Path(description="Id of the person.")]


@router.post(
    "", status_code=201, response_model=PersonView, responses=problems(Conflict, WeakPassword), summary="Add a person"
)
async def add_person(body: PersonCreate, kaynak: Services, scope: CurrentScope) -> Response:
    """Adds somebody. The first one must be an administrator; from then on everybody must sign in."""
    added = await kaynak.identity.people.add(
        scope,
        body.email,
        name=body.name,
        role=body.role,
        password=body.password.get_secret_value() if body.password else None,
        password_hash=body.password_hash.get_secret_value() if body.password_hash else None,
    )
    return Json(added, 201, {"Location": f"/v1/users/{added.id}"})


@router.get("", response_model=PageOf[PersonView], responses=problems(), summary="List people")
async def list_people(kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists people in the order in which they were added."""
    after = cursors.id_after("users", page.after)
    found = await kaynak.identity.people.list(scope, after=after, limit=page.limit + 1)
    return page_of(found, page, "users", lambda person: person.id)


@router.get("/{person}", response_model=PersonView, responses=problems(NotFound), summary="Show a person")
async def get_person(person: PersonId, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows somebody."""
    return Json(await kaynak.identity.people.get(scope, person))


@router.patch(
    "/{person}",
    response_model=PersonView,
    responses=problems(NotFound, Conflict, WeakPassword),
    summary="Change a person",
)
async def update_person(person: PersonId, body: PersonUpdate, kaynak: Services, scope: CurrentScope) -> Response:
    """Changes somebody. Nobody can give rights that they do not have, or take the last administrator away."""
    changed = await kaynak.identity.people.update(
        scope,
        person,
        email=body.email,
        name=body.name,
        role=body.role,
        active=body.active,
        password=body.password.get_secret_value() if body.password else None,
        password_hash=body.password_hash.get_secret_value() if body.password_hash else None,
    )
    return Json(changed)


@router.delete(
    "/{person}", status_code=204, responses=problems(NotFound, Conflict, *STORING), summary="Remove a person"
)
async def delete_person(
    person: PersonId,
    kaynak: Services,
    scope: CurrentScope,
    erase: Annotated[
        bool, Query(description="Also erase conversations, and the details of events by or about them.")
    ] = False,
) -> Response:
    """Removes somebody with their sessions, keys, memberships and what was granted to them.

    With `erase` nothing is left that is about them. The chain of the audit log stays valid; documents that they
    uploaded belong to their collections and stay.
    """
    if erase:
        await kaynak.rights.erase(scope, person)
    else:
        await kaynak.identity.people.delete(scope, person)
    return Response(status_code=204)


@router.get(
    "/{person}/sessions",
    response_model=PageOf[SessionView],
    responses=problems(NotFound),
    summary="List a person's sessions",
)
async def list_sessions(person: PersonId, kaynak: Services, caller: CurrentCaller) -> Response:
    """Lists where somebody is signed in, last used first."""
    found = await kaynak.identity.people.sessions(caller.scope, person)
    items = [{**asdict(session), "current": session.id == caller.session} for session in found]
    return Json({"items": items, "next": None})


@router.delete(
    "/{person}/sessions", status_code=204, responses=problems(NotFound), summary="End all of a person's sessions"
)
async def end_sessions(person: PersonId, kaynak: Services, scope: CurrentScope) -> Response:
    """Signs somebody out everywhere."""
    await kaynak.identity.people.end_sessions(scope, person)
    return Response(status_code=204)


@router.delete(
    "/{person}/sessions/{session}", status_code=204, responses=problems(NotFound), summary="End a person's session"
)
async def end_session(person: PersonId, session: SessionId, kaynak: Services, scope: CurrentScope) -> Response:
    """Signs somebody out there; the next request with its tokens is refused."""
    await kaynak.identity.people.end_session(scope, person, session)
    return Response(status_code=204)


@router.post(
    "/{person}/keys",
    status_code=201,
    response_model=NewKeyView,
    responses=problems(NotFound, CollectionNotFound),
    summary="Make an API key for a person",
)
async def create_key(person: PersonId, body: KeyCreate, kaynak: Services, caller: CurrentCaller) -> Response:
    """Makes a key that acts for somebody else, such as the account of a program. It is shown this once."""
    return made(await kaynak.identity.keys.create_for(caller, person, wish_of(body)))


@router.get(
    "/{person}/keys",
    response_model=PageOf[ApiKeyView],
    responses=problems(NotFound),
    summary="List a person's API keys",
)
async def list_keys(person: PersonId, kaynak: Services, scope: CurrentScope) -> Response:
    """Lists the keys of somebody that still work."""
    return Json({"items": await kaynak.identity.keys.list_of(scope, person), "next": None})


@router.delete(
    "/{person}/keys/{key}", status_code=204, responses=problems(NotFound), summary="Revoke a person's API key"
)
async def revoke_key(person: PersonId, key: KeyId, kaynak: Services, scope: CurrentScope) -> Response:
    """Ends a key; the next request with it is refused."""
    await kaynak.identity.keys.revoke_of(scope, key, person=person)
    return Response(status_code=204)
