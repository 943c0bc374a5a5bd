"""Signing in, staying so, and signing out."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api import credentials
from kaynak.api.deps import Json, Services
from kaynak.api.problems import problems
from kaynak.api.rates import settle
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.auth import RefreshBody, SetupBody, SignInBody, TokensView
from kaynak.domain import Conflict, RateLimited, SignInFailed, Unauthenticated, WeakPassword
from kaynak.identity import SignedIn

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute)

_EMPTY = RefreshBody(refresh_token=None)


@router.post("/sign-in", response_model=TokensView, responses=problems(SignInFailed), summary="Sign in")
async def sign_in(body: SignInBody, request: Request, kaynak: Services) -> Response:
    """Begins a session. Whether there is an account of that address is not said."""
    if body.cookie:
        credentials.own_page_only(request)
    client = credentials.client_of(request, body.device)
    try:
        settle(request, await kaynak.rates.sign_in(client.address, body.email))
    except RateLimited:
        await kaynak.identity.sign_ins.throttled(client)
        raise
    signed_in = await kaynak.identity.sign_ins.by_password(body.email, body.password.get_secret_value(), client)
    return answer(request, signed_in, cookie=body.cookie)


@router.post("/refresh", response_model=TokensView, responses=problems(), summary="Get the next tokens")
async def refresh(request: Request, kaynak: Services, body: RefreshBody = _EMPTY) -> Response:
    """Exchanges a refresh token. It works once: shown again, it ends its session, for whoever copied it too."""
    given = body.refresh_token.get_secret_value() if body.refresh_token else None
    token = given or credentials.refresh_cookie(request)
    if token is None:
        raise Unauthenticated("There is no refresh token.", hint="Sign in with POST /v1/auth/sign-in.")
    signed_in = await kaynak.identity.sign_ins.refresh(token, credentials.client_of(request))
    return answer(request, signed_in, cookie=given is None)


@router.post("/sign-out", status_code=204, responses=problems(), summary="Sign out")
async def sign_out(request: Request, kaynak: Services, body: RefreshBody = _EMPTY) -> Response:
    """Ends the session of the refresh token, or else of the access token. Its tokens stop working at once."""
    given = body.refresh_token.get_secret_value() if body.refresh_token else None
    token = given or credentials.refresh_cookie(request)
    if token is not None:
        await kaynak.identity.sign_ins.sign_out_token(token)
    else:
        shown = credentials.of_request(request)
        caller = await kaynak.identity.callers.find(shown, local=credentials.is_local(request))
        if caller.session is not None:
            await kaynak.identity.sign_ins.sign_out(caller.session)
    response = Response(status_code=204)
    credentials.forget(response, request)
    return response


@router.post(
    "/setup",
    response_model=TokensView,
    responses=problems(Conflict, WeakPassword),
    summary="Make the first administrator",
)
async def set_up(body: SetupBody, request: Request, kaynak: Services) -> Response:
    """Takes the token that `kaynak up --setup` prints: good for an hour, once, and while nobody administers."""
    if body.cookie:
        credentials.own_page_only(request)
    client = credentials.client_of(request)
    settle(request, await kaynak.rates.sign_in(client.address, "setup"))
    signed_in = await kaynak.identity.setup.complete(
        body.token.get_secret_value(), body.email, body.name, body.password.get_secret_value(), client
    )
    return answer(request, signed_in, cookie=body.cookie)


def answer(request: Request, signed_in: SignedIn, *, cookie: bool) -> Response:
    """Returns the tokens of a session, in the answer or in cookies."""
    view = {
        "person": signed_in.person,
        "session": signed_in.session,
        "token_type": "Bearer",
        "access_token": None if cookie else signed_in.access_token,
        "expires_in": signed_in.expires_in,
        "refresh_token": None if cookie else signed_in.refresh_token,
        "refresh_expires_in": signed_in.refresh_expires_in,
    }
    response = Json(view, headers={"Cache-Control": "no-store"})
    if cookie:
        credentials.keep(response, request, signed_in)
    return response
