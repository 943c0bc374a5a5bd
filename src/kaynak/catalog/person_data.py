from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_PARTS: Final = {
    "profile": """SELECT to_jsonb(x) FROM (SELECT id, email, name, role, identity, active, password_hash IS NOT NULL
        AS has_password, created_at, updated_at FROM kaynak.users WHERE id = :person) x""",
    "groups": """SELECT to_jsonb(x) FROM (SELECT g.id, g.name, m.by_claim, m.created_at FROM kaynak.group_members m
        JOIN kaynak.groups g ON g.id = m.group_id WHERE m.user_id = :person ORDER BY g.name) x""",
    "grants": """SELECT to_jsonb(x) FROM (SELECT c.id AS collection_id, c.name AS collection, a.role, a.created_at
        FROM kaynak.grants a JOIN kaynak.collections c ON c.id = a.collection_id
        WHERE a.user_id = :person ORDER BY c.name) x""",
    "documents_shared_by_name": """SELECT to_jsonb(d.id) FROM kaynak.documents d
        WHERE d.readers @> ARRAY[CAST(:person AS uuid)] ORDER BY d.id""",
    "sessions": """SELECT to_jsonb(x) FROM (SELECT id, device, address, created_at, last_seen_at, expires_at,
        revoked_at, revoked_why FROM kaynak.sessions WHERE user_id = :person ORDER BY created_at) x""",
    "keys": """SELECT to_jsonb(x) FROM (SELECT id, name, hint, permissions, collections, created_at, expires_at,
        last_used_at, revoked_at FROM kaynak.api_keys WHERE user_id = :person ORDER BY created_at) x""",
    "conversations": """SELECT to_jsonb(x) FROM (SELECT id, title, collections, answering, filter, summary,
        created_at, updated_at, (SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.created_at, m.id), '[]') FROM
            (SELECT id, parent_id, role, state, content, asked, answer, error, created_at, updated_at
             FROM kaynak.messages WHERE conversation_id = c.id) m) AS messages
        FROM kaynak.conversations c WHERE owner = :subject ORDER BY created_at, id) x""",
    "usage": """SELECT to_jsonb(x) FROM (SELECT id, collection, provider, model, purpose, outcome, error, input_tokens,
        output_tokens, cached_tokens, cost, milliseconds, created_at FROM kaynak.model_calls
        WHERE owner = :subject ORDER BY created_at, id) x""",
    "budgets": """SELECT to_jsonb(x) FROM (SELECT period, "limit", created_at, updated_at FROM kaynak.budgets
        WHERE kind = 'owner' AND subject = :subject ORDER BY period) x""",
}
"""What is held about a person, one value a row. Never a hash of a password or of a key."""

_ERASING: Final = (
    "DELETE FROM kaynak.conversations WHERE owner = :subject",
    "DELETE FROM kaynak.budgets WHERE kind = 'owner' AND subject = :subject",
    # What was spent stays in the accounts, of nobody.
    "UPDATE kaynak.model_calls SET owner = 'erased' WHERE owner = :subject",
    # A list of readers never becomes empty by it: the collection's own id is always in.
    """UPDATE kaynak.documents SET readers = array_remove(readers, CAST(:person AS uuid))
        WHERE readers @> ARRAY[CAST(:person AS uuid)]""",
)


class PersonData:
    """All that is held about a person, beside the audit log."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def all(self, person: UUID) -> dict[str, Any]:
        """Returns it, by kind; the profile is None if there is nobody of that id."""
        values = {"person": person, "subject": f"user:{person}"}
        held: dict[str, Any] = {}
        for name, statement in _PARTS.items():
            found = await self._connection.execute(text(statement), values)
            rows = list(found.scalars())
            held[name] = (rows[0] if rows else None) if name == "profile" else rows
        return held

    async def possessions(self, person: UUID) -> list[str]:
        """Returns what is theirs, as objects of the audit log."""
        found = await self._connection.execute(
            text(
                "SELECT 'session:' || id FROM kaynak.sessions WHERE user_id = :person "
                "UNION ALL SELECT 'key:' || id FROM kaynak.api_keys WHERE user_id = :person "
                "UNION ALL SELECT 'conversation:' || id FROM kaynak.conversations WHERE owner = :subject"
            ),
            {"person": person, "subject": f"user:{person}"},
        )
        return list(found.scalars())

    async def erase(self, person: UUID) -> None:
        """Removes what is theirs and does not go with their account; documents belong to collections, and stay."""
        for statement in _ERASING:
            await self._connection.execute(text(statement), {"person": person, "subject": f"user:{person}"})
