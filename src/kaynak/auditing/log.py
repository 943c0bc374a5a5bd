from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from kaynak.auditing.anchors import Anchors
from kaynak.auditing.chain import Chain
from kaynak.auditing.lines import EventsHash, line_of
from kaynak.auditing.segments import SegmentFiles, SegmentWriter
from kaynak.auditing.verifying import Verifier
from kaynak.catalog import Catalog, Head, Unit
from kaynak.domain import (
    SYSTEM,
    Action,
    AuditEvent,
    AuditFilter,
    AuditPolicy,
    AuditSegment,
    Conflict,
    InvalidRequest,
    Permission,
    Scope,
    Verification,
)

_BATCH = 2000
_EVERYTHING = AuditFilter()
_MOST_DAYS = 36_500


class AuditLog:
    """The audit log, for people: read, export, verify, seal. All of that is in it, too.

    Args:
        catalog: Where it is.
        files: Where sealed segments are.
        anchors: Its heads, noted outside of the database.
    """

    def __init__(self, catalog: Catalog, files: SegmentFiles, anchors: Anchors) -> None:
        self._catalog = catalog
        self._files = files
        self._verifier = Verifier(catalog, files, anchors)
        self._anchors = anchors

    async def list(
        self, scope: Scope, wanted: AuditFilter = _EVERYTHING, *, before: int | None = None, limit: int = 100
    ) -> list[AuditEvent]:
        """Returns at most ``limit`` events, newest first, those before the number ``before``.

        Raises:
            Forbidden: The caller may not read the log.
        """
        scope.require(Permission.AUDIT)
        async with self._catalog.read() as unit:
            found = await unit.audit_rows.newest(wanted, before=before, limit=limit)
        await self._catalog.audit.record(scope, Action.AUDIT_READ, "", **_said(wanted), before=before)
        return found

    async def export(self, scope: Scope, wanted: AuditFilter = _EVERYTHING) -> AsyncGenerator[bytes, None]:
        """Returns the events that are in the database, oldest first, as lines of JSON.

        Of the whole log, this is what `verify_file` verifies.

        Raises:
            Forbidden: The caller may not read the log.
        """
        scope.require(Permission.AUDIT)
        await self._catalog.audit.record(scope, Action.AUDIT_EXPORTED, "", **_said(wanted))
        async with self._catalog.read() as unit:
            _, head = await unit.audit_rows.head()
        return self._lines(wanted, head.sequence)

    async def _lines(self, wanted: AuditFilter, last: int) -> AsyncGenerator[bytes, None]:
        after = 0
        while True:
            async with self._catalog.read() as unit:
                events = await unit.audit_rows.oldest(wanted, after=after, last=last, limit=_BATCH)
            if not events:
                return
            yield b"".join(line_of(event) for event in events)
            after = events[-1].sequence

    async def verify(self, scope: Scope, noted: Head | None = None) -> Verification:
        """Verifies the log.

        Args:
            scope: Who asks.
            noted: A head that somebody wrote down.

        Raises:
            Forbidden: The caller may not read the log.
        """
        scope.require(Permission.AUDIT)
        found = await self._verifier.verify(noted)
        kinds = sorted({finding.kind for finding in found.findings})
        await self._catalog.audit.record(
            scope, Action.AUDIT_VERIFIED, "", ok=found.ok, sequence=found.sequence, findings=kinds
        )
        if found.ok:
            self._anchors.keep()
        return found

    async def policy(self, scope: Scope) -> AuditPolicy:
        """Returns what the log keeps.

        Raises:
            Forbidden: The caller may not read the log.
        """
        scope.require(Permission.AUDIT)
        async with self._catalog.read() as unit:
            return (await unit.settings.audit())[0]

    async def set_policy(self, scope: Scope, policy: AuditPolicy) -> AuditPolicy:
        """Changes what the log keeps, from now on; other processes hear of it within seconds.

        Raises:
            Forbidden: The caller may not change settings.
            InvalidRequest: The days cannot be.
        """
        scope.require(Permission.SETTINGS)
        if policy.keep_days is not None and not 1 <= policy.keep_days <= _MOST_DAYS:
            raise InvalidRequest(f"keep_days: from 1 to {_MOST_DAYS:,} days, or none to keep all.")
        async with self._catalog.begin() as unit:
            await unit.settings.put_audit(policy)
            unit.audit.record(scope, Action.SETTINGS_CHANGED, "settings:audit", **asdict(policy))
        self._catalog.audit.policy_changed()
        return policy

    async def tidy(self) -> AuditSegment | None:
        """Seals what is older than the policy says, if it says so; for the program itself."""
        async with self._catalog.read() as unit:
            policy, _ = await unit.settings.audit()
        if policy.keep_days is None:
            return None
        return await self._seal(SYSTEM, datetime.now(UTC) - timedelta(days=policy.keep_days))

    async def seal(self, scope: Scope, before: datetime) -> AuditSegment | None:
        """Moves the events before a moment out of the database, into a file; returns None if there are none.

        Raises:
            Forbidden: The caller may not read the log and change settings.
            Conflict: The log was altered: what should be looked into is not moved.
            StorageFull: There is no space for the file.
        """
        scope.require(Permission.AUDIT)
        scope.require(Permission.SETTINGS)
        return await self._seal(scope, before)

    async def _seal(self, who: Scope | str, before: datetime) -> AuditSegment | None:
        async with self._catalog.begin() as unit:
            await unit.audit_rows.alone()
            last = await unit.audit_rows.last_before(before)
            if last is None:
                return None
            with self._files.begin() as writer:
                segment = await self._written(unit, writer, last)
                await unit.audit_rows.seal(segment)
                unit.audit.record(
                    who, Action.AUDIT_SEALED, f"events:{segment.first}-{segment.last}", hash=segment.hash.hex()
                )
                # The file is there before its events go: a crash in between leaves a file too many, and no gap.
                await asyncio.to_thread(writer.finish, self._files.path(segment.first, segment.last))
        return segment

    async def _written(self, unit: Unit, writer: SegmentWriter, last: int) -> AuditSegment:
        genesis, _ = await unit.audit_rows.head()
        sealed = await unit.audit_rows.segments()
        before, previous = (sealed[-1].last, sealed[-1].hash) if sealed else (0, genesis)
        chain, hashed = Chain(before, previous), EventsHash()
        while events := await unit.audit_rows.oldest(_EVERYTHING, after=chain.sequence, last=last, limit=_BATCH):
            chain.follow(events)
            hashed.add(events)
            await asyncio.to_thread(writer.write, events)
        if chain.findings or chain.hash is None or chain.sequence != last:
            raise Conflict("The audit log is not as it was written; it is not sealed.", hint="See: kaynak audit verify")
        return AuditSegment(before + 1, last, chain.hash, hashed.digest(), datetime.now(UTC))


def _said(wanted: AuditFilter) -> dict[str, object]:
    said = {name: str(value) for name, value in asdict(wanted).items() if value is not None}
    return {"filter": said} if said else {}
