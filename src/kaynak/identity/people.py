from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from kaynak.domain import (
    OWNER,
    Action,
    Conflict,
    Forbidden,
    GlobalRole,
    InvalidRequest,
    NotFound,
    Permission,
    Person,
    Scope,
    Session,
    fold_email,
    validate_person_name,
)
from kaynak.identity.password_rules import check_password
from kaynak.identity.passwords import Passwords

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, Unit


class People:
    """The accounts of people, and their sessions, for those who administer them."""

    def __init__(self, catalog: Catalog, passwords: Passwords) -> None:
        self._catalog = catalog
        self._passwords = passwords

    async def add(
        self,
        scope: Scope,
        email: str,
        *,
        name: str = "",
        role: GlobalRole = GlobalRole.MEMBER,
        password: str | None = None,
        password_hash: str | None = None,
    ) -> Person:
        """Adds somebody and returns them.

        Args:
            scope: Who adds them.
            email: Their address.
            name: Their name; may be empty.
            role: What they are to be.
            password: None: they sign in with OpenID Connect, or get one later.
            password_hash: Instead of a password: how an older system kept it.

        Raises:
            Forbidden: The caller may not, or would give rights that they do not have.
            WeakPassword: The password is not good enough.
            InvalidRequest: The address, the name or the hash cannot be.
            Conflict: There is somebody of that address, or this would be the first person and no administrator.
        """
        scope.require(Permission.PEOPLE)
        address, name = fold_email(email), validate_person_name(name)
        hashed = await self._hashed(password, password_hash, about=(address, name))
        async with self._catalog.begin() as unit:
            await self._may_give(unit, scope, role)
            await unit.users.lock()
            if role is not GlobalRole.ADMINISTRATOR and not await unit.users.any():
                raise Conflict(
                    "The first person must be an administrator: from then on everybody must sign in.",
                    hint="Add an administrator first: kaynak users add --admin EMAIL",
                )
            added = await unit.users.add(address, name=name, role=role, password_hash=hashed)
            unit.audit.record(scope, Action.USER_CREATED, f"user:{added.id}", email=address, name=name, role=role)
        return added

    async def administered(self) -> bool:
        """Returns whether there is an administrator who may sign in."""
        async with self._catalog.read() as unit:
            return await unit.users.administrators() > 0

    async def get(self, scope: Scope, person: UUID) -> Person:
        """Returns somebody.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            return await unit.users.get(person)

    async def find(self, scope: Scope, email: str) -> Person:
        """Returns the person of an address.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            found = await unit.users.find(fold_email(email))
        if found is None:
            raise NotFound("There is nobody of that address.", hint="See who there is: kaynak users list")
        return found

    async def list(self, scope: Scope, *, after: UUID | None, limit: int) -> list[Person]:
        """Returns people in the order in which they were added.

        Raises:
            Forbidden: The caller may not.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            return await unit.users.list(after=after, limit=limit)

    async def update(
        self,
        scope: Scope,
        person: UUID,
        *,
        email: str | None = None,
        name: str | None = None,
        role: GlobalRole | None = None,
        active: bool | None = None,
        password: str | None = None,
        password_hash: str | None = None,
    ) -> Person:
        """Changes what is given, and returns the person. A new password, or going inactive, ends their sessions.

        Raises:
            Forbidden: The caller may not, or would gain rights by it.
            WeakPassword: The password is not good enough.
            InvalidRequest: The address, the name or the hash cannot be.
            NotFound: There is none of that id.
            Conflict: There is somebody else of that address, or nobody would be left to administer.
        """
        scope.require(Permission.PEOPLE)
        before = await self.get(scope, person)
        address = None if email is None else fold_email(email)
        label = None if name is None else validate_person_name(name)
        hashed = await self._hashed(password, password_hash, about=(address or before.email, label or before.name))
        async with self._catalog.begin() as unit:
            await unit.users.lock()
            before = await unit.users.get(person, lock=True)
            await self._may_give(unit, scope, before.role)
            if role is not None:
                await self._may_give(unit, scope, role)
            changed = await unit.users.update(person, email=address, name=label, role=role, active=active)
            unit.audit.record(
                scope, Action.USER_CHANGED, f"user:{person}", email=address, name=label, role=role, active=active
            )
            if hashed is not None:
                await unit.users.set_password(person, hashed)
                await unit.sessions.revoke_all(person, "password-changed")
                unit.audit.record(scope, Action.PASSWORD_CHANGED, f"user:{person}")
                changed = await unit.users.get(person)
            if not changed.active:
                await unit.sessions.revoke_all(person, "inactive")
            await self._somebody_administers(unit, before)
        return changed

    async def delete(self, scope: Scope, person: UUID) -> None:
        """Removes somebody with their sessions, keys, memberships and what was granted to them.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id.
            Conflict: Nobody would be left to administer.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.users.lock()
            before = await unit.users.get(person, lock=True)
            await self._may_give(unit, scope, before.role)
            await unit.users.delete(person)
            unit.audit.record(scope, Action.USER_DELETED, f"user:{person}")
            # Who keeps the data directory may go back to a laptop without accounts.
            if scope.subject != OWNER.subject or await unit.users.any():
                await self._somebody_administers(unit, before)

    async def sessions(self, scope: Scope, person: UUID) -> Sequence[Session]:
        """Returns where somebody is signed in.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            await unit.users.get(person)
            return await unit.sessions.list(person)

    async def end_session(self, scope: Scope, person: UUID, session: UUID) -> None:
        """Ends a session of somebody.

        Raises:
            Forbidden: The caller may not.
            NotFound: They have none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            if not await unit.sessions.revoke(session, "administrator", user_id=person):
                raise no_session()
            unit.audit.record(scope, Action.SESSION_REVOKED, f"session:{session}", person=person)

    async def end_sessions(self, scope: Scope, person: UUID) -> None:
        """Ends all sessions of somebody.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.users.get(person)
            await unit.sessions.revoke_all(person, "administrator")
            unit.audit.record(scope, Action.SESSION_REVOKED, f"user:{person}")

    async def _hashed(self, password: str | None, password_hash: str | None, *, about: tuple[str, ...]) -> str | None:
        if password_hash is not None:
            if password is not None:
                raise InvalidRequest("There is a password and the hash of one.", hint="Give one of them.")
            return self._passwords.acceptable(password_hash)
        if password is None:
            return None
        check_password(password, about=about)
        return await self._passwords.hash(password)

    async def _may_give(self, unit: Unit, scope: Scope, role: GlobalRole) -> None:
        """Lets pass who holds all that a role gives: nobody gains rights by handing them out, or over somebody else.

        Raises:
            Forbidden: They do not.
        """
        beyond = await unit.scopes.of_role(role) - scope.permissions
        if beyond:
            lacking = ", ".join(sorted(beyond))
            raise Forbidden(
                f"The role {role.value} has permissions that you do not have: {lacking}.", hint="Ask an administrator."
            )

    async def _somebody_administers(self, unit: Unit, before: Person) -> None:
        """Raises `Conflict` if the last administrator was just taken away: nobody could mend it over HTTP."""
        if before.role is GlobalRole.ADMINISTRATOR and before.active and not await unit.users.administrators():
            raise Conflict(
                "That is the last administrator who may sign in.", hint="Make somebody else an administrator first."
            )


def no_session() -> NotFound:
    """Returns the error for a session that is not there, or not theirs."""
    return NotFound("There is no such session.", hint="It may have ended already.")
