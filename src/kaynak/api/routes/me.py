"""What people do with their own accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.deps import CurrentCaller, Json, Services
from kaynak.api.problems import problems
from kaynak.api.rates import client_address, settle
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.auth import ApiKeyView, KeyCreate, MeUpdate, MeView, NewKeyView, SessionView
from kaynak.api.schemas.base import PageOf
from kaynak.domain import CollectionNotFound, Conflict, GlobalRole, NotFound, SignInFailed, WeakPassword
from kaynak.identity import Account, Caller, KeyWish

router = APIRouter(prefix="/v1/me", tags=["auth"], route_class=JsonRoute)

SessionId = Annotated[UUID, Path(description="Id of the session.")]
KeyId = Annotated[UUID, Path(description="Id of the key.")]


@router.get("", response_model=MeView, responses=problems(NotFound), summary="Who am I?")
async def get_me(kaynak: Services, caller: CurrentCaller) -> Response:
    """Shows who makes the request, and what they may do everywhere."""
    return Json(_view(caller, await kaynak.identity.me.account(caller)))


@router.patch(
    "",
    response_model=MeView,
    responses=problems(Conflict, WeakPassword, SignInFailed, NotFound),
    summary="Change the own account",
)
async def update_me(body: MeUpdate, request: Request, kaynak: Services, caller: CurrentCaller) -> Response:
    """Changes the name, the password, or both. A new password ends all other sessions."""
    if body.old_password is not None:
        # Whoever found somebody's screen unlocked is to learn no more than at the door.
        settle(request, await kaynak.rates.sign_in(client_address(request), caller.scope.subject))
    changed = await kaynak.identity.me.update(
        caller,
        name=body.name,
        password=body.password.get_secret_value() if body.password else None,
        old_password=body.old_password.get_secret_value() if body.old_password else None,
    )
    return Json(_view(caller, changed))


@router.get(
    "/sessions", response_model=PageOf[SessionView], responses=problems(Conflict), summary="List the own sessions"
)
async def list_my_sessions(kaynak: Services, caller: CurrentCaller) -> Response:
    """Lists where the caller is signed in, last used first."""
    found = await kaynak.identity.me.sessions(caller)
    items = [{**asdict(session), "current": session.id == caller.session} for session in found]
    return Json({"items": items, "next": None})


@router.delete("/sessions", status_code=204, responses=problems(Conflict), summary="End all other sessions")
async def end_my_other_sessions(kaynak: Services, caller: CurrentCaller) -> Response:
    """Signs the caller out everywhere else."""
    await kaynak.identity.me.end_other_sessions(caller)
    return Response(status_code=204)


@router.delete(
    "/sessions/{session}", status_code=204, responses=problems(Conflict, NotFound), summary="End an own session"
)
async def end_my_session(session: SessionId, kaynak: Services, caller: CurrentCaller) -> Response:
    """Signs the caller out there; the next request with its tokens is refused."""
    await kaynak.identity.me.end_session(caller, session)
    return Response(status_code=204)


@router.post(
    "/keys",
    status_code=201,
    response_model=NewKeyView,
    responses=problems(Conflict, CollectionNotFound),
    summary="Make an API key",
)
async def create_my_key(body: KeyCreate, kaynak: Services, caller: CurrentCaller) -> Response:
    """Makes a key that acts for the caller, and never may more than they. It is shown this once."""
    return made(await kaynak.identity.keys.create(caller, wish_of(body)))


@router.get("/keys", response_model=PageOf[ApiKeyView], responses=problems(Conflict), summary="List the own API keys")
async def list_my_keys(kaynak: Services, caller: CurrentCaller) -> Response:
    """Lists the keys that still work."""
    return Json({"items": await kaynak.identity.keys.list(caller), "next": None})


@router.delete("/keys/{key}", status_code=204, responses=problems(Conflict, NotFound), summary="Revoke an own API key")
async def revoke_my_key(key: KeyId, kaynak: Services, caller: CurrentCaller) -> Response:
    """Ends a key; the next request with it is refused."""
    await kaynak.identity.keys.revoke(caller, key)
    return Response(status_code=204)


def wish_of(body: KeyCreate) -> KeyWish:
    """Returns what a key is to be."""
    return KeyWish(body.name, frozenset(body.permissions), body.collections, body.expires_at)


def made(new: object) -> Response:
    """Returns a key that was just made; nothing on the way is to keep it."""
    return Json(new, 201, {"Cache-Control": "no-store"})


def _view(caller: Caller, account: Account | None) -> dict[str, object]:
    person = account.person if account else None
    return {
        "id": caller.person,
        "email": person.email if person else None,
        "name": person.name if person else "Owner",
        "role": person.role if person else GlobalRole.ADMINISTRATOR,
        "permissions": sorted(caller.scope.permissions),
        "groups": [{"id": group.id, "name": group.name} for group in account.groups] if account else [],
        "session": caller.session,
        "key": caller.scope.key,
        "password": bool(person and person.password),
    }
