from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import CollectionRole, Grant, InvalidRequest, Principal, PrincipalKind

_PUT = text(
    """
    INSERT INTO kaynak.grants (collection_id, principal_id, user_id, group_id, role)
    SELECT :collection, :principal, u.id, g.id, :role
    FROM (SELECT 1) one LEFT JOIN kaynak.users u ON u.id = :principal LEFT JOIN kaynak.groups g ON g.id = :principal
    WHERE u.id IS NOT NULL OR g.id IS NOT NULL
    ON CONFLICT (collection_id, principal_id) DO UPDATE SET role = excluded.role, created_at = now()
    """
)
_LIST = text(
    """
    SELECT s.principal_id AS id, s.user_id IS NOT NULL AS person, coalesce(u.email, g.name) AS name, s.role,
        s.created_at
    FROM kaynak.grants s LEFT JOIN kaynak.users u ON u.id = s.user_id LEFT JOIN kaynak.groups g ON g.id = s.group_id
    WHERE s.collection_id = :collection ORDER BY coalesce(u.email, g.name) COLLATE "C", s.principal_id
    """
)
_NAMED = text(
    """
    SELECT given.name AS given, found.id, found.person, found.name
    FROM unnest(CAST(:names AS text[]), CAST(:folded AS text[])) AS given (name, folded)
    JOIN LATERAL (
        SELECT id, TRUE AS person, email AS name FROM kaynak.users
        WHERE email = given.folded OR CAST(id AS text) = given.folded
        UNION ALL
        SELECT id, FALSE, groups.name FROM kaynak.groups
        WHERE groups.name = given.name OR CAST(id AS text) = given.folded
    ) found ON TRUE
    """
)
_OF_IDS = text(
    """
    SELECT id, TRUE AS person, email AS name FROM kaynak.users WHERE id = ANY(CAST(:ids AS uuid[]))
    UNION ALL SELECT id, FALSE, name FROM kaynak.groups WHERE id = ANY(CAST(:ids AS uuid[]))
    ORDER BY 3, 1
    """
)


class Grants:
    """What people and groups are to collections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, collection_id: UUID, principal_id: UUID, role: CollectionRole) -> bool:
        """Gives a role, in place of the one there was; returns whether there is such a person or group."""
        done = await self._connection.execute(
            _PUT, {"collection": collection_id, "principal": principal_id, "role": role}
        )
        return done.rowcount > 0

    async def remove(self, collection_id: UUID, principal_id: UUID) -> bool:
        """Takes the role away, and returns whether there was one."""
        done = await self._connection.execute(
            text("DELETE FROM kaynak.grants WHERE collection_id = :collection AND principal_id = :principal"),
            {"collection": collection_id, "principal": principal_id},
        )
        return done.rowcount > 0

    async def list(self, collection_id: UUID) -> list[Grant]:
        """Returns with whom the collection is shared, by name."""
        found = await self._connection.execute(_LIST, {"collection": collection_id})
        return [
            Grant(_principal(row), CollectionRole(row["role"]), row["created_at"]) for row in found.mappings().all()
        ]

    async def named(self, names: Iterable[str]) -> dict[str, Principal]:
        """Returns people by their e-mail address or id, and groups by their name or id, under what they were called.

        Raises:
            InvalidRequest: One of them is not known.
        """
        wanted = list(dict.fromkeys(names))
        values = {"names": wanted, "folded": [name.strip().casefold() for name in wanted]}
        rows = (await self._connection.execute(_NAMED, values)).mappings().all()
        found = {row["given"]: _principal(row) for row in rows}
        for name in wanted:
            if name not in found:
                raise InvalidRequest(
                    f"There is no person or group “{name[:80]}”.",
                    hint="Name people by their e-mail address or id, groups by their name or id.",
                )
        return found

    async def principals(self, ids: Sequence[UUID]) -> Sequence[Principal]:
        """Returns those of these people and groups that are still there, by name."""
        found = await self._connection.execute(_OF_IDS, {"ids": list(ids)})
        return [_principal(row) for row in found.mappings()]


def _principal(row: Mapping[Any, Any]) -> Principal:
    return Principal(row["id"], PrincipalKind.PERSON if row["person"] else PrincipalKind.GROUP, row["name"])
