from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Keeps readers of milvus-lite from seeing the halves of a change.

    A reader there takes note of the rows that are there, and only then of those that are deleted; and while rows are
    put away, for a moment they are in neither place.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading: set[object] = set()
        self._shut = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Waits while nobody may read, and reads."""
        token = object()
        with self._changed:
            self._changed.wait_for(lambda: not self._shut)
            self._reading.add(token)
        try:
            yield
        finally:
            with self._changed:
                self._reading.discard(token)
                self._changed.notify_all()

    def drain(self) -> None:
        """Waits until all who read now are done; others may begin meanwhile."""
        with self._changed:
            before = frozenset(self._reading)
            self._changed.wait_for(lambda: self._reading.isdisjoint(before))

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Waits until nobody reads, and lets nobody read."""
        with self._changed:
            self._shut += 1
            self._changed.wait_for(lambda: not self._reading)
        try:
            yield
        finally:
            with self._changed:
                self._shut -= 1
                self._changed.notify_all()
