# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import namedtuple_row
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.engine import Connection
from kaynak.catalog.sql import driver
from kaynak.domain import Permission, Scope

# All that decides what somebody may do, in one round trip: whether they may still act, their groups, what is granted
# to any of these, and what the roles in all of that bundle. Nothing of it is remembered from request to request.
_RIGHTS = """
    , principals AS (
        SELECT id FROM person
        UNION ALL SELECT m.group_id FROM kaynak.group_members m JOIN person p ON p.id = m.user_id
    ), held AS (
        SELECT DISTINCT g.collection_id AS collection, r.permission
        FROM kaynak.grants g JOIN principals p ON p.id = g.principal_id
        JOIN kaynak.role_permissions r ON r.role = g.role
    )
    SELECT person.*,
        ARRAY(SELECT id FROM principals) AS principals,
        ARRAY(SELECT r.permission FROM kaynak.role_permissions r WHERE r.role = person.role) AS everywhere,
        ARRAY(SELECT collection FROM held WHERE permission = 'documents.read') AS readable,
        ARRAY(SELECT collection FROM held WHERE permission = 'documents.write') AS editable,
        ARRAY(SELECT collection FROM held WHERE permission = 'collection.manage') AS managed
    FROM person
"""
# Every request of somebody who is signed in asks one of these: of the driver itself, without SQLAlchemy's rows.
_OF_SESSION = f"""
    WITH person AS MATERIALIZED (
        SELECT u.id, u.role, s.last_seen_at AS seen_at
        FROM kaynak.sessions s JOIN kaynak.users u ON u.id = s.user_id
        WHERE s.id = %(session)s AND s.user_id = %(user)s AND s.revoked_at IS NULL AND s.expires_at > now() AND u.active
            AND EXISTS (SELECT FROM kaynak.signing_keys k WHERE k.kid = %(kid)s)
    ) {_RIGHTS}
"""
_OF_KEY = f"""
    WITH person AS MATERIALIZED (
        SELECT u.id, u.role, k.last_used_at AS seen_at, k.id AS key, k.permissions AS allowed, k.collections AS only
        FROM kaynak.api_keys k JOIN kaynak.users u ON u.id = k.user_id
        WHERE k.hash = %(hash)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND u.active
    ) {_RIGHTS}
"""
_OF_PERSON = text(
    f"""
    WITH person AS MATERIALIZED (
        SELECT u.id, u.role, now() AS seen_at FROM kaynak.users u WHERE u.id = :user AND u.active
    ) {_RIGHTS}
    """
)

_KNOWN = frozenset(permission.value for permission in Permission)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Who somebody turned out to be.

    Attributes:
        person: Id of the person.
        scope: What they may do.
        seen_at: When the session or key was last noted as in use; None: never.
    """

    person: UUID
    scope: Scope
    seen_at: datetime | None


class Scopes:
    """What people and keys may do, read afresh in one statement each."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of_session(self, session_id: UUID, user_id: UUID, kid: str) -> Resolved | None:
        """Returns what a person may do; None if the session has ended, or they may not any more.

        Args:
            session_id: Where they are signed in.
            user_id: Who it is said to be.
            kid: The key that signed that. One that was removed since, by whatever process, is believed no more.
        """
        return await of_session(await driver(self._connection), session_id, user_id, kid)

    async def of_key(self, key_hash: bytes) -> Resolved | None:
        """Returns what a key may do; None if there is none of that hash that still works.

        It may do what its person may, and no more than is written on it.
        """
        return await of_key(await driver(self._connection), key_hash)

    async def of_person(self, user_id: UUID) -> Scope | None:
        """Returns what a person may do, signed in or not; None if there is none of that id, or they may not act."""
        found = _resolved((await self._connection.execute(_OF_PERSON, {"user": user_id})).one_or_none())
        return None if found is None else found.scope

    async def of_role(self, role: str) -> frozenset[Permission]:
        """Returns what a role bundles."""
        found = await self._connection.execute(
            text("SELECT permission FROM kaynak.role_permissions WHERE role = :role"), {"role": role}
        )
        return _permissions(found.scalars())


async def of_session(connection: Connection, session_id: UUID, user_id: UUID, kid: str) -> Resolved | None:
    """See `Scopes.of_session`."""
    return await _asked(connection, _OF_SESSION, {"session": session_id, "user": user_id, "kid": kid})


async def of_key(connection: Connection, key_hash: bytes) -> Resolved | None:
    """See `Scopes.of_key`."""
    return await _asked(connection, _OF_KEY, {"hash": key_hash})


async def _asked(connection: Connection, statement: str, values: dict[str, object]) -> Resolved | None:
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(statement, values, prepare=True)
        return _resolved(await cursor.fetchone())


def _resolved(row: Any) -> Resolved | None:
    if row is None:
        return None
    scope = _scope(row)
    if hasattr(row, "key"):
        scope = narrowed(scope, row.key, _permissions(row.allowed), row.only)
    return Resolved(row.id, scope, row.seen_at)


def _scope(row: Any) -> Scope:
    permissions, subject = _permissions(row.everywhere), f"user:{row.id}"
    if Permission.EVERY in permissions:
        return Scope(subject, None, None, None, None, permissions)
    readable = frozenset(row.readable)
    managed = readable & frozenset(row.managed)
    return Scope(
        subject,
        collections=readable,
        editable=readable & frozenset(row.editable),
        managed=managed,
        principals=frozenset(row.principals) | managed,
        permissions=permissions,
    )


def narrowed(scope: Scope, key: UUID, allowed: frozenset[Permission], only: Iterable[UUID] | None) -> Scope:
    """Returns what is left of a person's scope when a key acts for them.

    Args:
        scope: Of the person.
        key: Id of the key.
        allowed: What is written on the key.
        only: The collections that are written on it; None: all.
    """

    def within(held: frozenset[UUID] | None, permission: Permission) -> frozenset[UUID] | None:
        # What may not be read cannot be changed either: it does not exist.
        if permission not in allowed or Permission.READ not in allowed:
            return frozenset()
        if only is None:
            return held
        return frozenset(only) if held is None else held & frozenset(only)

    return Scope(
        scope.subject,
        collections=within(scope.collections, Permission.READ),
        editable=within(scope.editable, Permission.WRITE),
        managed=within(scope.managed, Permission.MANAGE),
        principals=scope.principals,
        permissions=scope.permissions & allowed,
        key=key,
    )


def _permissions(names: Iterable[str]) -> frozenset[Permission]:
    # A newer version may have written permissions that this one does not know; it does not grant them.
    return frozenset(Permission(name) for name in names if name in _KNOWN)
