# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""What the doctor asks of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import Side
from kaynak.catalog.sql import driver
from kaynak.domain import Generation

Holdings = tuple[NDArray[np.int64], list[bytes]]
"""Ids of passages in order, and the document of each, as 16 bytes."""

_HELD = """
    SELECT k.id, k.document_id FROM kaynak.documents d
    JOIN kaynak.chunks k ON k.version_id = d.current_version_id AND k.chunker_fingerprint = %(chunker)s
    WHERE d.collection_id = %(collection)s
        AND NOT EXISTS (SELECT 1 FROM kaynak.index_faults f
            WHERE f.generation_id = %(generation)s AND f.side = %(side)s AND f.document_id = d.id)
        {embedded}
    ORDER BY k.id
"""
_EMBEDDED = """
        AND EXISTS (SELECT 1 FROM kaynak.embeddings e
            WHERE e.embedder_fingerprint = %(embedder)s AND e.text_hash = k.text_hash)
"""
_INCOMPLETE = text(
    """
    SELECT d.id FROM kaynak.documents d JOIN kaynak.document_versions v ON v.id = d.current_version_id
    WHERE d.collection_id = :collection AND v.state = 'ready' AND length(v.text) > 0 AND (
        NOT EXISTS (SELECT 1 FROM kaynak.chunks k WHERE k.version_id = v.id AND k.chunker_fingerprint = :chunker)
        OR EXISTS (
            SELECT 1 FROM kaynak.chunks k WHERE k.version_id = v.id AND k.chunker_fingerprint = :chunker
            AND (NOT EXISTS (SELECT 1 FROM kaynak.embeddings e
                WHERE e.embedder_fingerprint = :embedder AND e.text_hash = k.text_hash)
            OR CAST(:weights AS text) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM kaynak.embeddings w
                WHERE w.embedder_fingerprint = CAST(:weights AS text) AND w.text_hash = k.text_hash))
        )
    ) AND NOT EXISTS (SELECT 1 FROM kaynak.index_faults f WHERE f.generation_id = :generation AND f.document_id = d.id)
    """
)
_COUNTS = """
    WITH counted AS (
        SELECT c.id, (SELECT count(*) FROM kaynak.documents d WHERE d.collection_id = c.id
            AND d.current_version_id IS NOT NULL) AS documents
        FROM kaynak.collections c
    ), chunked AS (
        SELECT g.id, (SELECT count(*) FROM kaynak.documents d
            JOIN kaynak.chunks k ON k.version_id = d.current_version_id
                AND k.chunker_fingerprint = g.chunker_fingerprint
            WHERE d.collection_id = g.collection_id) AS chunks
        FROM kaynak.generations g
    )
"""
_WRONG = text(
    _COUNTS
    + """
    SELECT (SELECT count(*) FROM counted n JOIN kaynak.collections c ON c.id = n.id WHERE c.documents <> n.documents)
        + (SELECT count(*) FROM chunked n JOIN kaynak.generations g ON g.id = n.id WHERE g.chunks <> n.chunks)
    """
)
_RIGHT = text(
    _COUNTS
    + """
    , one AS (
        UPDATE kaynak.collections c SET documents = n.documents FROM counted n
        WHERE n.id = c.id AND c.documents <> n.documents
    )
    UPDATE kaynak.generations g SET chunks = n.chunks FROM chunked n WHERE n.id = g.id AND g.chunks <> n.chunks
    """
)


async def holdings(connection: AsyncConnection, generation: Generation, side: Side) -> Holdings:
    """Returns what an index of the generation should have."""
    needed = generation.needs(side)
    statement = _HELD.format(embedded="" if needed is None else _EMBEDDED)
    raw = await driver(connection)
    async with raw.cursor(binary=True) as cursor:
        await cursor.execute(
            statement,
            {
                "chunker": generation.chunker_fingerprint,
                "collection": generation.collection_id,
                "embedder": needed,
                "generation": generation.id,
                "side": side,
            },
        )
        rows = await cursor.fetchall()
    return np.array([key for key, _ in rows], dtype=np.int64), [document.bytes for _, document in rows]


async def incomplete(connection: AsyncConnection, generation: Generation) -> list[UUID]:
    """Returns documents that lack passages, embeddings or weights of the generation."""
    found = await connection.execute(
        _INCOMPLETE,
        {
            "collection": generation.collection_id,
            "chunker": generation.chunker_fingerprint,
            "embedder": generation.embedder_fingerprint,
            "weights": generation.weights_fingerprint,
            "generation": generation.id,
        },
    )
    return list(found.scalars())


async def generations_ever(connection: AsyncConnection) -> int:
    """Returns the highest number that a generation has had."""
    found = await connection.execute(
        text("SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('kaynak.generations', 'id')), 0)")
    )
    return int(found.scalar_one())


async def contents(connection: AsyncConnection) -> set[bytes]:
    """Returns the keys of all originals that some version refers to."""
    return set((await connection.execute(text("SELECT DISTINCT content_hash FROM kaynak.document_versions"))).scalars())


async def miscounted(connection: AsyncConnection) -> int:
    """Returns how many of the numbers that are kept of collections and generations are wrong."""
    return int((await connection.execute(_WRONG)).scalar_one())


async def recount(connection: AsyncConnection) -> None:
    """Puts the numbers right that are kept of collections and generations; nobody may write meanwhile."""
    await connection.execute(text("LOCK TABLE kaynak.documents, kaynak.chunks IN SHARE ROW EXCLUSIVE MODE"))
    await connection.execute(_RIGHT)


async def remains(connection: AsyncConnection, documents: Sequence[UUID]) -> int:
    """Returns how many rows the catalog has of documents."""
    found = await connection.execute(
        text(
            "SELECT (SELECT count(*) FROM kaynak.documents WHERE id = ANY(CAST(:ids AS uuid[])))"
            " + (SELECT count(*) FROM kaynak.document_versions WHERE document_id = ANY(CAST(:ids AS uuid[])))"
            " + (SELECT count(*) FROM kaynak.chunks WHERE document_id = ANY(CAST(:ids AS uuid[])))"
        ),
        {"ids": list(documents)},
    )
    return int(found.scalar_one())


async def texts_of(connection: AsyncConnection, documents: Sequence[UUID]) -> list[bytes]:
    """Returns the hashes of what was embedded of documents, in all generations."""
    found = await connection.execute(
        text("SELECT DISTINCT text_hash FROM kaynak.chunks WHERE document_id = ANY(CAST(:ids AS uuid[]))"),
        {"ids": list(documents)},
    )
    return list(found.scalars())


async def embeddings_left(connection: AsyncConnection, hashes: Sequence[bytes]) -> int:
    """Returns how many embeddings and weights there are of texts that no passage has any more."""
    raw = await driver(connection)
    found = await raw.execute(
        "SELECT count(*) FROM kaynak.embeddings e WHERE e.text_hash = ANY(%b::bytea[]) "
        "AND NOT EXISTS (SELECT 1 FROM kaynak.chunks k WHERE k.text_hash = e.text_hash)",
        (list(hashes),),
    )
    row = await found.fetchone()
    return 0 if row is None else int(row[0])


async def originals_of(connection: AsyncConnection, documents: Sequence[UUID]) -> list[bytes]:
    """Returns the keys of the originals of documents that no other document has."""
    found = await connection.execute(
        text(
            "SELECT DISTINCT v.content_hash FROM kaynak.document_versions v "
            "WHERE v.document_id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS ("
            "SELECT 1 FROM kaynak.document_versions o WHERE o.content_hash = v.content_hash "
            "AND o.document_id <> ALL(CAST(:ids AS uuid[])))"
        ),
        {"ids": list(documents)},
    )
    return list(found.scalars())
