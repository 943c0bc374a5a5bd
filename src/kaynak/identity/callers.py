from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from kaynak.domain import OWNER, CatalogUnavailable, Scope, Unauthenticated, Unavailable
from kaynak.identity.options import IdentityOptions
from kaynak.identity.secrets_shown import KEY_PREFIX, hash_of
from kaynak.identity.tokens import AccessTokens, Claims

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, Look, Resolved

T = TypeVar("T")

_NOTED = timedelta(minutes=1)
"""How accurate it is when a session or key was last used: a write for every read would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        scope: What they may do.
        person: Their id; None: the owner of a laptop without accounts.
        claims: Of their access token; None: a key acts for them, or nobody needed to sign in.
    """

    scope: Scope
    person: UUID | None = None
    claims: Claims | None = None

    @property
    def session(self) -> UUID | None:
        """Where they signed in."""
        return None if self.claims is None else self.claims.session


THE_OWNER = Caller(OWNER)


class Calling(Protocol):
    """Finds out who makes a request."""

    async def find(self, credential: str | None, *, local: bool) -> Caller:
        """Returns who shows ``credential``; see `Callers.find`."""
        ...

    async def again(self, caller: Caller, credential: str | None, *, local: bool) -> Caller:
        """Returns what ``caller`` may do by now; see `Callers.again`."""
        ...


class Callers:
    """Finds out who makes a request, afresh each time: what is revoked is refused from the next request on."""

    def __init__(self, catalog: Catalog, tokens: AccessTokens, options: IdentityOptions) -> None:
        self._catalog = catalog
        self._tokens = tokens
        self._alone = options.loopback
        self._peopled = False

    async def find(self, credential: str | None, *, local: bool) -> Caller:
        """Returns who makes a request.

        Args:
            credential: An access token or an API key; None: none was shown.
            local: Whether the request comes straight from this machine. Only then, and only while there are no
                accounts at all, nobody needs one.

        Raises:
            Unauthenticated: It is not valid, or one is needed.
        """
        if not await self._needed():
            if not local:
                raise Unauthenticated(
                    "There are no accounts yet, and this request comes through a proxy or from another machine.",
                    hint="Add an administrator on the server: kaynak users add --admin EMAIL",
                )
            return THE_OWNER
        if credential is None:
            raise Unauthenticated(
                "This needs somebody who is signed in.",
                hint="Sign in with POST /v1/auth/sign-in, or send an API key: Authorization: Bearer kyn_…",
            )
        return await (self._key(credential) if credential.startswith(KEY_PREFIX) else self._session(credential))

    async def again(self, caller: Caller, credential: str | None, *, local: bool) -> Caller:
        """Returns what somebody may do by now whose request lasts.

        It lasts for as long as their session does: that the access token with which it began has run out since ends
        nothing. An API key that runs out has ended.

        Args:
            caller: What `find` returned when the request came.
            credential: What it was found by.
            local: As there.

        Raises:
            Unauthenticated: Their session or key has ended, or the key that signed the token is not trusted any more.
        """
        if caller.claims is None:
            return await self.find(credential, local=local)
        return await self._signed_in(caller.claims)

    async def _needed(self) -> bool:
        # That there are people is remembered for good; that there are none never is.
        if self._peopled or not self._alone:
            return True
        self._peopled = await self._asked(lambda look: look.anybody())
        return self._peopled

    async def _asked(self, question: Callable[[Look], Awaitable[T]]) -> T:
        with suppress(CatalogUnavailable):  # a database that was just restarted answers on a new connection
            async with self._catalog.look() as look:
                return await question(look)
        async with self._catalog.look() as look:
            return await question(look)

    async def _session(self, token: str) -> Caller:
        return await self._signed_in(await self._tokens.verify(token))

    async def _signed_in(self, claims: Claims) -> Caller:
        found = await self._asked(lambda look: look.session(claims.session, claims.person, claims.kid))
        if found is None:
            raise Unauthenticated(
                "The session has ended, or the key that signed its access token is not trusted any more.",
                hint="Get another token from POST /v1/auth/refresh; if that is refused, sign in again.",
            )
        if _is_old(found):
            with suppress(Unavailable):  # a standby that cannot write still answers
                async with self._catalog.begin() as unit:
                    await unit.sessions.seen(claims.session)
        return Caller(found.scope, found.person, claims)

    async def _key(self, key: str) -> Caller:
        found = await self._asked(lambda look: look.key(hash_of(key)))
        if found is None or found.scope.key is None:
            raise Unauthenticated(
                "The API key is not valid, or not any more.", hint="Make another one: POST /v1/me/keys"
            )
        if _is_old(found):
            with suppress(Unavailable):
                async with self._catalog.begin() as unit:
                    await unit.api_keys.seen(found.scope.key)
        return Caller(found.scope, found.person)


def _is_old(found: Resolved) -> bool:
    return found.seen_at is None or datetime.now(UTC) - found.seen_at > _NOTED
