from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import structlog

from kaynak.catalog import Head

_EVERY_SECONDS = 3600.0
_log = structlog.get_logger(__name__)


class Anchors:
    """Notes the head of the log in a file outside of the database, now and then.

    Whoever can write to the database can make a whole new log that is consistent in itself. A head that was noted
    before gives it away. Lines are only added: a program that goes on with a forged log adds to the file, and what
    it said before stays.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: Head | None = None
        self._kept: Head | None = None
        self._next = 0.0

    def note(self, head: Head) -> None:
        """Is told each new head, and keeps one an hour, the first included."""
        if self._head is None or head.sequence > self._head.sequence:
            self._head = head
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_SECONDS
            self.keep()

    def keep(self) -> None:
        """Keeps the newest head."""
        head = self._head
        if head is None or (self._kept is not None and head.sequence <= self._kept.sequence):
            return
        line = {"sequence": head.sequence, "hash": head.hash.hex(), "at": datetime.now(UTC).isoformat()}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, json.dumps(line).encode() + b"\n")
            finally:
                os.close(handle)
        except OSError as error:  # it is a second line of defence: no search fails for it
            _log.warning("audit_anchor_not_kept", error=str(error))
            return
        self._kept = head

    def all(self) -> dict[int, set[bytes]]:
        """Returns the hashes that were noted, by number of the event; a line that is not whole is passed over."""
        found: dict[int, set[bytes]] = defaultdict(set)
        try:
            lines = self._path.read_text().splitlines()
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                value = json.loads(line)
                found[int(value["sequence"])].add(bytes.fromhex(value["hash"]))
            except (ValueError, KeyError, TypeError):
                continue
        return found
