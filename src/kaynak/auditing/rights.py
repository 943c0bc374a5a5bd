from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from kaynak.auditing.lines import shown
from kaynak.auditing.segments import SegmentFiles, SegmentWriter
from kaynak.catalog import Catalog, Unit, words_of
from kaynak.domain import (
    Action,
    AuditEvent,
    AuditSegment,
    Conflict,
    Forbidden,
    GlobalRole,
    NotFound,
    Permission,
    Person,
    Scope,
)

_BATCH = 1000
_PERSON = "user:"


class Rights:
    """A person's right to see all that is held about them, and to have it erased.

    Args:
        catalog: Where it is.
        files: Where sealed events are.
    """

    def __init__(self, catalog: Catalog, files: SegmentFiles) -> None:
        self._catalog = catalog
        self._files = files

    async def export_own(self, scope: Scope) -> dict[str, Any]:
        """Returns all that is held about the caller.

        Raises:
            Conflict: The caller is no person, but the owner of the data directory.
            Forbidden: A key asks.
        """
        if not scope.subject.startswith(_PERSON):
            raise Conflict(
                "There are no accounts yet: all that is held is yours.", hint="Copy the data directory: kaynak config"
            )
        if scope.key is not None:
            raise Forbidden("A key cannot do that; its person can.", hint="Sign in with POST /v1/auth/sign-in.")
        return await self._export(scope, UUID(scope.subject.removeprefix(_PERSON)))

    async def export(self, scope: Scope, person: UUID) -> dict[str, Any]:
        """Returns all that is held about a person.

        Raises:
            Forbidden: The caller may not: it holds their conversations.
            NotFound: There is nobody of that id.
        """
        scope.require(Permission.PEOPLE)
        return await self._export(scope, person)

    async def erase(self, scope: Scope, person: UUID) -> int:
        """Removes a person and all that is held about them; returns of how many events the details went.

        The chain of the audit log stays valid: it has only ids, which lead to nobody any more. Documents belong to
        their collections and stay.

        Raises:
            Forbidden: The caller may not.
            NotFound: There is nobody of that id.
            Conflict: Nobody would be left to administer.
            StorageFull: There is no space to write sealed segments anew.
        """
        scope.require(Permission.PEOPLE)
        async with self._catalog.begin() as unit:
            await unit.users.lock()
            known = await unit.users.get(person, lock=True)
            await _may_remove(unit, scope, known)
            await unit.audit_rows.alone()
            objects = await unit.person_data.possessions(person)
            count = await unit.audit_rows.erase(person, known.email, objects)
            segments = await unit.audit_rows.segments()
            concerned = _Concerned(person, known.email, objects)
            rewritten: list[tuple[SegmentWriter, Any]] = []
            try:
                for segment in segments:
                    if self._files.there(segment):
                        writer, found = await asyncio.to_thread(self._files.without, segment, concerned)
                        count += found
                        rewritten.append((writer, self._files.path(segment.first, segment.last)))
                await unit.person_data.erase(person)
                await unit.users.delete(person)
                if known.role is GlobalRole.ADMINISTRATOR and known.active and not await unit.users.administrators():
                    raise Conflict(
                        "That is the last administrator who may sign in.",
                        hint="Make somebody else an administrator first.",
                    )
                # By whom, and that it was: not who it was.
                unit.audit.record(scope, Action.USER_ERASED, f"{_PERSON}{person}", details=count)
                for writer, path in rewritten:
                    await asyncio.to_thread(writer.finish, path)
            finally:
                for writer, _ in rewritten:
                    writer.close()
        return count

    def _sealed(self, segment: AuditSegment, concerned: _Concerned) -> list[AuditEvent]:
        return [event for some in self._files.read(segment) for event in some if concerned(event)]

    async def _export(self, scope: Scope, person: UUID) -> dict[str, Any]:
        async with self._catalog.begin() as unit:
            await unit.audit_rows.steady()
            held = await unit.person_data.all(person)
            if held["profile"] is None:
                raise NotFound("There is nobody of that id.", hint="See who there is: kaynak users list")
            email, objects = str(held["profile"]["email"]), await unit.person_data.possessions(person)
            events = await _events(unit, person, email, objects)
            sealed = [segment for segment in await unit.audit_rows.segments() if self._files.there(segment)]
        concerned = _Concerned(person, email, objects)
        for segment in sealed:
            events += await asyncio.to_thread(self._sealed, segment, concerned)
        events.sort(key=lambda event: event.sequence)
        await self._catalog.audit.record(scope, Action.USER_EXPORTED, f"{_PERSON}{person}")
        return {"exported_at": datetime.now(UTC), **held, "audit": [shown(event) for event in events]}


class _Concerned:
    """Whether an event is by or about a person; the same that `AuditRows.concerning` asks the database."""

    def __init__(self, person: UUID, email: str, objects: Sequence[str]) -> None:
        self._subject = f"{_PERSON}{person}"
        self._objects = {self._subject, *objects}
        self._words = words_of(person, email)

    def __call__(self, event: AuditEvent) -> bool:
        """Returns whether it is."""
        if event.subject == self._subject or event.object in self._objects:
            return True
        return event.details is not None and any(word in event.details for word in self._words)


async def _events(unit: Unit, person: UUID, email: str, objects: Sequence[str]) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    while True:
        after = events[-1].sequence if events else 0
        some = await unit.audit_rows.concerning(person, email, objects, after=after, limit=_BATCH)
        events += some
        if len(some) < _BATCH:
            return events


async def _may_remove(unit: Unit, scope: Scope, known: Person) -> None:
    """Lets pass who holds all that the person does: nobody removes whom they could not have made."""
    beyond = await unit.scopes.of_role(known.role) - scope.permissions
    if beyond:
        raise Forbidden(
            f"The role {known.role.value} has permissions that you do not have.", hint="Ask an administrator."
        )


def as_json(held: dict[str, Any]) -> bytes:
    """Returns an export as a file of JSON, for people to read."""
    return json.dumps(held, ensure_ascii=False, indent=2, default=str).encode() + b"\n"
