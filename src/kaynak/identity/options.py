from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Algorithm = Literal["EdDSA", "HS256"]


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """A provider of OpenID Connect.

    Attributes:
        issuer: Its name, which is also its address.
        client_id: Ours at the provider.
        client_secret: None: the one that is kept counts; without that, PKCE alone protects the code.
        scopes: What is asked for.
        groups_claim: The claim that lists somebody's groups.
        redirect_url: Our address that it sends browsers back to; None: as the request named us.
        sign_up: Whether whoever the provider knows gets an account.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = "groups"
    redirect_url: str | None = None
    sign_up: bool = True


@dataclass(frozen=True, slots=True)
class IdentityOptions:
    """How people sign in.

    Attributes:
        loopback: Whether only this machine is meant to reach the server: only then does it go without accounts.
        algorithm: Of the signatures of new access tokens.
        issuer: Who access tokens say that they come from; tokens of others are not accepted.
        access: How long an access token is valid.
        refresh: How long a session lasts that is not used.
        rotation: After what time a new signing key takes over.
        oidc: The provider of OpenID Connect; None: people sign in by password only.
        hashing: Passwords that are checked at the same time.
    """

    loopback: bool = True
    algorithm: Algorithm = "EdDSA"
    issuer: str = "kaynak"
    access: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(days=30)
    rotation: timedelta = timedelta(days=30)
    hashing: int = 1
    oidc: OidcOptions | None = None
