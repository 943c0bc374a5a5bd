from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from kaynak.caching.protocol import ENTRY_BYTES

_OVERHEAD = 200
"""Bytes of an entry beside its key and its value."""


class MemoryCache:
    """In this process, bounded in bytes; the least recently used go first. See `Cache`.

    Args:
        max_bytes: What all entries may take together.
        entry_bytes: Largest value.
        clock: Seconds that only rise.
    """

    def __init__(
        self, max_bytes: int, *, entry_bytes: int = ENTRY_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._entry_bytes = entry_bytes
        self._clock = clock
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size

    async def get(self, key: str) -> bytes | None:
        """See `Cache`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, until = entry
        if self._clock() >= until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return value

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """See `Cache`."""
        self._drop(key)
        if len(value) > self._entry_bytes or _cost(key, value) > self._max_bytes or seconds <= 0:
            return
        self._entries[key] = (value, self._clock() + seconds)
        self._size += _cost(key, value)
        while self._size > self._max_bytes:
            self._drop(next(iter(self._entries)))

    async def close(self) -> None:
        """See `Cache`."""
        self._entries.clear()
        self._size = 0

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= _cost(key, entry[0])


def _cost(key: str, value: bytes) -> int:
    return len(key) + len(value) + _OVERHEAD
