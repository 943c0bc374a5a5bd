from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from kaynak.catalog import Catalog
from kaynak.domain import Collection, Hit, KaynakError, Scope
from kaynak.indexing import Parts


@dataclass(frozen=True, slots=True)
class Moment:
    """What an answer depends on beside the question: the collections as they are, revision and generation included.

    The whole of it belongs into the key of whatever is remembered: a change of any collection is another moment.

    Attributes:
        collections: In the order in which they were named.
    """

    collections: tuple[Collection, ...]

    def reaches(self, hits: Sequence[Hit]) -> bool:
        """Returns whether all hits are of these collections."""
        names = {one.name for one in self.collections}
        return all(hit.collection in names for hit in hits)


class Moments:
    """Tells moments apart, and whether what was remembered of one may be shown.

    Args:
        catalog: The truth, and the gate.
        parts: The engines, which know how far their indexes are.
    """

    def __init__(self, catalog: Catalog, parts: Parts) -> None:
        self._catalog = catalog
        self._parts = parts
        self._reached: dict[int, int] = {}

    async def now(self, names: Sequence[str], scope: Scope) -> Moment:
        """Returns the present moment of these collections.

        Raises:
            CollectionNotFound: One of them does not exist, or not for this caller.
            CatalogUnavailable: The database does not answer.
        """
        async with self._catalog.look() as look:
            return Moment(tuple([await look.collection(scope, name) for name in dict.fromkeys(names)]))

    async def settled(self, moment: Moment) -> bool:
        """Returns whether the indexes reflect all of ``moment``: only then may what they say be remembered as of it.

        To be asked before they are searched. Indexes only move forward, so a yes is not asked for twice.
        """
        return all(await asyncio.gather(*(self._settled(one) for one in moment.collections)))

    def forget(self, moment: Moment) -> None:
        """Asks again next time: an index was away, and may be built anew."""
        for one in moment.collections:
            self._reached.pop(one.generation.id, None)

    async def admits(self, moment: Moment, scope: Scope, hits: Sequence[Hit]) -> bool:
        """Returns whether every passage is, now, of a current version that the caller may read."""
        if not moment.reaches(hits):
            return False
        async with self._catalog.look() as look:
            for one in moment.collections:
                wanted = {key: hit.version_id for hit in hits if hit.collection == one.name for key in hit.chunk_ids}
                admitted = await look.admit(scope, one.generation, list(wanted))
                if {row.chunk_id: row.version_id for row in admitted} != wanted:
                    return False
        return True

    async def _settled(self, collection: Collection) -> bool:
        generation = collection.generation
        if self._reached.get(generation.id) == collection.revision:
            return True
        try:
            engines = (self._parts.dense_of(generation), self._parts.lexical_of(generation))
            reached = min(await asyncio.gather(*(engine.revision(generation.key) for engine in engines)))
        except KaynakError:
            return False
        if reached < collection.revision:
            return False
        self._reached[generation.id] = collection.revision
        return True
