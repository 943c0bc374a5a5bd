# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Conflict, Group, Member, NotFound, new_id

_COLUMNS = """g.id, g.name, g.description, g.claim, g.created_at,
    (SELECT count(*) FROM kaynak.group_members m WHERE m.group_id = g.id) AS members"""


class Groups:
    """Groups of people, and who is in them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, name: str, *, description: str = "", claim: str | None = None) -> Group:
        """Makes a group without members and returns it.

        Raises:
            Conflict: There is a group of that name, or of that claim.
        """
        made = await self._guarded(
            "INSERT INTO kaynak.groups AS g (id, name, description, claim) VALUES (:id, :name, :description, :claim) "
            f"RETURNING {_COLUMNS}",
            {"id": new_id(), "name": name, "description": description, "claim": claim},
        )
        if made is None:
            raise AssertionError("INSERT … RETURNING gives a row")
        return made

    async def get(self, group_id: UUID) -> Group:
        """Returns the group.

        Raises:
            NotFound: There is none of that id.
        """
        return await self._one("g.id = :value", group_id)

    async def find(self, name: str) -> Group:
        """Returns the group of that name.

        Raises:
            NotFound: There is none.
        """
        return await self._one("g.name = :value", name)

    async def list(self, *, after: str | None, limit: int) -> list[Group]:
        """Returns groups by name."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.groups g WHERE (CAST(:after AS text) IS NULL OR g.name > :after) "
                "ORDER BY g.name LIMIT :limit"
            ),
            {"after": after, "limit": limit},
        )
        return [_group(row) for row in found.mappings()]

    async def of_person(self, user_id: UUID) -> Sequence[Group]:
        """Returns the groups that a person is in, by name."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.groups g "
                "JOIN kaynak.group_members i ON i.group_id = g.id AND i.user_id = :id ORDER BY g.name"
            ),
            {"id": user_id},
        )
        return [_group(row) for row in found.mappings()]

    async def update(
        self, group_id: UUID, *, name: str | None = None, description: str | None = None, claim: str | None = None
    ) -> Group:
        """Changes what is given, and returns the group; an empty ``claim`` is none.

        Raises:
            NotFound: There is none of that id.
            Conflict: There is another group of that name, or of that claim.
        """
        changed = await self._guarded(
            "UPDATE kaynak.groups AS g SET name = coalesce(:name, g.name), "
            "description = coalesce(:description, g.description), "
            "claim = nullif(coalesce(:claim, g.claim), '') "
            f"WHERE g.id = :id RETURNING {_COLUMNS}",
            {"id": group_id, "name": name, "description": description, "claim": claim},
        )
        if changed is None:
            raise _missing()
        return changed

    async def delete(self, group_id: UUID) -> None:
        """Removes a group with what was granted to it.

        Raises:
            NotFound: There is none of that id.
        """
        done = await self._connection.execute(
            text("DELETE FROM kaynak.groups WHERE id = :id RETURNING id"), {"id": group_id}
        )
        if done.one_or_none() is None:
            raise _missing()

    async def members(self, group_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Member]:
        """Returns who is in a group, in the order in which they were added to the installation."""
        found = await self._connection.execute(
            text(
                "SELECT u.id, u.email, u.name, m.by_claim FROM kaynak.group_members m "
                "JOIN kaynak.users u ON u.id = m.user_id WHERE m.group_id = :id "
                "AND (CAST(:after AS uuid) IS NULL OR u.id > :after) ORDER BY u.id LIMIT :limit"
            ),
            {"id": group_id, "after": after, "limit": limit},
        )
        return [Member(**row) for row in found.mappings()]

    async def add_member(self, group_id: UUID, user_id: UUID) -> None:
        """Puts somebody into a group to stay, also if OpenID Connect had put them there."""
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.group_members (group_id, user_id) VALUES (:group, :user) "
                "ON CONFLICT (group_id, user_id) DO UPDATE SET by_claim = false"
            ),
            {"group": group_id, "user": user_id},
        )

    async def remove_member(self, group_id: UUID, user_id: UUID) -> bool:
        """Takes somebody out of a group; returns whether they were in it."""
        done = await self._connection.execute(
            text("DELETE FROM kaynak.group_members WHERE group_id = :group AND user_id = :user RETURNING user_id"),
            {"group": group_id, "user": user_id},
        )
        return done.one_or_none() is not None

    async def follow_claims(self, user_id: UUID, claims: Iterable[str]) -> None:
        """Makes the memberships that come from OpenID Connect those of ``claims``; others stay as they are."""
        values = {"user": user_id, "claims": sorted(set(claims))}
        await self._connection.execute(
            text(
                "DELETE FROM kaynak.group_members m USING kaynak.groups g WHERE m.user_id = :user AND m.by_claim "
                "AND g.id = m.group_id AND (g.claim IS NULL OR g.claim <> ALL (CAST(:claims AS text[])))"
            ),
            values,
        )
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.group_members (group_id, user_id, by_claim) "
                "SELECT g.id, :user, true FROM kaynak.groups g WHERE g.claim = ANY (CAST(:claims AS text[])) "
                "ON CONFLICT (group_id, user_id) DO NOTHING"
            ),
            values,
        )

    async def _one(self, condition: str, value: object) -> Group:
        found = await self._connection.execute(
            text(f"SELECT {_COLUMNS} FROM kaynak.groups g WHERE {condition}"), {"value": value}
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise _missing()
        return _group(row)

    async def _guarded(self, statement: str, parameters: Mapping[str, Any]) -> Group | None:
        try:
            done = await self._connection.execute(text(statement), parameters)
        except sqlalchemy.exc.IntegrityError as exc:
            name = getattr(getattr(exc.orig, "diag", None), "constraint_name", "")
            if name == "uq_groups_claim":
                raise Conflict(
                    "Another group has that claim.", hint="One value makes people members of one group."
                ) from exc
            if name != "uq_groups_name":
                raise
            raise Conflict("There is a group of that name already.", hint="Choose another name.") from exc
        row = done.mappings().one_or_none()
        return None if row is None else _group(row)


def _missing() -> NotFound:
    return NotFound("There is no such group.", hint="See /v1/groups, or: kaynak groups list")


def _group(row: Mapping[Any, Any]) -> Group:
    return Group(**row)
