"""Verifying: whether events are as they were written, and none is missing between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from kaynak.domain import NOTHING_TOLD, Action, AuditEvent, AuditFinding, chained, commitment_of

_MOST = 100
"""Findings that are kept: one altered event can be the first of a million."""


class Chain:
    """Follows a chain of events, and notes where it is broken.

    Args:
        sequence: Number of the event before the first one.
        previous: Its hash; None where it is not known, as at the begin of a file that is verified by itself.
        anchors: Hashes of events that were noted elsewhere, by number.
    """

    def __init__(self, sequence: int, previous: bytes | None, anchors: Mapping[int, set[bytes]] | None = None) -> None:
        self.sequence = sequence
        self.hash = previous
        self.events = 0
        self.erased = 0
        self.accounted = 0
        self.findings: list[AuditFinding] = []
        self._anchors = dict(anchors or {})

    def follow(self, events: Iterable[AuditEvent]) -> None:
        """Checks the next events."""
        for event in events:
            self._follow(event)

    def pass_over(self, sequence: int, hash_: bytes) -> None:
        """Goes on behind events that are not here, or of which it is known already that they are wrong."""
        for anchor in [number for number in self._anchors if number <= sequence]:
            wanted = self._anchors.pop(anchor)
            if anchor == sequence and wanted != {hash_}:
                self.note(anchor, "anchor", f"Event {anchor} is another one than was noted elsewhere.")
        self.sequence, self.hash = sequence, hash_

    def note(self, sequence: int, kind: str, message: str) -> None:
        """Notes that something is wrong."""
        if len(self.findings) < _MOST:
            self.findings.append(AuditFinding(sequence, kind, message))

    def close(self, sequence: int, hash_: bytes) -> None:
        """Compares the last event with the head of the log.

        Args:
            sequence: Of the head.
            hash_: Of the head.
        """
        if self.sequence < sequence:
            self.note(sequence, "truncated", f"Events {self.sequence + 1} to {sequence} are missing at the end.")
        elif self.sequence > sequence:
            self.note(self.sequence, "truncated", f"The head of the log is at {sequence}, before its last event.")
        elif self.hash != hash_:
            self.note(sequence, "altered", "The head of the log is not the last event.")
        for anchor in sorted(self._anchors):
            if anchor > self.sequence:
                self.note(
                    anchor,
                    "anchor",
                    f"Event {anchor} was noted elsewhere and is not here: the log was cut short, or the database was "
                    "restored from a backup.",
                )
                break

    def _follow(self, event: AuditEvent) -> None:
        number, expected = event.sequence, self.sequence + 1
        if number > expected:
            span = f"Event {expected} is" if number == expected + 1 else f"Events {expected} to {number - 1} are"
            self.note(expected, "missing", f"{span} missing.")
        elif number < expected:
            self.note(number, "order", f"Event {number} stands behind event {self.sequence}.")
        elif self.hash is not None and event.previous != self.hash:
            self.note(number, "altered", f"Event {number} does not follow the event before it.")
        if chained(event) != event.hash:
            self.note(number, "altered", f"Event {number} was altered.")
        self._check_details(event)
        if event.hash not in (wanted := self._anchors.pop(number, {event.hash})) or len(wanted) > 1:
            self.note(number, "anchor", f"Event {number} is another one than was noted elsewhere.")
        self.sequence, self.hash = number, event.hash
        self.events += 1

    def _check_details(self, event: AuditEvent) -> None:
        if event.details is None:
            self.erased += event.commitment != NOTHING_TOLD
            return
        if event.salt is None or commitment_of(event.salt, event.details) != event.commitment:
            self.note(event.sequence, "details", f"The details of event {event.sequence} were altered.")
        elif event.action == Action.USER_ERASED:
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                self.accounted += int(json.loads(event.details)["details"])
