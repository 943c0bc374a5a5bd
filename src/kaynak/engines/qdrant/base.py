"""What the dense and the lexical side have in common: headers, counting, scanning and writing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from kaynak.domain import Conflict, CorruptIndex, Filter, InvalidRequest, matches
from kaynak.engines.checks import check_name
from kaynak.engines.qdrant.filters import Compiled, compile_filter
from kaynak.engines.qdrant.memo import Memo
from kaynak.engines.qdrant.payloads import DOCUMENT, MAX_ORDERED, SOURCE, ordered_fields, source_of
from kaynak.engines.qdrant.spec import Layout, layout_from
from kaynak.engines.qdrant.transport import Clause, Ids, OneOf, PayloadIndex, Stored, Transport

# The revision is a point without vectors, under a UUID where all others have numbers. Collection metadata would be the
# other place; servers before 1.16 and the embedded engine have none, and on a cluster each change of it is agreed
# upon by all nodes.
HEADER = UUID("6b61796e-616b-4000-8000-000000000000")

_PAGE = 5000
_NAMES = 1000
"""Values in one condition of a delete."""

_SECONDS = 60.0


class QdrantIndexes:
    """Indexes of one side, each a collection of its own.

    Args:
        transport: Where Qdrant is.
        side: ``vectors`` or ``words``; a generation has both under one name.
    """

    def __init__(self, transport: Transport, side: str) -> None:
        self._transport = transport
        self._side = side
        self._layouts: dict[str, Layout] = {}
        self._ordered: dict[str, set[str]] = {}
        self._memo = Memo(_SECONDS)

    async def drop(self, name: str) -> None:
        """Removes the index and all its data."""
        check_name(name)
        self._forget(name)
        await self._transport.drop(self._place(name))

    async def exists(self, name: str) -> bool:
        """Returns whether the index is there, and was completely made."""
        try:
            await self.revision(name)
        except CorruptIndex:
            return False
        return True

    async def revision(self, name: str) -> int:
        """Returns the revision of the last write."""
        return int((await self._header(check_name(name)))["revision"])

    async def count(self, name: str, condition: Filter | None = None) -> int:
        """Returns how many points match."""
        layout = await self._layout(name)
        place = self._place(name)
        if condition is None:
            await self._header(name)
            return await self._transport.count(place, Clause()) - 1
        where = compile_filter(condition, layout.tenant).without(HEADER)
        with self._noticing(name):
            found = await self._transport.count(place, where.least)
            return found if where.exact else found + await self._count_unsure(place, condition, where)

    async def _count_unsure(self, place: str, condition: Filter, where: Compiled) -> int:
        found, after = 0, None
        while True:
            rows, after = await self._transport.scroll(place, where.unsure, after, _PAGE, (SOURCE,))
            found += sum(matches(condition, source_of(row.payload)) for row in rows)
            if after is None:
                return found

    async def scan(self, name: str) -> AsyncIterator[tuple[int, UUID]]:
        """Yields (chunk id, document id) of all points, by id."""
        await self._header(check_name(name))
        after = None
        everything = Clause(must_not=(Ids((HEADER,)),))
        while True:
            rows, after = await self._transport.scroll(self._place(name), everything, after, _PAGE, (DOCUMENT,))
            for row in rows:
                yield int(row.id), UUID(str(row.payload[DOCUMENT]))
            if after is None:
                return

    async def health(self) -> None:
        """Asks Qdrant.

        Raises:
            EngineUnavailable: It does not answer.
        """
        await self._transport.health()

    async def close(self) -> None:
        """Frees everything."""
        await self._transport.close()

    async def _make(self, name: str, layout: Layout) -> None:
        """Makes an index: whole once its header is there, which comes last."""
        place = self._place(name)
        await self._transport.create(place, layout.shape())
        there = await self._transport.get(place, HEADER)
        if there is None:
            for wanted in layout.indexes():
                await self._transport.index(place, wanted)
            there = await self._transport.get(place, HEADER)
        if there is None:
            await self._transport.write(place, [Stored(HEADER, {}, layout.header(0))])
            await self._transport.settle(place)
        elif not layout_from(name, there).same(layout):
            raise Conflict(f"Index “{name}” exists and is built differently.")
        self._forget(name)

    async def _write(
        self, name: str, layout: Layout, points: Iterator[list[Stored]], deletes: Mapping[UUID, set[int]], revision: int
    ) -> None:
        """Writes new points, then deletes what is left of replaced documents, then the revision.

        So a search in between finds the old, the new or both; and after a crash in between, the old revision says that
        all of it has to be done again, which does no harm.

        Args:
            name: The index.
            layout: Of it.
            points: In parts of a good size for one request.
            deletes: Documents, each with the ids that are among ``points``.
            revision: What the index reflects then.
        """
        place = self._place(name)
        for part in points:
            await self._index_ordered(place, part)
            await self._transport.write(place, part)
        documents = list(deletes)
        for start in range(0, len(documents), _NAMES):
            some = documents[start : start + _NAMES]
            kept = tuple(sorted(key for one in some for key in deletes[one]))
            gone = OneOf(DOCUMENT, tuple(map(str, some)))
            await self._transport.delete(place, Clause(must=(gone,), must_not=(Ids(kept),) if kept else ()))
        await self._transport.settle(place)
        await self._transport.write(place, [Stored(HEADER, {}, layout.header(revision))])
        await self._transport.settle(place)
        self._memo.forget(name)
        await self._transport.tend(place)

    async def _index_ordered(self, place: str, points: Sequence[Stored]) -> None:
        """Gives new fields of order keys their indexes, before the points that have them."""
        known = self._ordered.get(place)
        if known is None:
            known = self._ordered[place] = set(await self._transport.indexed(place))
        wanted: set[str] = set().union(*(ordered_fields(one.payload) for one in points))
        for key in sorted(wanted - known)[: max(0, MAX_ORDERED - len(known))]:
            await self._transport.index(place, PayloadIndex(key, "float"))
            known.add(key)

    @contextmanager
    def _noticing(self, name: str) -> Iterator[None]:
        """Forgets what is known of an index that turns out to be gone: it may be made anew with other fields."""
        try:
            yield
        except CorruptIndex:
            self._forget(name)
            raise

    async def _header(self, name: str) -> Mapping[str, Any]:
        with self._noticing(name):
            header = await self._transport.get(self._place(name), HEADER)
            if header is None:
                raise CorruptIndex(f"There is no index “{name}”, or it was not completely made.")
            return header

    async def _layout(self, name: str) -> Layout:
        return self._layouts.get(name) or await self._present_layout(name)

    async def _present_layout(self, name: str) -> Layout:
        """Returns the layout as it is now, whatever is remembered."""
        layout = self._layouts[name] = layout_from(name, await self._header(check_name(name)))
        return layout

    def _forget(self, name: str) -> None:
        self._layouts.pop(name, None)
        self._ordered.pop(self._place(name), None)
        self._memo.forget(name)

    def _place(self, name: str) -> str:
        return f"{self._transport.prefix}_{name}_{self._side}"


def check_ids(ids: Sequence[int]) -> None:
    """Refuses ids that Qdrant cannot hold.

    Raises:
        InvalidRequest: One is negative or has more than 64 bits.
    """
    for one in ids:
        if not 0 <= one < 1 << 64:
            raise InvalidRequest(f"{one} cannot be the id of a point in Qdrant.")


def replaced(deletes: Sequence[UUID], items: Mapping[int, UUID]) -> dict[UUID, set[int]]:
    """Returns the documents to delete, each with those of its ids that are written anew.

    Args:
        deletes: Documents.
        items: Document by id of what is written.
    """
    found: dict[UUID, set[int]] = {one: set() for one in deletes}
    for key, document in items.items():
        if document in found:
            found[document].add(key)
    return found
