from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

_REMEMBERED = 4096
_SECONDS = 300.0

_Key = tuple[UUID, frozenset[UUID]]


class Narrow:
    """Remembers for a while who may read little of a collection, so as not to find out with each search."""

    def __init__(self) -> None:
        self._until: OrderedDict[_Key, float] = OrderedDict()

    def knows(self, collection: UUID, principals: frozenset[UUID]) -> bool:
        """Returns whether it was noted of them lately."""
        return self._until.get((collection, principals), 0.0) > time.monotonic()

    def note(self, collection: UUID, principals: frozenset[UUID]) -> None:
        """Notes it; forgets the oldest ones."""
        key = (collection, principals)
        self._until.pop(key, None)
        self._until[key] = time.monotonic() + _SECONDS
        while len(self._until) > _REMEMBERED:
            self._until.popitem(last=False)
