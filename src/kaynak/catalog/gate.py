# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""The last gate: nothing that is deleted, superseded or not for this caller goes through.

Engines propose ids; only these statements say what may leave the system.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import Admitted, Passage
from kaynak.catalog.sql import MAY_READ, PAYLOAD, TITLE, driver, scope_values
from kaynak.domain import Generation, Scope, Span

# Each candidate is looked up by key. As plain joins, the planner may read all documents instead, the more likely the
# older its statistics are, as they are after a bulk load; OFFSET 0 takes that choice from it.
_BY_KEY = """
    FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS given (id, position)
    CROSS JOIN LATERAL (SELECT * FROM kaynak.chunks WHERE id = given.id OFFSET 0) k
    CROSS JOIN LATERAL (
        SELECT * FROM kaynak.documents WHERE id = k.document_id AND current_version_id = k.version_id OFFSET 0
    ) d
    CROSS JOIN LATERAL (
        SELECT * FROM kaynak.document_versions WHERE id = k.version_id AND state = 'ready' OFFSET 0
    ) v
"""
_CANDIDATE = """
    SELECT k.id, k.document_id, k.version_id, d.external_id, k.ordinal, k.start, k."end", k.text_hash, NULL
"""
# Whether a version has pages is seen from the size of its map, which may be large, without unpacking it.
_DETAILS = """, k.text, k.headings, d.title, v.title, v.number, v.language, v.media_type, pg_column_size(v.pages) > 16,
    CAST(d.metadata AS text)
"""
_WHERE = f"""
    {_BY_KEY}
    WHERE d.collection_id = :collection_id AND k.chunker_fingerprint = :chunker AND {MAY_READ}
    ORDER BY given.position
"""
ADMIT = _CANDIDATE + _WHERE
# Hundreds of candidates per search: asked of the driver itself, in binary form, without SQLAlchemy's rows.
_PLAIN = 9
_NAMED = re.compile(r":(\w+)")
_STATEMENTS = {
    (payload, details): _CANDIDATE.replace("NULL", f"CAST({PAYLOAD} AS text)" if payload else "NULL")
    + details * _DETAILS
    + _NAMED.sub(r"%(\1)s", _WHERE)
    for payload in (False, True)
    for details in (False, True)
}

_NEIGHBOURS = text(
    f"""
    SELECT k.id AS chunk_id, d.collection_id, c.name AS collection, k.document_id, d.external_id,
        {TITLE} AS title, k.version_id, v.number AS version, k.ordinal, k.chunker_fingerprint,
        k.start, k."end", k.text, k.headings, p.first, p.last, v.language, v.media_type, d.metadata, d.updated_at
    FROM kaynak.chunks own
    JOIN kaynak.chunks k ON k.version_id = own.version_id AND k.chunker_fingerprint = own.chunker_fingerprint
        AND k.ordinal BETWEEN own.ordinal - :before AND own.ordinal + :after AND k.id <> own.id
    JOIN kaynak.documents d ON d.id = k.document_id AND d.current_version_id = k.version_id
    JOIN kaynak.document_versions v ON v.id = d.current_version_id AND v.state = 'ready'
    JOIN kaynak.collections c ON c.id = d.collection_id
    LEFT JOIN LATERAL (
        SELECT min(CAST(page->>0 AS int)) AS first, max(CAST(page->>0 AS int)) AS last
        FROM jsonb_array_elements(v.pages) page
        WHERE CAST(page->>1 AS int) < k."end" AND CAST(page->>2 AS int) > k.start
    ) p ON TRUE
    WHERE own.id = :id AND {MAY_READ} ORDER BY k.ordinal
    """
)


class Gate:
    """What may be seen of what engines found."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def admit(
        self, scope: Scope, generation: Generation, ids: Sequence[int], *, payload: bool = False, details: bool = False
    ) -> list[Admitted]:
        """Returns those candidates, in order, that are chunks of current documents of the generation.

        Args:
            scope: Who asks.
            generation: Whose index proposed them.
            ids: Chunk ids as the engine gave them; anything may be among them.
            payload: Whether to read all that filters see.
            details: Whether to read what a hit shows, too: for some hundred candidates cheaper than to come again.
        """
        return await admit(await driver(self._connection), scope, generation, ids, payload=payload, details=details)

    async def neighbours(self, scope: Scope, chunk_id: int, before: int = 1, after: int = 1) -> list[Passage]:
        """Returns up to ``before`` chunks before and ``after`` chunks after a chunk, in the order of the text."""
        found = await self._connection.execute(
            _NEIGHBOURS, {"id": chunk_id, "before": before, "after": after, **scope_values(scope)}
        )
        return [_passage(row) for row in found.mappings()]


async def admit(
    connection: psycopg.AsyncConnection[Any],
    scope: Scope,
    generation: Generation,
    ids: Sequence[int],
    *,
    payload: bool = False,
    details: bool = False,
) -> list[Admitted]:
    """See `Gate.admit`."""
    if not ids or not scope.allows(generation.collection_id):
        return []
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(
            _STATEMENTS[payload, details],
            {
                # As text: the driver looks at each number of a list by itself.
                "ids": f"{{{','.join(map(str, ids))}}}",
                "collection_id": generation.collection_id,
                "chunker": generation.chunker_fingerprint,
                **scope_values(scope),
            },
            prepare=True,  # the plan is the same whatever the values
        )
        rows = await cursor.fetchall()
    # What `_make` does, without its call: there are a hundred, most of which nobody looks at again.
    make = tuple.__new__
    if details:
        return [make(Admitted, (*row[:_PLAIN], row[_PLAIN:])) for row in rows]
    return [make(Admitted, (*row, None)) for row in rows]


def _passage(row: Mapping[Any, Any]) -> Passage:
    values = dict(row)
    start, end, first, last = (values.pop(name) for name in ("start", "end", "first", "last"))
    values["headings"] = tuple(values["headings"])
    return Passage(**values, span=Span(start, end), pages=None if first is None else (first, last))
