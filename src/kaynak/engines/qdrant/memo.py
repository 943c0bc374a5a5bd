from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any


class Memo:
    """What is worth knowing about indexes for a while. Every index forgets when it is written.

    Args:
        seconds: How long.
        most: Facts at most; all are forgotten when there would be more.
    """

    def __init__(self, seconds: float, most: int = 50_000) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: dict[tuple[str, Hashable], tuple[Any, float]] = {}

    def get(self, name: str, key: Hashable) -> Any:
        """Returns what is known of ``key`` in index ``name``; None if nothing is."""
        value, until = self._kept.get((name, key), (None, 0.0))
        return value if until > time.monotonic() else None

    def note(self, name: str, key: Hashable, value: Any) -> None:
        """Remembers it."""
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[name, key] = value, time.monotonic() + self._seconds

    def forget(self, name: str) -> None:
        """Forgets what is known of an index."""
        for key in [key for key in self._kept if key[0] == name]:
            del self._kept[key]
