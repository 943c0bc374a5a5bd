"""Access tokens: short-lived statements, signed by this installation, of who is signed in and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from kaynak.domain import Unauthenticated
from kaynak.identity.options import IdentityOptions
from kaynak.identity.signing import SigningKey, SigningKeys

_AUDIENCE: Final = "kaynak"
_TYPE: Final = "at+jwt"  # RFC 9068: a token for something else is never taken for one of these
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST: Final = 4096
_REQUIRED: Final = ["iss", "aud", "sub", "sid", "iat", "nbf", "exp", "jti"]
_LEEWAY: Final = timedelta(seconds=5)
"""By which the clocks of two servers may differ."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token states.

    Attributes:
        person: Whose it is.
        session: Where they signed in.
        kid: Name of the key that signed it.
    """

    person: UUID
    session: UUID
    kid: str


class Signer:
    """Signs access tokens with one key, without waiting for anything."""

    def __init__(self, key: SigningKey, options: IdentityOptions) -> None:
        self._key = key
        self._options = options

    def sign(self, person: UUID, session: UUID) -> tuple[str, int]:
        """Returns a token, and for how many seconds it is valid."""
        import jwt

        now = datetime.now(UTC)
        token = jwt.encode(
            {
                "iss": self._options.issuer,
                "aud": _AUDIENCE,
                "sub": str(person),
                "sid": str(session),
                "iat": now,
                "nbf": now,
                "exp": now + self._options.access,
                "jti": uuid4().hex,
            },
            self._key.private,
            algorithm=self._key.algorithm,
            headers={"kid": self._key.kid, "typ": _TYPE},
        )
        return token, int(self._options.access.total_seconds())


class AccessTokens:
    """Issues and verifies access tokens."""

    def __init__(self, keys: SigningKeys, options: IdentityOptions) -> None:
        self._keys = keys
        self._options = options

    async def signer(self) -> Signer:
        """Returns what signs now. To be fetched before a transaction: it may need one of its own."""
        return Signer(await self._keys.current(), self._options)

    async def verify(self, token: str) -> Claims:
        """Returns what a token states, if it is ours and valid now.

        The algorithm is that of the key, whatever the token says of itself; the key is one of ours, found by a name
        that leads nowhere else.

        Raises:
            Unauthenticated: It is not, or not any more.
        """
        import jwt

        if len(token) > _LONGEST:
            raise _refused()
        try:
            header = jwt.get_unverified_header(token)
            kid = header.get("kid")
            if header.get("typ") != _TYPE or not isinstance(kid, str) or not _KID.fullmatch(kid):
                raise _refused()
            key = await self._keys.find(kid)
            if key is None:
                raise _refused()
            claims = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=_AUDIENCE,
                issuer=self._options.issuer,
                leeway=_LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            return _claims(claims, kid)
        except jwt.ExpiredSignatureError as exc:
            raise Unauthenticated(
                "The access token has run out.", hint="Get another one from POST /v1/auth/refresh."
            ) from exc
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as exc:
            raise _refused() from exc


def _claims(claims: dict[str, Any], kid: str) -> Claims:
    return Claims(UUID(str(claims["sub"])), UUID(str(claims["sid"])), kid)


def _refused() -> Unauthenticated:
    return Unauthenticated("The access token is not valid here.", hint="Sign in with POST /v1/auth/sign-in.")
