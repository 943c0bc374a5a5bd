from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class ProviderKeys:
    """The keys of providers, encrypted; this is not the place that can read them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self) -> dict[str, bytes]:
        """Returns the encrypted keys by name of the provider."""
        found = await self._connection.execute(text("SELECT provider, secret FROM kaynak.provider_keys"))
        return {row.provider: bytes(row.secret) for row in found}

    async def put(self, provider: str, secret: bytes) -> None:
        """Stores an encrypted key in place of the one that was there."""
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.provider_keys (provider, secret) VALUES (:provider, :secret) "
                "ON CONFLICT (provider) DO UPDATE SET secret = EXCLUDED.secret, updated_at = now()"
            ),
            {"provider": provider, "secret": secret},
        )

    async def delete(self, provider: str) -> bool:
        """Removes a key; returns whether there was one."""
        done = await self._connection.execute(
            text("DELETE FROM kaynak.provider_keys WHERE provider = :provider RETURNING provider"),
            {"provider": provider},
        )
        return done.one_or_none() is not None
