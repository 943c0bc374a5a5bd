from __future__ import annotations

import asyncio

from kaynak.domain import Collection, KaynakError
from kaynak.indexing import Parts


class Revisions:
    """Knows which revision the indexes of a collection reflect, and asks the engines only when it may be another.

    Indexes only move forward, and never past the collection: where they had reached its present revision, they
    still have.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[int, int] = {}

    async def of(self, collection: Collection) -> int:
        """Returns the revision that an answer from the collection's indexes reflects at least."""
        generation = collection.generation
        known = self._known.get(generation.id, -1)
        if known == collection.revision:
            return known
        try:
            engines = (self._parts.dense_of(generation), self._parts.lexical_of(generation))
            reached = min(await asyncio.gather(*(engine.revision(generation.key) for engine in engines)))
        except KaynakError:  # the search itself says what is wrong
            return 0
        self._known[generation.id] = reached
        return min(reached, collection.revision)

    def forget(self, collection: Collection) -> None:
        """Asks again next time: an index may have been lost, and be built anew."""
        self._known.pop(collection.generation.id, None)
