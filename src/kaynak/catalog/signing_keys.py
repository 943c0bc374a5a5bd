from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = 0x6B61796E04
"""Held by those who make or retire a key: several processes at once must not each make one."""


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A key that signs access tokens.

    Attributes:
        kid: Its public name.
        algorithm: ``EdDSA`` or ``HS256``; tokens of this key have no other.
        secret: Encrypted.
        created_at: When it was made.
        retired_at: Since when it signs no more; None: it signs.
    """

    kid: str
    algorithm: str
    secret: bytes
    created_at: datetime
    retired_at: datetime | None


class SigningKeys:
    """The keys that sign access tokens, encrypted; this is not the place that can read them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Makes others wait who would make or retire a key."""
        await self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")

    async def all(self) -> list[SigningKeyRow]:
        """Returns the keys, newest first."""
        found = await self._connection.execute(
            text(
                "SELECT kid, algorithm, secret, created_at, retired_at FROM kaynak.signing_keys "
                "ORDER BY created_at DESC, kid"
            )
        )
        return [
            SigningKeyRow(row.kid, row.algorithm, bytes(row.secret), row.created_at, row.retired_at) for row in found
        ]

    async def add(self, kid: str, algorithm: str, secret: bytes) -> None:
        """Keeps a key."""
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.signing_keys (kid, algorithm, secret, created_at) "
                "VALUES (:kid, :algorithm, :secret, clock_timestamp())"
            ),
            {"kid": kid, "algorithm": algorithm, "secret": secret},
        )

    async def retire(self, kids: Sequence[str]) -> None:
        """Has keys sign no more."""
        await self._connection.execute(
            text("UPDATE kaynak.signing_keys SET retired_at = now() WHERE kid = ANY(:kids) AND retired_at IS NULL"),
            {"kids": list(kids)},
        )

    async def delete(self, kids: Sequence[str]) -> None:
        """Removes keys: their tokens are not valid any more."""
        await self._connection.execute(
            text("DELETE FROM kaynak.signing_keys WHERE kid = ANY(:kids)"), {"kids": list(kids)}
        )
