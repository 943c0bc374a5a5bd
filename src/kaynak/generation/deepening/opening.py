"""Reading on from a passage: what stands around it, or the whole table it is of."""

from __future__ import annotations

from dataclasses import replace

from kaynak.catalog import Catalog, Unit, excerpts
from kaynak.domain import BlockKind, DocumentNotFound, Hit, Scope, Span

AROUND = 2
"""Chunks that are read before and after a passage."""

TABLE_CHARS = 8_000
"""Of a longer table the part around the passage is read."""

_CHUNKS = 24


class Opener:
    """Reads on in documents that the caller may read; what is no longer current is not opened.

    Args:
        catalog: Has the texts.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def around(self, hit: Hit, scope: Scope) -> Hit | None:
        """Returns the passage with what stands around it; None if there is nothing."""
        async with self._catalog.read() as unit:
            before = await unit.gate.neighbours(scope, hit.chunk_ids[0], AROUND, 0)
            after = await unit.gate.neighbours(scope, hit.chunk_ids[-1], 0, AROUND)
            spans = [one.span for one in (*before, *after) if one.version_id == hit.version_id]
            if not spans:
                return None
            wide = Span(min(hit.span.start, *(s.start for s in spans)), max(hit.span.end, *(s.end for s in spans)))
            return await _grown(unit, scope, hit, wide)

    async def table(self, hit: Hit, scope: Scope) -> Hit | None:
        """Returns the passage with the whole table that it is of, or that stands next to it; None if there is none."""
        async with self._catalog.read() as unit:
            try:
                version = await unit.versions.text(scope, hit.document_id, hit.version)
            except DocumentNotFound:
                return None
            tables = [Span(one.start, one.end) for one in version.blocks if one.kind is BlockKind.TABLE]
            near = [one for one in tables if one.start <= hit.span.end + TABLE_CHARS // 4 and one.end >= hit.span.start]
            if not near:
                return None
            table = max(near, key=lambda one: (one.overlap(hit.span), -one.start))
            wide = Span(min(hit.span.start, table.start), max(hit.span.end, table.end))
            if len(wide) > TABLE_CHARS:
                first = max(wide.start, hit.span.start - TABLE_CHARS // 4)
                wide = Span(first, min(wide.end, max(hit.span.end, first + TABLE_CHARS)))
            return None if wide == hit.span else await _grown(unit, scope, hit, wide)


async def _grown(unit: Unit, scope: Scope, hit: Hit, wide: Span) -> Hit | None:
    """Returns ``hit`` grown to ``wide``; None if its version is no longer current, or not for this caller."""
    (read,) = await excerpts(unit.connection, scope, [(hit.version_id, wide)])
    if read is None or len(read.text) != len(wide):
        return None
    before = await unit.gate.neighbours(scope, hit.chunk_ids[0], _CHUNKS, 0)
    after = await unit.gate.neighbours(scope, hit.chunk_ids[-1], 0, _CHUNKS)
    ids = [
        *(one.chunk_id for one in before if one.span.overlap(wide) > 0),
        *hit.chunk_ids,
        *(one.chunk_id for one in after if one.span.overlap(wide) > 0),
    ]
    return replace(hit, span=wide, text=read.text, chunk_ids=tuple(ids), pages=read.pages or hit.pages)
