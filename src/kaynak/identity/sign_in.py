from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from kaynak.domain import NOBODY, Action, InvalidRequest, SignInFailed, Unauthenticated, fold_email
from kaynak.identity.options import IdentityOptions
from kaynak.identity.passwords import Passwords
from kaynak.identity.secrets_shown import REFRESH_PREFIX, hash_of, new_secret
from kaynak.identity.tokens import AccessTokens, Signer

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, Credentials, Unit

log = structlog.get_logger(__name__)

_MOST_DEVICE = 200
_KEPT = timedelta(days=30)
"""For which ended sessions are kept, for the audit."""
_THROTTLED_SECONDS = 60.0
_ADDRESSES_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Client:
    """Where somebody signs in.

    Attributes:
        address: Of the network.
        device: What the client calls itself.
    """

    address: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session, and the tokens to go on with.

    Attributes:
        person: Who.
        session: Its id.
        access_token: Sent with every request.
        expires_in: Seconds for which it is valid.
        refresh_token: Exchanged for the next two; works once.
        refresh_expires_in: Seconds for which it is valid.
    """

    person: UUID
    session: UUID
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class SignIns:
    """Begins sessions, keeps them going, and ends them."""

    def __init__(
        self,
        catalog: Catalog,
        passwords: Passwords,
        tokens: AccessTokens,
        options: IdentityOptions,
    ) -> None:
        self._catalog = catalog
        self._passwords = passwords
        self._tokens = tokens
        self._options = options
        self._throttled: dict[str, float] = {}

    async def by_password(self, email: str, password: str, client: Client) -> SignedIn:
        """Begins a session.

        How often is for the caller to limit. Whether there is such a person, has a password, or may sign in, shows
        neither in the answer nor in the work.

        Raises:
            SignInFailed: The two do not belong together.
            Unavailable: Too many people sign in at this moment.
        """
        account = _folded(email)
        async with self._catalog.read() as unit:
            found = await unit.users.credentials(account)
        checked = await self._passwords.check(password, found.password_hash if found else None)
        if found is None or not checked.matches or not found.active:
            await self._catalog.audit.record(
                NOBODY, Action.SIGN_IN_FAILED, f"user:{found.id}" if found else "", address=client.address
            )
            raise _failed()
        return await self._begin(found, checked.rehashed, client)

    async def throttled(self, client: Client) -> None:
        """Writes down that an address tries too often: once in a while, or the tries would fill the log."""
        now = time.monotonic()
        if now < self._throttled.get(client.address, 0.0):
            return
        if len(self._throttled) >= _ADDRESSES_MOST:
            self._throttled.clear()
        self._throttled[client.address] = now + _THROTTLED_SECONDS
        await self._catalog.audit.record(NOBODY, Action.SIGN_IN_THROTTLED, "", address=client.address)

    async def confirm(self, person: UUID, password: str) -> None:
        """Returns if that is the person's password: asked for before it is changed.

        Raises:
            SignInFailed: It is not.
        """
        async with self._catalog.read() as unit:
            found = await unit.users.credentials_of(person)
        checked = await self._passwords.check(password, found.password_hash if found else None)
        if not checked.matches:
            raise SignInFailed("The password is not yours.", hint="Type the one that you sign in with now.")

    async def signer(self) -> Signer:
        """Returns what `begin` needs; to be fetched before its transaction."""
        return await self._tokens.signer()

    async def begin(self, unit: Unit, person: UUID, client: Client, signer: Signer) -> SignedIn:
        """Begins a session of somebody who proved who they are in another way, in the caller's transaction.

        Raises:
            SignInFailed: They may not sign in.
        """
        return await self._started(unit, person, None, client, signer)

    async def refresh(self, refresh_token: str, client: Client) -> SignedIn:
        """Exchanges a refresh token for the next tokens of its session.

        One that was used before was copied by somebody: which of the two shows it now cannot be known, so the
        session ends, for both.

        Raises:
            Unauthenticated: It is not valid, or not any more.
        """
        hashed, signer = hash_of(refresh_token), await self._tokens.signer()
        async with self._catalog.begin() as unit:
            session = await unit.sessions.use_token(hashed)
            signed_in = None if session is None else await self._prolonged(unit, session, client, signer)
            stolen = None if session is not None else await unit.sessions.session_of_token(hashed)
            if stolen is not None and await unit.sessions.revoke(stolen, "reuse"):
                log.warning("refresh_token_reused", session=str(stolen))
                unit.audit.record(NOBODY, Action.TOKEN_REUSED, f"session:{stolen}", address=client.address)
        if signed_in is None:
            raise Unauthenticated("The refresh token is not valid.", hint="Sign in with POST /v1/auth/sign-in.")
        return signed_in

    async def sign_out(self, session: UUID) -> None:
        """Ends a session; the next request with its tokens is refused."""
        async with self._catalog.begin() as unit:
            await _end(unit, session)

    async def sign_out_token(self, refresh_token: str) -> None:
        """Ends the session of a refresh token, if there is one."""
        async with self._catalog.begin() as unit:
            session = await unit.sessions.session_of_token(hash_of(refresh_token))
            if session is not None:
                await _end(unit, session)

    async def _begin(self, found: Credentials, rehashed: str | None, client: Client) -> SignedIn:
        signer = await self._tokens.signer()
        async with self._catalog.begin() as unit:
            expected = found.password_hash
            if rehashed is not None and await unit.users.set_password(found.id, rehashed, instead_of=expected):
                expected = rehashed
            signed_in = await self._started(unit, found.id, expected, client, signer)
            await unit.sessions.forget_old(_KEPT)
        return signed_in

    async def _started(
        self, unit: Unit, person: UUID, expected: str | None, client: Client, signer: Signer
    ) -> SignedIn:
        session = await unit.sessions.begin(
            person,
            password_hash=expected,
            device=_visible(client.device),
            address=client.address,
            lasts=self._options.refresh,
        )
        if session is None:
            raise _failed()
        unit.audit.record(
            f"user:{person}",
            Action.SIGN_IN,
            f"session:{session}",
            address=client.address,
            device=_visible(client.device),
            how="password" if expected is not None else "identity",
        )
        return await self._issue(unit, person, session, signer)

    async def _prolonged(self, unit: Unit, session: UUID, client: Client, signer: Signer) -> SignedIn | None:
        person = await unit.sessions.prolong(session, address=client.address, lasts=self._options.refresh)
        return None if person is None else await self._issue(unit, person, session, signer)

    async def _issue(self, unit: Unit, person: UUID, session: UUID, signer: Signer) -> SignedIn:
        refresh = new_secret(REFRESH_PREFIX)
        await unit.sessions.add_token(session, hash_of(refresh))
        access, seconds = signer.sign(person, session)
        return SignedIn(person, session, access, seconds, refresh, int(self._options.refresh.total_seconds()))


async def _end(unit: Unit, session: UUID) -> None:
    if await unit.sessions.revoke(session, "signed-out"):
        person = await unit.sessions.person(session)
        unit.audit.record(f"user:{person}", Action.SIGN_OUT, f"session:{session}")


def _folded(email: str) -> str:
    try:
        return fold_email(email)
    except InvalidRequest:
        return email.strip().casefold()  # nobody's, and answered like everybody else's


def _visible(device: str) -> str:
    return "".join(char for char in device if char.isprintable())[:_MOST_DEVICE]


def _failed() -> SignInFailed:
    return SignInFailed(
        "The e-mail address and the password do not belong together.",
        hint="Check both; an administrator can set another password.",
    )
