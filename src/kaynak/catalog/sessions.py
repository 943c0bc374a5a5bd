# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Session, new_id

_COLUMNS = "s.id, s.device, s.address, s.created_at, s.last_seen_at, s.expires_at"
_LIVE = "s.revoked_at IS NULL AND s.expires_at > now()"


class Sessions:
    """Where people are signed in, and the refresh tokens with which they stay so. Tokens are known by their hashes."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def begin(
        self, user_id: UUID, *, password_hash: str | None, device: str, address: str, lasts: timedelta
    ) -> UUID | None:
        """Begins a session and returns its id; None if the person may not sign in any more.

        Args:
            user_id: Who.
            password_hash: What their password was checked against: a session that was won by an old password must
                not begin after it was changed. None: they signed in without.
            device: What their client calls itself.
            address: Where they are.
            lasts: How long, unless it is used before.
        """
        made = await self._connection.execute(
            text(
                "INSERT INTO kaynak.sessions (id, user_id, device, address, expires_at) "
                "SELECT :id, u.id, :device, :address, now() + :lasts FROM kaynak.users u "
                "WHERE u.id = :user AND u.active AND (CAST(:hash AS text) IS NULL OR u.password_hash = :hash) "
                "FOR KEY SHARE OF u RETURNING id"
            ),
            {
                "id": new_id(),
                "user": user_id,
                "hash": password_hash,
                "device": device,
                "address": address,
                "lasts": lasts,
            },
        )
        found: UUID | None = made.scalar_one_or_none()
        return found

    async def add_token(self, session_id: UUID, token_hash: bytes) -> None:
        """Keeps the hash of the session's next refresh token."""
        await self._connection.execute(
            text("INSERT INTO kaynak.refresh_tokens (hash, session_id) VALUES (:hash, :session)"),
            {"hash": token_hash, "session": session_id},
        )

    async def use_token(self, token_hash: bytes) -> UUID | None:
        """Takes a refresh token, which works once, and returns its session; of several at once one gets it."""
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.refresh_tokens SET used_at = now() WHERE hash = :hash AND used_at IS NULL "
                "RETURNING session_id"
            ),
            {"hash": token_hash},
        )
        found: UUID | None = done.scalar_one_or_none()
        return found

    async def session_of_token(self, token_hash: bytes) -> UUID | None:
        """Returns the session that a refresh token, used or not, belongs to."""
        found = await self._connection.execute(
            text("SELECT session_id FROM kaynak.refresh_tokens WHERE hash = :hash"), {"hash": token_hash}
        )
        session: UUID | None = found.scalar_one_or_none()
        return session

    async def prolong(self, session_id: UUID, *, address: str, lasts: timedelta) -> UUID | None:
        """Notes that a session goes on, and returns whose it is; None if it has ended, or they may not any more."""
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.sessions s SET last_seen_at = now(), address = :address, expires_at = now() + :lasts "
                f"FROM kaynak.users u WHERE s.id = :id AND {_LIVE} AND u.id = s.user_id AND u.active "
                "RETURNING s.user_id"
            ),
            {"id": session_id, "address": address, "lasts": lasts},
        )
        found: UUID | None = done.scalar_one_or_none()
        return found

    async def seen(self, session_id: UUID) -> None:
        """Notes that a session is in use."""
        await self._connection.execute(
            text("UPDATE kaynak.sessions SET last_seen_at = now() WHERE id = :id"), {"id": session_id}
        )

    async def list(self, user_id: UUID) -> list[Session]:
        """Returns the sessions of a person that have not ended, last used first."""
        found = await self._connection.execute(
            text(
                f"SELECT {_COLUMNS} FROM kaynak.sessions s WHERE s.user_id = :user AND {_LIVE} "
                "ORDER BY s.last_seen_at DESC, s.id DESC LIMIT 1000"
            ),
            {"user": user_id},
        )
        return [Session(**row) for row in found.mappings()]

    async def person(self, session_id: UUID) -> UUID | None:
        """Returns whose session it is, also if it has ended."""
        found = await self._connection.execute(
            text("SELECT user_id FROM kaynak.sessions WHERE id = :id"), {"id": session_id}
        )
        person: UUID | None = found.scalar_one_or_none()
        return person

    async def revoke(self, session_id: UUID, why: str, *, user_id: UUID | None = None) -> bool:
        """Ends a session; returns whether there was one to end.

        Args:
            session_id: Which.
            why: ``signed-out``, ``reuse``, ``administrator``, ``password-changed``…
            user_id: Only if it is theirs.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.sessions s SET revoked_at = now(), revoked_why = :why WHERE s.id = :id "
                f"AND {_LIVE} AND (CAST(:user AS uuid) IS NULL OR s.user_id = :user) RETURNING s.id"
            ),
            {"id": session_id, "why": why, "user": user_id},
        )
        return done.one_or_none() is not None

    async def revoke_all(self, user_id: UUID, why: str, *, but: UUID | None = None) -> int:
        """Ends the sessions of a person, but for one if asked; returns how many."""
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.sessions s SET revoked_at = now(), revoked_why = :why WHERE s.user_id = :user "
                "AND s.revoked_at IS NULL AND (CAST(:but AS uuid) IS NULL OR s.id <> :but) RETURNING s.id"
            ),
            {"user": user_id, "why": why, "but": but},
        )
        return len(done.all())

    async def forget_old(self, age: timedelta) -> None:
        """Deletes what ended longer ago than ``age``, at most a few rows at a time."""
        await self._connection.execute(
            text(
                "DELETE FROM kaynak.sessions WHERE id IN (SELECT id FROM kaynak.sessions "
                "WHERE expires_at < now() - :age ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)"
            ),
            {"age": age},
        )
