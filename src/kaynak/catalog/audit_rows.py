# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.audit import Head
from kaynak.catalog.sql import lock
from kaynak.domain import Action, AuditEvent, AuditFilter, AuditSegment

_LOCK = 0x6B61796E03
"""For those who take something away from the log: one at a time."""
_EVENTS = """
    SELECT e.sequence, e.at, e.subject, e.action, e.object, e.commitment, e.previous, e.hash, d.details, d.salt
    FROM kaynak.audit_events e LEFT JOIN kaynak.audit_details d USING (sequence)
"""
_WHERE = """
    WHERE (CAST(:subject AS text) IS NULL OR e.subject = :subject)
    AND (CAST(:action AS text) IS NULL OR e.action = :action)
    AND (CAST(:object AS text) IS NULL OR e.object = :object)
    AND (CAST(:since AS timestamptz) IS NULL OR e.at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR e.at < :until)
"""
_NEWEST = f"{_EVENTS} {_WHERE} AND (CAST(:before AS bigint) IS NULL OR e.sequence < :before) ORDER BY e.sequence DESC"
_OLDEST = f"{_EVENTS} {_WHERE} AND e.sequence > :after AND e.sequence <= :last ORDER BY e.sequence"
_CONCERNS = """
    (e.subject = :subject OR e.object = ANY(CAST(:objects AS text[]))
        OR EXISTS (SELECT FROM unnest(CAST(:words AS text[])) word WHERE strpos(d.details, word) > 0))
"""


class AuditRows:
    """The audit log, for those who read, verify, seal and erase. What is written goes through `Audit`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def steady(self) -> None:
        """Has everything that this unit reads be of one moment; to be called first."""
        await self._connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    async def alone(self) -> None:
        """Waits for others who take something away from the log; until the unit ends, nobody else does."""
        await lock(self._connection, _LOCK, shared=False)

    async def head(self) -> tuple[bytes, Head]:
        """Returns what the first event goes on from, and the newest event."""
        found = await self._connection.execute(text("SELECT genesis, sequence, hash FROM kaynak.audit_head"))
        row = found.one_or_none()
        if row is None:
            return b"", Head(0, b"")
        return bytes(row.genesis), Head(row.sequence, bytes(row.hash))

    async def newest(self, wanted: AuditFilter, *, before: int | None, limit: int) -> list[AuditEvent]:
        """Returns at most ``limit`` events, newest first, those before the number ``before``."""
        values = {**_values(wanted), "before": before, "limit": limit}
        found = await self._connection.execute(text(f"{_NEWEST} LIMIT :limit"), values)
        return [_event(row) for row in found]

    async def oldest(self, wanted: AuditFilter, *, after: int, last: int, limit: int) -> list[AuditEvent]:
        """Returns at most ``limit`` events, oldest first, with numbers after ``after`` up to ``last``."""
        values = {**_values(wanted), "after": after, "last": last, "limit": limit}
        found = await self._connection.execute(text(f"{_OLDEST} LIMIT :limit"), values)
        return [_event(row) for row in found]

    async def strays(self) -> list[int]:
        """Returns the first numbers of details that belong to no event."""
        found = await self._connection.execute(
            text(
                "SELECT sequence FROM kaynak.audit_details d WHERE NOT EXISTS "
                "(SELECT FROM kaynak.audit_events e WHERE e.sequence = d.sequence) ORDER BY 1 LIMIT 100"
            )
        )
        return list(found.scalars())

    async def segments(self) -> list[AuditSegment]:
        """Returns the sealed segments in order."""
        found = await self._connection.execute(
            text('SELECT first, last, hash, events_hash, sealed_at FROM kaynak.audit_segments ORDER BY "first"')
        )
        return [AuditSegment(row[0], row[1], bytes(row[2]), bytes(row[3]), row[4]) for row in found]

    async def last_before(self, moment: datetime) -> int | None:
        """Returns the number of the newest event before ``moment``; None if there is none."""
        found = await self._connection.execute(
            text("SELECT max(sequence) FROM kaynak.audit_events WHERE at < :moment"), {"moment": moment}
        )
        return found.scalar_one()  # type: ignore[no-any-return]

    async def seal(self, segment: AuditSegment) -> None:
        """Notes a segment as sealed, and removes its events."""
        values: dict[str, object] = {"first": segment.first, "last": segment.last}
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.audit_segments (first, last, hash, events_hash, sealed_at) "
                "VALUES (:first, :last, :hash, :events_hash, :sealed_at)"
            ),
            {**values, "hash": segment.hash, "events_hash": segment.events_hash, "sealed_at": segment.sealed_at},
        )
        for table in ("audit_details", "audit_events"):
            await self._connection.execute(
                text(f"DELETE FROM kaynak.{table} WHERE sequence BETWEEN :first AND :last"), values
            )

    async def concerning(
        self, person: UUID, email: str, objects: Sequence[str], *, after: int, limit: int
    ) -> list[AuditEvent]:
        """Returns at most ``limit`` events by or about a person, oldest first, those after the number ``after``.

        Args:
            person: Who.
            email: Under which failed sign-ins may be noted.
            objects: What is theirs: ``key:…``, ``session:…``.
            after: Number.
            limit: Most.
        """
        values = {**_concern(person, email, objects), "after": after, "limit": limit}
        found = await self._connection.execute(
            text(f"{_EVENTS} WHERE {_CONCERNS} AND e.sequence > :after ORDER BY e.sequence LIMIT :limit"), values
        )
        return [_event(row) for row in found]

    async def erase(self, person: UUID, email: str, objects: Sequence[str]) -> int:
        """Removes the details of all events by or about a person, see `concerning`; returns of how many.

        Those of erasures stay: they say only how much was erased.
        """
        found = await self._connection.execute(
            text(
                f"DELETE FROM kaynak.audit_details d USING kaynak.audit_events e "
                f"WHERE e.sequence = d.sequence AND e.action <> :erased AND {_CONCERNS} RETURNING d.sequence"
            ),
            {**_concern(person, email, objects), "erased": Action.USER_ERASED.value},
        )
        return len(found.all())


def words_of(person: UUID, email: str) -> list[str]:
    """Returns what stands in the details of events about a person, as it is written there."""
    return [str(person), *([json.dumps(email)] if email else [])]


def _concern(person: UUID, email: str, objects: Sequence[str]) -> dict[str, Any]:
    subject = f"user:{person}"
    return {"subject": subject, "objects": [subject, *objects], "words": words_of(person, email)}


def _values(wanted: AuditFilter) -> dict[str, Any]:
    return {
        "subject": wanted.subject,
        "action": wanted.action,
        "object": wanted.object,
        "since": wanted.since,
        "until": wanted.until,
    }


def _event(row: Any) -> AuditEvent:
    sequence, at, subject, action, on, commitment, previous, hash_, details, salt = row
    return AuditEvent(
        sequence,
        at.astimezone(UTC),
        subject,
        action,
        on,
        bytes(commitment),
        bytes(previous),
        bytes(hash_),
        details,
        None if salt is None else bytes(salt),
    )
