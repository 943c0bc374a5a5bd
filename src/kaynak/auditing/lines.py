"""Events as lines of a file: what exports and sealed segments are made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kaynak.domain import AuditEvent, InvalidRequest


def line_of(event: AuditEvent) -> bytes:
    """Returns the event as a line of JSON. Details are text in it, to the letter: so they can be verified."""
    value = {
        "sequence": event.sequence,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "subject": event.subject,
        "action": event.action,
        "object": event.object,
        "commitment": event.commitment.hex(),
        "previous": event.previous.hex(),
        "hash": event.hash.hex(),
        "details": event.details,
        "salt": None if event.salt is None else event.salt.hex(),
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def event_of(line: bytes | str) -> AuditEvent:
    """Returns the event of a line.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        value = json.loads(line)
        return AuditEvent(
            int(value["sequence"]),
            datetime.fromisoformat(value["at"]).astimezone(UTC),
            str(value["subject"]),
            str(value["action"]),
            str(value["object"]),
            bytes.fromhex(value["commitment"]),
            bytes.fromhex(value["previous"]),
            bytes.fromhex(value["hash"]),
            None if value["details"] is None else str(value["details"]),
            None if value["salt"] is None else bytes.fromhex(value["salt"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as exc:
        raise InvalidRequest("A line of the file is no event of an audit log.", hint="It was altered.") from exc


def shown(event: AuditEvent) -> dict[str, Any]:
    """Returns the event for people: details are JSON in it."""
    return {
        "sequence": event.sequence,
        "at": event.at,
        "subject": event.subject,
        "action": event.action,
        "object": event.object,
        "details": None if event.details is None else json.loads(event.details),
        "erased": event.erased,
        "hash": event.hash.hex(),
    }


class EventsHash:
    """SHA-256 of events without their details: erasing details does not change it."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, events: Iterable[AuditEvent]) -> None:
        """Adds events, in order."""
        for event in events:
            self._hash.update(line_of(replace(event, details=None, salt=None)))

    def digest(self) -> bytes:
        """Returns the hash of what was added."""
        return self._hash.digest()
