# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Conflict, GlobalRole, NotFound, Person, new_id

ANYBODY = "SELECT EXISTS (SELECT FROM kaynak.users)"
"""Whether there are accounts at all."""

_COLUMNS = """u.id, u.email, u.name, u.role, u.active, u.password_hash IS NOT NULL AS password,
    u.identity IS NOT NULL AS identity, u.created_at, u.updated_at"""
_ADMINISTRATORS_LOCK = 0x6B61796E03
"""Held by those who may take the last administrator away, or make the first person."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is checked against.

    Attributes:
        id: Of the person.
        password_hash: None: they have no password.
        active: Whether they may sign in.
    """

    id: UUID
    password_hash: str | None
    active: bool


class Users:
    """The accounts of people."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def any(self) -> bool:
        """Returns whether there are accounts at all."""
        found = await self._connection.execute(text(ANYBODY))
        return bool(found.scalar_one())

    async def administrators(self) -> int:
        """Returns how many administrators may sign in."""
        found = await self._connection.execute(
            text("SELECT count(*) FROM kaynak.users WHERE active AND role = :role"),
            {"role": GlobalRole.ADMINISTRATOR.value},
        )
        return int(found.scalar_one())

    async def lock(self) -> None:
        """Makes others wait who would add the first person, or take rights from an administrator."""
        await self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADMINISTRATORS_LOCK})")

    async def add(
        self,
        email: str,
        *,
        name: str,
        role: GlobalRole,
        password_hash: str | None = None,
        identity: str | None = None,
    ) -> Person:
        """Adds somebody and returns them.

        Args:
            email: Folded.
            name: May be empty.
            role: What they are to the installation.
            password_hash: None: they cannot sign in by password.
            identity: Issuer and subject of OpenID Connect.

        Raises:
            Conflict: There is somebody of that address, or that identity.
        """
        row = {
            "id": new_id(),
            "email": email,
            "name": name,
            "role": role.value,
            "password_hash": password_hash,
            "identity": identity,
        }
        made = await self._guarded(
            "INSERT INTO kaynak.users AS u (id, email, name, role, password_hash, identity) "
            f"VALUES (:id, :email, :name, :role, :password_hash, :identity) RETURNING {_COLUMNS}",
            row,
        )
        if made is None:
            raise AssertionError("INSERT … RETURNING gives a row")
        return made

    async def get(self, user_id: UUID, *, lock: bool = False) -> Person:
        """Returns the person, locked until the transaction ends if asked.

        Raises:
            NotFound: There is none of that id.
        """
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.users u WHERE u.id = :id" + (" FOR NO KEY UPDATE" if lock else "")),
            {"id": user_id},
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise _missing()
        return _person(row)

    async def find(self, email: str) -> Person | None:
        """Returns the person of a folded address."""
        return await self._one("u.email = :value", email)

    async def of_identity(self, identity: str) -> Person | None:
        """Returns the person of an issuer and subject of OpenID Connect."""
        return await self._one("u.identity = :value", identity)

    async def credentials(self, email: str) -> Credentials | None:
        """Returns what a sign-in under a folded address is checked against."""
        return await self._credentials("email", email)

    async def credentials_of(self, user_id: UUID) -> Credentials | None:
        """Returns what a sign-in of that person is checked against."""
        return await self._credentials("id", user_id)

    async def list(self, *, after: UUID | None, limit: int) -> list[Person]:
        """Returns people in the order in which they were added."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.users u WHERE (CAST(:after AS uuid) IS NULL OR u.id > :after) "
                "ORDER BY u.id LIMIT :limit"
            ),
            {"after": after, "limit": limit},
        )
        return [_person(row) for row in found.mappings()]

    async def update(
        self,
        user_id: UUID,
        *,
        email: str | None = None,
        name: str | None = None,
        role: GlobalRole | None = None,
        active: bool | None = None,
    ) -> Person:
        """Changes what is given, and returns the person.

        Raises:
            NotFound: There is none of that id.
            Conflict: There is somebody else of that address.
        """
        changed = await self._guarded(
            "UPDATE kaynak.users AS u SET email = coalesce(:email, u.email), name = coalesce(:name, u.name), "
            "role = coalesce(:role, u.role), active = coalesce(:active, u.active), updated_at = now() "
            f"WHERE u.id = :id RETURNING {_COLUMNS}",
            {"id": user_id, "email": email, "name": name, "role": role.value if role else None, "active": active},
        )
        if changed is None:
            raise _missing()
        return changed

    async def set_password(self, user_id: UUID, password_hash: str | None, *, instead_of: str | None = None) -> bool:
        """Sets the hash of a password; returns whether it was done.

        Args:
            user_id: Whose.
            password_hash: None: they cannot sign in by password any more.
            instead_of: Only if the hash is still this one.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.users SET password_hash = :hash, updated_at = now() WHERE id = :id "
                "AND (CAST(:old AS text) IS NULL OR password_hash = :old) RETURNING id"
            ),
            {"id": user_id, "hash": password_hash, "old": instead_of},
        )
        return done.one_or_none() is not None

    async def set_identity(self, user_id: UUID, identity: str | None) -> None:
        """Links a person with an issuer and subject of OpenID Connect, or ends that.

        Raises:
            Conflict: Somebody else is linked with it.
        """
        await self._guarded(
            "UPDATE kaynak.users AS u SET identity = :identity, updated_at = now() "
            f"WHERE u.id = :id RETURNING {_COLUMNS}",
            {"id": user_id, "identity": identity},
        )

    async def delete(self, user_id: UUID) -> None:
        """Removes a person with their sessions, keys, grants and memberships.

        Raises:
            NotFound: There is none of that id.
        """
        done = await self._connection.execute(
            text("DELETE FROM kaynak.users WHERE id = :id RETURNING id"), {"id": user_id}
        )
        if done.one_or_none() is None:
            raise _missing()

    async def _one(self, condition: str, value: str) -> Person | None:
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.users u WHERE {condition}"), {"value": value}
        )
        row = found.mappings().one_or_none()
        return None if row is None else _person(row)

    async def _credentials(self, column: str, value: object) -> Credentials | None:
        found = await self._connection.execute(
            text(f"SELECT id, password_hash, active FROM kaynak.users WHERE {column} = :value"), {"value": value}
        )
        row = found.one_or_none()
        return None if row is None else Credentials(row.id, row.password_hash, row.active)

    async def _guarded(self, statement: str, parameters: Mapping[str, Any]) -> Person | None:
        try:
            done = await self._connection.execute(text(statement), parameters)
        except sqlalchemy.exc.IntegrityError as exc:
            name = getattr(getattr(exc.orig, "diag", None), "constraint_name", "")
            if name == "uq_users_identity":
                raise Conflict("Somebody else is linked with that identity.") from exc
            if name != "uq_users_email":
                raise
            raise Conflict("There is somebody of that address already.", hint="Change that account instead.") from exc
        row = done.mappings().one_or_none()
        return None if row is None else _person(row)


def _missing() -> NotFound:
    return NotFound("There is nobody of that id.", hint="See /v1/users, or: kaynak users list")


def _person(row: Mapping[Any, Any]) -> Person:
    return Person(**{**row, "role": GlobalRole(row["role"])})
