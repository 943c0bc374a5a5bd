from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from kaynak.domain import CorruptIndex, Filter, Json
from kaynak.engines.checks import check_limit, check_numbers, check_points, pick_field
from kaynak.engines.protocol import Candidates, Capabilities, DenseSpec, Point, Vector
from kaynak.engines.qdrant.base import HEADER, QdrantIndexes, check_ids, replaced
from kaynak.engines.qdrant.filters import Compiled, compile_filter
from kaynak.engines.qdrant.payloads import stored_payload
from kaynak.engines.qdrant.searching import best
from kaynak.engines.qdrant.spec import Layout, dense_layout
from kaynak.engines.qdrant.transport import EVERYTHING, Look, OneOf, Stored, Transport

_NUMBERS = 500_000
"""Numbers of vectors in one request; some 10 MB of JSON, a third of what a server takes."""

_MOST_POINTS = 1000
_REFERENCE_DIMENSIONS = 384


class QdrantDense(QdrantIndexes):
    """HNSW, filtered within the graph; exact where few points match.

    Qdrant can also fuse sparse and dense results itself, by ranks or by scores normalised over what was found. Ours is
    another fusion, on a fixed scale (decision 10), so it is not asked to.

    Args:
        transport: Where Qdrant is.
        exact_rows: Up to so many matching points of 384 dimensions are compared one by one.
    """

    def __init__(self, transport: Transport, *, exact_rows: int = 10_000) -> None:
        super().__init__(transport, "vectors")
        self._exact_rows = exact_rows
        self.capabilities = Capabilities(
            metrics=frozenset({"cosine", "dot", "l2"}),
            named_vectors=True,
            filters=True,
            shared=transport.shared,
            atomic=False,
        )

    async def create(self, spec: DenseSpec) -> None:
        """See `DenseEngine.create`."""
        await self._make(spec.name, dense_layout(spec, self._transport.unsupported))

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        """See `DenseEngine.apply`."""
        layout = await self._present_layout(name)
        check_points(upserts, layout.fields)
        points = {one.id: one for one in upserts}
        check_ids(list(points))
        gone = replaced(deletes, {key: one.document_id for key, one in points.items()})
        await self._write(name, layout, _parts(layout, list(points.values())), gone, revision)

    async def search(
        self,
        name: str,
        vector: Vector,
        limit: int,
        *,
        field: str | None = None,
        condition: Filter | None = None,
        exact: bool = False,
    ) -> Candidates:
        """See `DenseEngine.search`."""
        layout = self._layouts.get(name) or await self._present_layout(name)
        which = pick_field(layout.fields, field)
        query = check_numbers(vector, which)
        where = compile_filter(condition, layout.tenant)
        sign = -1.0 if which.metric == "l2" else 1.0
        place = self._place(name)
        check_limit(limit)
        try:
            large: bool | None = False if exact else self._memo.get(name, condition)
            if large is None:
                large = await self._large(name, layout, condition, where)
            if large:
                walk = Look(which.name, query, EVERYTHING, limit, False, layout.hnsw_ef, layout.oversampling)
                found = await best(self._transport, place, walk, condition, where, sign=sign)
                if not found.short:
                    return Candidates(found.ids, found.scores, "ann")
            look = Look(which.name, query, EVERYTHING, limit)
            found = await best(self._transport, place, look, condition, where, sign=sign)
        except CorruptIndex:
            self._forget(name)
            raise
        return Candidates(found.ids, found.scores, "exact")

    async def _large(self, name: str, layout: Layout, condition: Filter | None, where: Compiled) -> bool:
        """Returns whether more points match than are compared one by one.

        Qdrant's estimate costs next to nothing, and is right for one value of one field. Where several conditions meet
        it multiplies their shares, so that it may say many where few match: then they are counted.
        """
        widest = max(one.dimensions for one in layout.fields)
        most = max(1, min(self._exact_rows, self._exact_rows * _REFERENCE_DIMENSIONS // widest))
        place, matching = self._place(name), where.without(HEADER).most
        known = await self._transport.count(place, matching, exact=False)
        if known > most and condition is not None and not isinstance(where.most, OneOf):
            known = await self._transport.count(place, matching)
        self._memo.note(name, condition, known > most)
        return known > most


def _parts(layout: Layout, points: Sequence[Point]) -> Iterator[list[Stored]]:
    size = max(1, min(_MOST_POINTS, _NUMBERS // sum(one.dimensions for one in layout.fields)))
    # Chunks of a document come together and share a payload.
    key: tuple[UUID, Mapping[str, Json]] | None = None
    stored: Mapping[str, Json] = {}
    for start in range(0, len(points), size):
        part = []
        for point in points[start : start + size]:
            if key is None or key[0] != point.document_id or key[1] is not point.payload:
                key = point.document_id, point.payload
                stored = stored_payload(point.document_id, point.payload, layout.tenant)
            vectors = {one: vector.tolist() for one, vector in point.vectors.items()}
            part.append(Stored(point.id, vectors, stored))
        yield part
