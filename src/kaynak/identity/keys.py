from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from kaynak.domain import (
    COLLECTION_PERMISSIONS,
    Action,
    ApiKey,
    CollectionNotFound,
    Forbidden,
    InvalidRequest,
    Permission,
    Scope,
    validate_person_name,
)
from kaynak.identity.callers import Caller
from kaynak.identity.me import themselves
from kaynak.identity.secrets_shown import KEY_PREFIX, hash_of, hint_of, new_secret

if TYPE_CHECKING:
    from kaynak.catalog import Catalog, Unit


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a key is to be.

    Attributes:
        name: For people.
        permissions: At most these of its person's.
        collections: Names of the only collections it may touch; None: all that its person may.
        expires_at: None: never.
    """

    name: str
    permissions: frozenset[Permission] = frozenset({Permission.READ})
    collections: Sequence[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made.

    Attributes:
        key: What may be shown of it.
        secret: The key itself; shown this once.
    """

    key: ApiKey
    secret: str


class Keys:
    """API keys: made, listed, revoked."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def create(self, caller: Caller, wish: KeyWish) -> NewKey:
        """Makes a key that acts for the caller.

        Raises:
            Forbidden: A key asks, or a permission is wished that the caller does not have.
            Conflict: There are no accounts.
            InvalidRequest: It has run out already, or has no name.
            CollectionNotFound: One of the collections does not exist for the caller.
        """
        person, _ = themselves(caller)
        return await self._create(caller.scope, caller.scope, person, wish)

    async def create_for(self, caller: Caller, person: UUID, wish: KeyWish) -> NewKey:
        """Makes a key that acts for somebody else.

        Raises:
            Forbidden: The caller may not or is a key, or a permission is wished that the person does not have, or
                the person may do what the caller may not.
            NotFound: There is nobody of that id.
            InvalidRequest: It has run out already, has no name, or the person is not active.
            CollectionNotFound: One of the collections does not exist for that person.
        """
        caller.scope.require(Permission.PEOPLE)
        if caller.scope.key is not None:
            raise Forbidden("A key cannot make keys.", hint="Sign in with POST /v1/auth/sign-in.")
        async with self._catalog.read() as unit:
            await unit.users.get(person)
            theirs = await unit.scopes.of_person(person)
        if theirs is None:
            raise InvalidRequest("Somebody who may not sign in needs no key.", hint="Make the account active first.")
        if theirs.permissions - caller.scope.permissions:
            raise Forbidden("They may do what you may not; a key of theirs would let you.")
        return await self._create(caller.scope, theirs, person, wish)

    async def list(self, caller: Caller) -> list[ApiKey]:
        """Returns the caller's keys.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
        """
        person, _ = themselves(caller)
        async with self._catalog.read() as unit:
            return await unit.api_keys.list(person)

    async def list_of(self, scope: Scope, person: UUID) -> Sequence[ApiKey]:
        """Returns the keys of somebody.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.read() as unit:
            await unit.users.get(person)
            return await unit.api_keys.list(person)

    async def revoke(self, caller: Caller, key: UUID) -> None:
        """Ends one of the caller's keys.

        Raises:
            Forbidden: A key asks.
            Conflict: There are no accounts.
            NotFound: They have none of that id.
        """
        person, _ = themselves(caller)
        async with self._catalog.begin() as unit:
            await unit.api_keys.revoke(key, user_id=person)
            unit.audit.record(caller.scope, Action.KEY_REVOKED, f"key:{key}")

    async def revoke_of(self, scope: Scope, key: UUID, *, person: UUID | None = None) -> None:
        """Ends a key of somebody.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is none of that id, or not of that person.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.api_keys.revoke(key, user_id=person)
            unit.audit.record(scope, Action.KEY_REVOKED, f"key:{key}", person=person)

    async def _create(self, by: Scope, scope: Scope, person: UUID, wish: KeyWish) -> NewKey:
        name = validate_person_name(wish.name)
        if not name:
            raise InvalidRequest("A key needs a name, so that you know it again.")
        if wish.expires_at is not None and wish.expires_at <= datetime.now(UTC):
            raise InvalidRequest("The key would have run out already.", hint="expires_at lies in the past.")
        permissions = _complete(scope, wish.permissions)
        secret = new_secret(KEY_PREFIX)
        async with self._catalog.begin() as unit:
            made = await unit.api_keys.add(
                person,
                name=name,
                key_hash=hash_of(secret),
                hint=hint_of(secret),
                permissions=permissions,
                collections=None if wish.collections is None else await _ids(unit, scope, wish.collections),
                expires_at=wish.expires_at,
            )
            unit.audit.record(
                by, Action.KEY_CREATED, f"key:{made.id}", person=person, name=name, permissions=sorted(permissions)
            )
        return NewKey(made, secret)


def _complete(scope: Scope, wished: frozenset[Permission]) -> frozenset[Permission]:
    """Returns the permissions to be written on a key: what it cannot read, it could not change.

    Raises:
        Forbidden: Its person does not have one of them.
    """
    beyond = {one for one in wished if one not in COLLECTION_PERMISSIONS} - scope.permissions
    if beyond:
        raise Forbidden(f"A key cannot have what its person has not: {', '.join(sorted(beyond))}.")
    changing = wished & {Permission.WRITE, Permission.MANAGE}
    return wished | {Permission.READ} if changing else wished


async def _ids(unit: Unit, scope: Scope, names: Sequence[str]) -> Sequence[UUID]:
    found = [(await unit.collections.get(scope, name)).id for name in dict.fromkeys(names)]
    if not found:
        raise CollectionNotFound("A key for no collection at all would be good for nothing.", hint="Leave it out.")
    return found
