from __future__ import annotations

import time
from collections import OrderedDict

from kaynak.domain import Filter

_REMEMBERED = 4096
_SECONDS = {True: 300.0, False: 60.0}
"""What is searched exactly because little matches takes longer as it grows."""

Key = tuple[str, str, Filter | None]
"""Name of an index, name of a field, and the filter: of points that lack the field, none matches."""


class Sizes:
    """Remembers for a while which filters match too much for exact search, so as not to find out each time."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, tuple[bool, float]] = OrderedDict()

    def large(self, key: Key) -> bool | None:
        """Returns whether ``key`` matches too much; None if that is not known."""
        large, until = self._known.get(key, (None, 0.0))
        return large if until > time.monotonic() else None

    def note(self, key: Key, *, large: bool) -> None:
        """Remembers ``key``; forgets the oldest ones."""
        self._known.pop(key, None)
        self._known[key] = large, time.monotonic() + _SECONDS[large]
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def written(self, name: str) -> None:
        """Forgets what matched little of an index that was just written."""
        for key in [key for key, (large, _) in self._known.items() if key[0] == name and not large]:
            del self._known[key]
