# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import ApiKey, NotFound, Permission, new_id

_COLUMNS = "k.id, k.name, k.hint, k.permissions, k.collections, k.created_at, k.expires_at, k.last_used_at"
_LIVE = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"


class ApiKeys:
    """Keys with which programs act for people. The keys themselves are not here, only their hashes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self,
        user_id: UUID,
        *,
        name: str,
        key_hash: bytes,
        hint: str,
        permissions: Iterable[Permission],
        collections: Sequence[UUID] | None,
        expires_at: datetime | None,
    ) -> ApiKey:
        """Keeps a key and returns what may be shown of it.

        Args:
            user_id: For whom it acts.
            name: For people.
            key_hash: SHA-256 of the key.
            hint: Its first characters.
            permissions: At most these of its person's.
            collections: Ids of the only ones it may touch; None: all that its person may.
            expires_at: None: never.
        """
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.api_keys AS k "
                "(id, user_id, name, hash, hint, permissions, collections, expires_at) VALUES "
                "(:id, :user, :name, :hash, :hint, :permissions, CAST(:collections AS uuid[]), :expires_at) "
                f"RETURNING {_COLUMNS}"
            ),
            {
                "id": new_id(),
                "user": user_id,
                "name": name,
                "hash": key_hash,
                "hint": hint,
                "permissions": sorted(permission.value for permission in set(permissions)),
                "collections": None if collections is None else list(collections),
                "expires_at": expires_at,
            },
        )
        return _key(made.mappings().one())

    async def list(self, user_id: UUID) -> list[ApiKey]:
        """Returns the keys of a person that still work, in the order in which they were made."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.api_keys k WHERE k.user_id = :user AND {_LIVE} ORDER BY k.id LIMIT 1000"
            ),
            {"user": user_id},
        )
        return [_key(row) for row in found.mappings()]

    async def revoke(self, key_id: UUID, *, user_id: UUID | None = None) -> None:
        """Ends a key.

        Args:
            key_id: Which.
            user_id: Only if it is theirs.

        Raises:
            NotFound: There is none that still works.
        """
        done = await self._connection.execute(
            text(
                f"UPDATE kaynak.api_keys AS k SET revoked_at = now() WHERE k.id = :id AND {_LIVE} "
                "AND (CAST(:user AS uuid) IS NULL OR k.user_id = :user) RETURNING k.id"
            ),
            {"id": key_id, "user": user_id},
        )
        if done.one_or_none() is None:
            raise NotFound("There is no such key.", hint="It may have been revoked already, or have run out.")

    async def seen(self, key_id: UUID) -> None:
        """Notes that a key is in use."""
        await self._connection.execute(
            text("UPDATE kaynak.api_keys SET last_used_at = now() WHERE id = :id"), {"id": key_id}
        )


def _key(row: Mapping[Any, Any]) -> ApiKey:
    collections = row["collections"]
    return ApiKey(
        **{
            **row,
            "permissions": tuple(Permission(name) for name in row["permissions"]),
            "collections": None if collections is None else tuple(collections),
        }
    )
