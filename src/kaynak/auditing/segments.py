"""Sealed segments: files with old events, in the data directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from kaynak.auditing.lines import event_of, line_of
from kaynak.domain import Action, AuditEvent, AuditSegment, StorageFull

_BATCH = 1000
_FULL = (28, 122)  # ENOSPC, EDQUOT


class SegmentFiles:
    """The folder of sealed segments.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, first: int, last: int) -> Path:
        """Returns where the file of a segment is."""
        return self.folder / f"events-{first:012d}-{last:012d}.jsonl"

    def there(self, segment: AuditSegment) -> bool:
        """Returns whether the file of a segment is here."""
        return self.path(segment.first, segment.last).is_file()

    def read(self, segment: AuditSegment) -> Iterator[list[AuditEvent]]:
        """Yields the events of a segment, some at a time."""
        return events_of(self.path(segment.first, segment.last))

    def begin(self) -> SegmentWriter:
        """Returns a file to write a new segment to."""
        return SegmentWriter(self.folder)

    def without(self, segment: AuditSegment, concerns: Callable[[AuditEvent], bool]) -> tuple[SegmentWriter, int]:
        """Writes a segment anew, without the details of those events that concern somebody.

        Returns:
            What is to be put in its place, and of how many events the details are gone.
        """
        count = 0
        writer = SegmentWriter(self.folder)
        try:
            for events in self.read(segment):
                kept = []
                for event in events:
                    erased = event.details is not None and event.action != Action.USER_ERASED and concerns(event)
                    count += erased
                    kept.append(replace(event, details=None, salt=None) if erased else event)
                writer.write(kept)
        except BaseException:
            writer.close()
            raise
        return writer, count


class SegmentWriter:
    """Writes a file beside its place, and moves it there when it is whole."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._part = folder / f".part-{os.getpid()}-{id(self):x}"
        self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes the file, unless it was put in its place."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, events: list[AuditEvent]) -> None:
        """Adds events.

        Raises:
            StorageFull: There is no room.
        """
        try:
            self._file.writelines(line_of(event) for event in events)
        except OSError as exc:
            raise _full(exc) from exc

    def finish(self, path: Path) -> None:
        """Puts the file in its place, for good."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise _full(exc) from exc


def events_of(path: Path) -> Iterator[list[AuditEvent]]:
    """Yields the events of a file, some at a time.

    Raises:
        InvalidRequest: A line is no event.
    """
    with path.open("rb") as lines:
        whole = (line for line in lines if line.strip())
        while some := list(islice(whole, _BATCH)):
            yield [event_of(line) for line in some]


def _full(exc: OSError) -> Exception:
    if exc.errno in _FULL:
        return StorageFull("There is no space for the sealed events.", hint="Free some space in the data directory.")
    return exc
