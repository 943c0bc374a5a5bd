"""Signing in with OpenID Connect: to the provider, and back."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from kaynak.api import credentials
from kaynak.api.deps import Services
from kaynak.api.links import absolute
from kaynak.api.problems import problems
from kaynak.api.rates import settle
from kaynak.domain import Misconfigured, NotFound, SignInFailed
from kaynak.identity import OpenId
from kaynak.identity.oidc import SECONDS

router = APIRouter(prefix="/v1/auth/oidc", tags=["auth"])

_CALLBACK = "/v1/auth/oidc/callback"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@router.get(
    "/start",
    status_code=303,
    response_class=RedirectResponse,
    responses=problems(NotFound, Misconfigured),
    summary="Sign in at a provider",
)
async def start(
    request: Request,
    kaynak: Services,
    after: Annotated[str, Query(max_length=2000, description="Path on this server to go to in the end.")] = "/",
) -> Response:
    """Leads a browser to the provider of OpenID Connect in the settings."""
    address = credentials.client_of(request).address
    settle(request, await kaynak.rates.sign_in(address, f"oidc {address}"))
    started = await _configured(kaynak).start(absolute(request, _CALLBACK), after)
    response = RedirectResponse(started.address, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    credentials.keep_state(response, request, started.sealed, SECONDS)
    return response


@router.get(
    "/callback",
    response_class=HTMLResponse,
    responses=problems(NotFound, SignInFailed, Misconfigured),
    summary="Come back from the provider",
)
async def callback(
    request: Request,
    kaynak: Services,
    state: Annotated[str, Query(max_length=512, description="As it was sent there.")] = "",
    code: Annotated[str, Query(max_length=8192, description="What the provider exchanges for who it is.")] = "",
    error: Annotated[str, Query(max_length=512, description="Why nobody signed in.")] = "",
    iss: Annotated[str | None, Query(max_length=2048, description="The provider, as it names itself.")] = None,
) -> Response:
    """Signs in whom the provider confirms, with cookies, and leads the browser on."""
    provider = _configured(kaynak)
    if error or not code:
        raise SignInFailed("The provider did not sign you in.", hint="Start again: /v1/auth/oidc/start")
    sealed, client = credentials.state_cookie(request), credentials.client_of(request)
    signed_in, after = await provider.finish(sealed, state, code, iss, client)
    # A page, and no redirect: on one that began at another site, browsers would not send our strict cookies.
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(after)}"><title>Kaynak</title>'
    response = HTMLResponse(page, headers=_HEADERS)
    credentials.forget_state(response, request)
    credentials.keep(response, request, signed_in)
    return response


def _configured(kaynak: Services) -> OpenId:
    found: OpenId | None = kaynak.identity.oidc
    if found is None:
        raise NotFound("Nobody signs in with OpenID Connect here.", hint="Set KAYNAK_OIDC__ISSUER and _CLIENT_ID.")
    return found
