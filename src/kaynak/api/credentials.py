"""What a request shows to prove who makes it: a header, or a browser's cookie that another site cannot misuse."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api.problems import CrossOriginRefused
from kaynak.api.rates import client_address
from kaynak.identity import Client, SignedIn

CSRF_HEADER: Final = "x-kaynak-request"
"""Sent by our own pages with everything that changes something. A page of another origin may not send it without
asking first, and is told no."""
_ACCESS: Final = "kaynak_access"
_REFRESH: Final = "kaynak_refresh"
_STATE: Final = "kaynak_oidc"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_DEVICE: Final = 200
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_bearer = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="An access token of POST /v1/auth/sign-in, or an API key."
)
_key = APIKeyHeader(name="x-api-key", scheme_name="key", auto_error=False, description="An API key.")
_cookie = APIKeyCookie(
    name=_ACCESS,
    scheme_name="cookie",
    auto_error=False,
    description=f"Of browsers (`__Host-{_ACCESS}` over TLS); what changes something needs the header "
    "`X-Kaynak-Request: 1` beside it.",
)


async def described(
    _bearer: Annotated[object, Security(_bearer)],
    _key: Annotated[object, Security(_key)],
    _cookie: Annotated[object, Security(_cookie)],
) -> None:
    """Says in OpenAPI what `of_request` reads."""


def of_request(request: Request) -> str | None:
    """Returns the access token or API key that a request shows.

    Raises:
        CrossOriginRefused: It is a cookie, and another site may have had the browser send it.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    key = request.headers.get("x-api-key", "").strip()
    if key:
        return key
    token = request.cookies.get(_named(_ACCESS, request))
    if token is not None:
        own_page_only(request)
    return token or None


def refresh_cookie(request: Request) -> str | None:
    """Returns the refresh token that a browser keeps.

    Raises:
        CrossOriginRefused: Another site may have had the browser send it.
    """
    token = request.cookies.get(_named(_REFRESH, request))
    if token is not None:
        own_page_only(request)
    return token


def own_page_only(request: Request) -> None:
    """Lets pass what changes nothing, and what a page of ours must have sent.

    Raises:
        CrossOriginRefused: It may have been sent by a page of another origin.
    """
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).hostname != request.url.hostname
    if foreign or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise CrossOriginRefused("Pages of other origins may not act for whoever is signed in.")
    if CSRF_HEADER not in request.headers:
        raise CrossOriginRefused(
            "Requests with a cookie that change something need the header X-Kaynak-Request.",
            hint="Send X-Kaynak-Request: 1, or an Authorization header instead of the cookie.",
        )


def keep(response: Response, request: Request, signed_in: SignedIn) -> None:
    """Has the browser keep the tokens, out of reach of scripts and of other sites."""
    for name, value, seconds in (
        (_ACCESS, signed_in.access_token, signed_in.expires_in),
        (_REFRESH, signed_in.refresh_token, signed_in.refresh_expires_in),
    ):
        response.set_cookie(
            _named(name, request),
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            secure=_over_tls(request),
            samesite="strict",
        )


def forget(response: Response, request: Request) -> None:
    """Has the browser forget them."""
    for name in (_ACCESS, _REFRESH):
        response.delete_cookie(
            _named(name, request), path="/", httponly=True, secure=_over_tls(request), samesite="strict"
        )


def keep_state(response: Response, request: Request, sealed: str, seconds: int) -> None:
    """Has the browser keep what a sign-in at a provider needs when it comes back from there."""
    response.set_cookie(
        _named(_STATE, request),
        sealed,
        max_age=seconds,
        path="/",
        httponly=True,
        secure=_over_tls(request),
        samesite="lax",  # it comes back by a link of the provider's
    )


def state_cookie(request: Request) -> str | None:
    """Returns what `keep_state` had the browser keep."""
    return request.cookies.get(_named(_STATE, request))


def forget_state(response: Response, request: Request) -> None:
    """Has the browser forget it."""
    secure = _over_tls(request)
    response.delete_cookie(_named(_STATE, request), path="/", httponly=True, secure=secure, samesite="lax")


def client_of(request: Request, device: str | None = None) -> Client:
    """Returns where a request comes from."""
    return Client(client_address(request), (device or request.headers.get("user-agent", ""))[:_MOST_DEVICE])


def is_local(request: Request) -> bool:
    """Returns whether a request comes straight from this machine, as far as can be told."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    if request.client is None:
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return True  # not a network at all


def _named(name: str, request: Request) -> str:
    """Over TLS, a prefix keeps other hosts of the same site from setting the cookie (RFC 6265bis)."""
    return f"__Host-{name}" if _over_tls(request) else name


def _over_tls(request: Request) -> bool:
    return request.url.scheme == "https"
