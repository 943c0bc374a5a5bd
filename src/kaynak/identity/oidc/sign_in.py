from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import structlog

from kaynak.domain import (
    NOBODY,
    Action,
    GlobalRole,
    InvalidRequest,
    KaynakError,
    Person,
    SignInFailed,
    fold_email,
    validate_person_name,
)
from kaynak.identity.oidc.client_secret import ClientSecret
from kaynak.identity.oidc.id_tokens import Stated, refused, stated, verified
from kaynak.identity.oidc.provider import Provider
from kaynak.identity.options import OidcOptions
from kaynak.identity.sign_in import Client, SignedIn, SignIns
from kaynak.identity.signing import Sealing

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, Unit

log = structlog.get_logger(__name__)

SECONDS: Final = 600
"""For which somebody may take to sign in at the provider."""
_NAME: Final = "oidc-state"
_MOST_USED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that has begun.

    Attributes:
        address: Of the provider, where the browser is to go.
        sealed: What the browser is to keep in a cookie and bring back.
    """

    address: str
    sealed: str


class OpenId:
    """Signs people in with OpenID Connect: authorization code with PKCE, state and nonce.

    What is needed when the browser comes back is in its cookie, encrypted: any server of an installation can go on.
    """

    def __init__(
        self, catalog: Catalog, sealing: Sealing, sign_ins: SignIns, secret: ClientSecret, options: OidcOptions
    ) -> None:
        self._catalog = catalog
        self._sealing = sealing
        self._sign_ins = sign_ins
        self._secret = secret
        self._options = options
        self._provider = Provider(options)
        self._used: OrderedDict[str, None] = OrderedDict()

    async def close(self) -> None:
        """Closes the connections to the provider."""
        await self._provider.close()

    async def start(self, redirect: str, after: str) -> Started:
        """Begins a sign-in.

        Args:
            redirect: Our address that the provider sends the browser back to.
            after: Path on this server to go to in the end.

        Raises:
            InvalidRequest: ``after`` leads elsewhere.
            Unavailable: The provider does not answer.
            Misconfigured: What answers is not the provider in the settings.
        """
        endpoints = await self._provider.endpoints()
        redirect = self._options.redirect_url or redirect
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        kept = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "redirect": redirect,
            "after": own_path(after),
            "until": int(time.time()) + SECONDS,
        }
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(self._options.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        sealed = await self._sealing.seal(_NAME, json.dumps(kept))
        joint = "&" if "?" in endpoints.authorization else "?"
        return Started(endpoints.authorization + joint + urlencode(query), base64.urlsafe_b64encode(sealed).decode())

    async def finish(
        self, sealed: str | None, state: str, code: str, issuer: str | None, client: Client
    ) -> tuple[SignedIn, str]:
        """Goes on where the provider sent the browser back; returns the session, and where to go.

        Raises:
            SignInFailed: What came back cannot be believed, or its person may not sign in.
            Unavailable: The provider does not answer.
            Misconfigured: Our secret at the provider is kept, and cannot be read.
        """
        try:
            kept = await self._kept(sealed, state)
            if issuer is not None and issuer != self._options.issuer:
                raise refused()  # another provider's answer (RFC 9207)
            found = await self._asked(kept, code)
            signer = await self._sign_ins.signer()
            async with self._catalog.begin() as unit:
                person = await self._person(unit, found)
                await unit.groups.follow_claims(person.id, found.groups)
                signed_in = await self._sign_ins.begin(unit, person.id, client, signer)
        except SignInFailed:
            await self._catalog.audit.record(NOBODY, Action.SIGN_IN_FAILED, address=client.address, how="oidc")
            raise
        return signed_in, kept["after"]

    async def _kept(self, sealed: str | None, state: str) -> dict[str, Any]:
        """Returns what the browser brought back, once."""
        try:
            text = await self._sealing.open(_NAME, base64.urlsafe_b64decode((sealed or "").encode()))
        except (binascii.Error, ValueError):
            text = None
        kept: dict[str, Any] = json.loads(text) if text else {}
        if not kept or not hmac.compare_digest(kept["state"].encode(), state.encode()) or kept["until"] < time.time():
            raise refused()
        # The provider takes its code once, too; this saves it the question.
        if state in self._used:
            raise refused()
        self._used[state] = None
        if len(self._used) > _MOST_USED:
            self._used.popitem(last=False)
        return kept

    async def _asked(self, kept: dict[str, Any], code: str) -> Stated:
        secret = await self._secret.current()
        tokens = await self._provider.tokens(code, kept["verifier"], kept["redirect"], secret)
        claims = await verified(self._provider, self._options, tokens.get("id_token"), kept["nonce"])
        access = tokens.get("access_token")
        if isinstance(access, str) and not {"email", self._options.groups_claim} <= claims.keys():
            more = await self._provider.userinfo(access)
            if more and more.get("sub") != claims["sub"]:
                raise refused()
            claims = {**more, **claims}
        return stated(claims, self._options)

    async def _person(self, unit: Unit, found: Stated) -> Person:
        """Returns whose identity that is: by the provider's lasting name for them, whatever their address is now.

        An address links an account only if the provider knows that it is theirs: otherwise whoever registers
        somebody else's address at the provider would become them.
        """
        identity = f"{self._options.issuer}#{found.subject}"
        known = await unit.users.of_identity(identity)
        if known is not None:
            return known
        address = _address(found)
        await unit.users.lock()
        same = await unit.users.find(address)
        if same is not None:
            if not found.verified or same.identity:
                raise _not_theirs()
            await unit.users.set_identity(same.id, identity)
            unit.audit.record(f"user:{same.id}", Action.USER_CHANGED, f"user:{same.id}", identity=identity)
            return same
        if not self._options.sign_up or not await unit.users.any():
            raise SignInFailed("There is no account for you here.", hint="Ask an administrator to add you.")
        made = await unit.users.add(address, name=_name(found), role=GlobalRole.MEMBER, identity=identity)
        unit.audit.record(f"user:{made.id}", Action.USER_CREATED, f"user:{made.id}", email=address, identity=identity)
        return made


def own_path(given: str) -> str:
    """Returns a path on this server.

    Raises:
        InvalidRequest: It leads elsewhere.
    """
    if not given.startswith("/") or given[1:2] in ("/", "\\") or not given.isprintable() or len(given) > 2000:
        raise InvalidRequest("That is no path on this server.", hint="It looks like /docs.")
    return given


def _address(found: Stated) -> str:
    try:
        return fold_email(found.email or "")
    except InvalidRequest as exc:
        raise SignInFailed(
            "The provider of sign-ins does not tell your e-mail address.",
            hint="An administrator can add the scope “email” to KAYNAK_OIDC__SCOPES, and the claim at the provider.",
        ) from exc


def _name(found: Stated) -> str:
    try:
        return validate_person_name(found.name)
    except KaynakError:
        return ""


def _not_theirs() -> SignInFailed:
    return SignInFailed(
        "There is an account of that address, and it is not linked with this identity.",
        hint="Sign in as before, or ask an administrator.",
    )
