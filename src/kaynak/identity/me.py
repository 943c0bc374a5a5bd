from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from kaynak.domain import Action, Conflict, Forbidden, Group, InvalidRequest, Person, Session, validate_person_name
from kaynak.identity.callers import Caller
from kaynak.identity.password_rules import check_password
from kaynak.identity.passwords import Passwords
from kaynak.identity.people import no_session
from kaynak.identity.sign_in import SignIns

if TYPE_CHECKING:
    from kaynak.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's own account.

    Attributes:
        person: Who.
        groups: Those they are in.
    """

    person: Person
    groups: Sequence[Group]


class Me:
    """What people do with their own accounts."""

    def __init__(self, catalog: Catalog, passwords: Passwords, sign_ins: SignIns) -> None:
        self._catalog = catalog
        self._passwords = passwords
        self._sign_ins = sign_ins

    async def account(self, caller: Caller) -> Account | None:
        """Returns the caller's account; None for the owner of a laptop without accounts."""
        if caller.person is None:
            return None
        async with self._catalog.read() as unit:
            return Account(await unit.users.get(caller.person), await unit.groups.of_person(caller.person))

    async def update(
        self, caller: Caller, *, name: str | None = None, password: str | None = None, old_password: str | None = None
    ) -> Account:
        """Changes the caller's name, password, or both. A new password ends their other sessions.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
            SignInFailed: The old password is not theirs.
            WeakPassword: The new one is not good enough.
            InvalidRequest: The name cannot be, or the old password is missing.
        """
        person, session = themselves(caller)
        label = None if name is None else validate_person_name(name)
        hashed = None
        if password is not None:
            hashed = await self._new_password(person, password, old_password, label)
        async with self._catalog.begin() as unit:
            if label is not None:
                await unit.users.update(person, name=label)
                unit.audit.record(caller.scope, Action.USER_CHANGED, f"user:{person}", name=label)
            if hashed is not None:
                await unit.users.set_password(person, hashed)
                await unit.sessions.revoke_all(person, "password-changed", but=session)
                unit.audit.record(caller.scope, Action.PASSWORD_CHANGED, f"user:{person}")
            return Account(await unit.users.get(person), await unit.groups.of_person(person))

    async def sessions(self, caller: Caller) -> list[Session]:
        """Returns where the caller is signed in, last used first.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
        """
        person, _ = themselves(caller)
        async with self._catalog.read() as unit:
            return await unit.sessions.list(person)

    async def end_session(self, caller: Caller, session: UUID) -> None:
        """Ends one of the caller's sessions.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
            NotFound: They have none of that id.
        """
        person, _ = themselves(caller)
        async with self._catalog.begin() as unit:
            if not await unit.sessions.revoke(session, "signed-out", user_id=person):
                raise no_session()
            unit.audit.record(caller.scope, Action.SESSION_REVOKED, f"session:{session}")

    async def end_other_sessions(self, caller: Caller) -> None:
        """Ends all of the caller's sessions but this one.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
        """
        person, session = themselves(caller)
        async with self._catalog.begin() as unit:
            await unit.sessions.revoke_all(person, "signed-out", but=session)
            unit.audit.record(caller.scope, Action.SESSION_REVOKED, f"user:{person}", but=session)

    async def _new_password(self, person: UUID, password: str, old: str | None, name: str | None) -> str:
        async with self._catalog.read() as unit:
            known = await unit.users.get(person)
        if known.password:
            if old is None:
                raise InvalidRequest("Changing the password needs the old one.", hint="Send it as old_password.")
            await self._sign_ins.confirm(person, old)
        check_password(password, about=(known.email, name or known.name))
        return await self._passwords.hash(password)


def themselves(caller: Caller) -> tuple[UUID, UUID]:
    """Returns the person and the session of somebody who signed in themselves.

    Raises:
        Forbidden: A key acts for them; it must not make itself keys, or learn where they are signed in.
        Conflict: There are no accounts.
    """
    if caller.person is None:
        raise Conflict(
            "There are no accounts yet: whoever uses this machine is the owner.",
            hint="Add an administrator: kaynak users add --admin EMAIL",
        )
    if caller.session is None:
        raise Forbidden("A key cannot do that; its person can.", hint="Sign in with POST /v1/auth/sign-in.")
    return caller.person, caller.session
