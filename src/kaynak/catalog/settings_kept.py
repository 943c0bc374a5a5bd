from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import AuditPolicy, QueryText

_AUDIT = "audit"


class SettingsKept:
    """Settings that are changed while the program runs, and are no secret."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def audit(self) -> tuple[AuditPolicy, bytes]:
        """Returns the policy of the audit log, and the key that its hashes of queries are made with."""
        kept = await self._get(_AUDIT)
        policy = AuditPolicy(QueryText(kept.get("query_text", QueryText.OFF)), kept.get("keep_days"))
        return policy, bytes.fromhex(kept.get("key", ""))

    async def put_audit(self, policy: AuditPolicy) -> None:
        """Keeps another policy of the audit log."""
        _, key = await self.audit()
        value = {
            "query_text": policy.query_text.value,
            "keep_days": policy.keep_days,
            "key": (key or secrets.token_bytes(32)).hex(),
        }
        await self._put(_AUDIT, value)

    async def _get(self, name: str) -> dict[str, Any]:
        found = await self._connection.execute(
            text("SELECT value FROM kaynak.settings_kept WHERE name = :name"), {"name": name}
        )
        return dict(found.scalar_one_or_none() or {})

    async def _put(self, name: str, value: dict[str, Any]) -> None:
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.settings_kept (name, value) VALUES (:name, CAST(:value AS jsonb)) "
                "ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = now()"
            ),
            {"name": name, "value": json.dumps(value)},
        )
