"""A provider of OpenID Connect, over HTTP: what it says of itself, its keys, and the exchange of codes for tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from kaynak.domain import Misconfigured, SignInFailed, Unavailable
from kaynak.identity.options import OidcOptions

_SECONDS: Final = 10.0
_LONGEST: Final = 1024 * 1024
_KNOWN_SECONDS: Final = 3600.0
"""After which what the provider says of itself is read again."""
_UNKNOWN_SECONDS: Final = 5.0
"""Least time between two readings of the keys for the sake of names that nobody knows."""
_OWN: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What a provider says of itself.

    Attributes:
        authorization: Where the browser is sent.
        token: Where a code is exchanged.
        keys: Where its public keys are.
        userinfo: Where it says more about a person; None: nowhere.
        basic: Whether the client's secret is sent in a header; otherwise in the body.
    """

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    basic: bool


class Provider:
    """Talks to the provider in the settings. Nothing is connected until somebody signs in."""

    def __init__(self, options: OidcOptions, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._options = options
        self._http = httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, transport=transport)
        self._endpoints: Endpoints | None = None
        self._read_at = float("-inf")
        self._keys: dict[str, dict[str, Any]] = {}
        self._keys_at = float("-inf")
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def endpoints(self) -> Endpoints:
        """Returns what the provider says of itself.

        Raises:
            Unavailable: It does not answer.
            Misconfigured: What answers is not the provider in the settings.
        """
        async with self._lock:
            if self._endpoints is None or time.monotonic() - self._read_at > _KNOWN_SECONDS:
                self._endpoints = await self._discovered()
                self._read_at = time.monotonic()
            return self._endpoints

    async def key(self, kid: str) -> dict[str, Any] | None:
        """Returns the provider's public key of that name; None if it has none."""
        endpoints = await self.endpoints()
        async with self._lock:
            age = time.monotonic() - self._keys_at
            if age > _KNOWN_SECONDS or (kid not in self._keys and age > _UNKNOWN_SECONDS):
                answer = await self._json("GET", endpoints.keys)
                found = answer.get("keys")
                keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
                self._keys = {str(key["kid"]): key for key in keys if "kid" in key and key.get("use", "sig") == "sig"}
                self._keys_at = time.monotonic()
        return self._keys.get(kid)

    async def tokens(self, code: str, verifier: str, redirect: str, secret: str | None) -> dict[str, Any]:
        """Exchanges a code.

        Args:
            code: What the browser brought back.
            verifier: Of PKCE.
            redirect: Where the browser was sent back to.
            secret: Ours at the provider; None: there is none.

        Raises:
            SignInFailed: The provider does not take it: it was used, is not ours, or has run out.
            Unavailable: The provider does not answer.
        """
        endpoints = await self.endpoints()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._options.client_id,
            "code_verifier": verifier,
        }
        auth = None
        if secret is not None:
            if endpoints.basic:
                auth = httpx.BasicAuth(  # encoded first (RFC 6749, 2.3.1)
                    quote(self._options.client_id, safe=""), quote(secret, safe="")
                )
            else:
                form["client_secret"] = secret
        return await self._json("POST", endpoints.token, data=form, auth=auth)

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        """Returns what else the provider says about whose token this is; empty if it says nothing."""
        endpoints = await self.endpoints()
        if endpoints.userinfo is None:
            return {}
        return await self._json("GET", endpoints.userinfo, headers={"Authorization": f"Bearer {access_token}"})

    async def _discovered(self) -> Endpoints:
        issuer = self._options.issuer
        safe_address(issuer)
        said = await self._json("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise Misconfigured(
                "What answers at KAYNAK_OIDC__ISSUER calls itself by another name.",
                hint=f"Set it to the letter as the provider does: {said.get('issuer')}",
            )
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        userinfo = said.get("userinfo_endpoint")
        return Endpoints(
            authorization=safe_address(said.get("authorization_endpoint")),
            token=safe_address(said.get("token_endpoint")),
            keys=safe_address(said.get("jwks_uri")),
            userinfo=None if userinfo is None else safe_address(userinfo),
            basic=isinstance(methods, list) and "client_secret_basic" in methods,
        )

    async def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._http.stream(method, url, **options) as response:
                content = b""
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > _LONGEST:
                        raise Unavailable("The provider of sign-ins says too much.")
        except httpx.HTTPError as exc:
            raise Unavailable(
                f"The provider of sign-ins does not answer ({type(exc).__name__}).", hint="Try again in a while."
            ) from exc
        if 400 <= response.status_code < 500 and method == "POST":
            raise SignInFailed("The provider does not confirm the sign-in.", hint="Start again: /v1/auth/oidc/start")
        if not response.is_success:
            raise Unavailable(f"The provider of sign-ins answered {response.status_code}.", hint="Try again later.")
        return _object(content)


def safe_address(url: object) -> str:
    """Returns an address of the provider, if nobody on the way can read or change what is sent there.

    Raises:
        Misconfigured: It is none.
    """
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _OWN)):
        return str(url)
    raise Misconfigured(
        "An address of the provider of sign-ins is not https.", hint="Check KAYNAK_OIDC__ISSUER and what it announces."
    )


def _object(content: bytes) -> dict[str, Any]:
    import orjson

    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise Unavailable("The provider of sign-ins does not answer in JSON.") from exc
    if not isinstance(found, Mapping):
        raise Unavailable("The provider of sign-ins does not answer as it should.")
    return dict(found)
