"""What a provider states about a person, and whether to believe it."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from kaynak.domain import SignInFailed
from kaynak.identity.oidc.provider import Provider
from kaynak.identity.options import OidcOptions

ALGORITHMS: Final[Mapping[str, str]] = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "EC", "ES384": "EC", "ES512": "EC", "EdDSA": "OKP",
}  # fmt: skip
"""Signatures that are accepted, with the kind of key that makes them: none that a public key could forge."""
_LEEWAY: Final = timedelta(seconds=30)
_LONGEST: Final = 64 * 1024
_MOST_GROUPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Stated:
    """What a provider states about who signs in.

    Attributes:
        subject: Their name at the provider, for good.
        email: Their address; None: it does not say.
        verified: Whether the provider knows that the address is theirs.
        name: For people; may be empty.
        groups: Values of the group claim.
    """

    subject: str
    email: str | None
    verified: bool
    name: str
    groups: tuple[str, ...]


async def verified(provider: Provider, options: OidcOptions, token: object, nonce: str) -> dict[str, Any]:
    """Returns the claims of an ID token, if the provider made it, for us, now, and in answer to our question.

    Raises:
        SignInFailed: It did not.
        Unavailable: The provider's keys cannot be read.
    """
    import jwt

    if not isinstance(token, str) or len(token) > _LONGEST:
        raise refused()
    try:
        header = jwt.get_unverified_header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(kid, str) or not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise refused()
        key = await provider.key(kid)
        if key is None or key.get("kty") != ALGORITHMS[algorithm] or key.get("alg", algorithm) != algorithm:
            raise refused()
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            audience=options.client_id,
            issuer=options.issuer,
            leeway=_LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as exc:
        raise refused() from exc
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise refused()
    # Made for several: only if we are the one it was asked for by (OpenID Connect Core, 3.1.3.7).
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else options.client_id) != options.client_id:
        raise refused()
    return claims


def stated(claims: Mapping[str, Any], options: OidcOptions) -> Stated:
    """Returns what the claims say that we care for.

    Raises:
        SignInFailed: They do not say whom they are about.
    """
    subject, email, name = claims.get("sub"), claims.get("email"), claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or "\x00" in subject:
        raise refused()
    groups = claims.get(options.groups_claim, [])
    groups = [groups] if isinstance(groups, str) else groups
    listed = groups if isinstance(groups, list) else []
    kept = [group for group in listed if isinstance(group, str) and "\x00" not in group]
    return Stated(
        subject,
        email if isinstance(email, str) else None,
        claims.get("email_verified") is True,
        name if isinstance(name, str) else "",
        tuple(kept[:_MOST_GROUPS]),
    )


def refused() -> SignInFailed:
    """Returns the one error for all that a provider's answer may lack."""
    return SignInFailed(
        "What came back from the provider of sign-ins cannot be believed.", hint="Start again: /v1/auth/oidc/start"
    )
