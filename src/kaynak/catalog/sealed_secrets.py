from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = 0x6B79_7365
"""Of all that change data keys."""


@dataclass(frozen=True, slots=True)
class SealedRow:
    """Something encrypted.

    Attributes:
        table: Where it is.
        name: What it is encrypted for.
        key: The primary key of its row.
        secret: The bytes.
    """

    table: str
    name: str
    key: str
    secret: bytes


_ELSEWHERE = {
    # What it is encrypted for, and where it is, for each table that holds secrets.
    "provider_keys": "SELECT provider AS name, provider AS key, secret FROM kaynak.provider_keys ORDER BY 1",
    "signing_keys": "SELECT 'signing-key:' || kid AS name, kid AS key, secret FROM kaynak.signing_keys ORDER BY 1",
}
_UPDATES = {
    "provider_keys": "UPDATE kaynak.provider_keys SET secret = :secret WHERE provider = :key",
    "signing_keys": "UPDATE kaynak.signing_keys SET secret = :secret WHERE kid = :key",
}


class SealedSecrets:
    """The encrypted data keys, and secrets of which there is one; this is not the place that can read them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Waits for others that change data keys, and keeps them out until the end of the transaction."""
        await self._connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})

    async def all(self, prefix: str) -> list[SealedRow]:
        """Returns those whose names begin with ``prefix``, oldest first."""
        found = await self._connection.execute(
            text(
                "SELECT name, secret FROM kaynak.sealed_secrets WHERE starts_with(name, :prefix) "
                "ORDER BY created_at, name"
            ),
            {"prefix": prefix},
        )
        return [SealedRow("sealed_secrets", row.name, row.name, bytes(row.secret)) for row in found]

    async def get(self, name: str) -> bytes | None:
        """Returns the one of that name."""
        found = await self._connection.execute(
            text("SELECT secret FROM kaynak.sealed_secrets WHERE name = :name"), {"name": name}
        )
        secret = found.scalar_one_or_none()
        return None if secret is None else bytes(secret)

    async def delete(self, name: str) -> bool:
        """Removes one; returns whether there was one."""
        done = await self._connection.execute(
            text("DELETE FROM kaynak.sealed_secrets WHERE name = :name RETURNING name"), {"name": name}
        )
        return done.one_or_none() is not None

    async def put(self, name: str, secret: bytes) -> None:
        """Stores one in place of the one that was there."""
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.sealed_secrets (name, secret) VALUES (:name, :secret) "
                "ON CONFLICT (name) DO UPDATE SET secret = EXCLUDED.secret, updated_at = now()"
            ),
            {"name": name, "secret": secret},
        )

    async def elsewhere(self) -> list[SealedRow]:
        """Returns the secrets that other tables hold."""
        return [
            SealedRow(table, row.name, row.key, bytes(row.secret))
            for table, query in _ELSEWHERE.items()
            for row in await self._connection.execute(text(query))
        ]

    async def put_elsewhere(self, row: SealedRow) -> None:
        """Stores the bytes of ``row`` in its place."""
        await self._connection.execute(text(_UPDATES[row.table]), {"key": row.key, "secret": row.secret})
