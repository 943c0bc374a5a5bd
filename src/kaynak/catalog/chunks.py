# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.records import ChunkRow, IndexedChunk, Side
from kaynak.catalog.sql import EMBEDDINGS_LOCK, INDEXED_PAYLOAD, MAY_READ, TITLE, driver, lock, scope_values
from kaynak.domain import Chunk, DocumentNotFound, Generation, Scope, Span
from kaynak.domain.copy_rows import copy_rows, int4, texts

_COPY = (
    "COPY kaynak.chunks (collection_id, document_id, version_id, chunker_fingerprint, ordinal, "
    'start, "end", text, headings, text_hash) FROM STDIN (FORMAT binary)'
)
_COPIED = 2000
"""Rows that are formed at a time."""
_CHUNK = 'k.id, k.document_id, k.version_id, k.ordinal, k.start, k."end", k.text, k.headings'
_OF_VERSION = f"""
    SELECT {_CHUNK} FROM kaynak.chunks k JOIN kaynak.documents d ON d.id = k.document_id
    WHERE k.version_id = :version_id AND k.chunker_fingerprint = coalesce(:chunker, (
        SELECT chunker_fingerprint FROM kaynak.generations WHERE collection_id = d.collection_id AND active
    )) AND k.ordinal > :after AND {MAY_READ}
    ORDER BY k.ordinal LIMIT :limit
"""
_COUNT_INDEXED = text(
    """
    SELECT count(*) FILTER (WHERE e.text_hash IS NOT NULL AND NOT coalesce(f.dense, FALSE)) AS dense,
        count(*) FILTER (WHERE (CAST(:weights AS text) IS NULL OR w.text_hash IS NOT NULL)
            AND NOT coalesce(f.lexical, FALSE)) AS lexical
    FROM kaynak.documents d
    JOIN kaynak.chunks k ON k.version_id = d.current_version_id AND k.chunker_fingerprint = :chunker
    LEFT JOIN kaynak.embeddings e ON e.embedder_fingerprint = :embedder AND e.text_hash = k.text_hash
    LEFT JOIN kaynak.embeddings w ON w.embedder_fingerprint = CAST(:weights AS text) AND w.text_hash = k.text_hash
    LEFT JOIN (
        SELECT document_id, bool_or(side = 'dense') AS dense, bool_or(side = 'lexical') AS lexical
        FROM kaynak.index_faults WHERE generation_id = :generation GROUP BY document_id
    ) f ON f.document_id = d.id
    WHERE d.collection_id = :collection
    """
)
_SAMPLE = text(
    """
    SELECT DISTINCT ON (drawn.external_id) drawn.external_id, drawn.text FROM (
        SELECT d.external_id, k.text, k.text_hash FROM kaynak.chunks k
        JOIN kaynak.documents d ON d.current_version_id = k.version_id
        WHERE k.collection_id = :collection AND k.chunker_fingerprint = :chunker
        ORDER BY k.text_hash LIMIT :most
    ) drawn ORDER BY drawn.external_id, drawn.text_hash LIMIT :limit
    """
)
_COUNT = text(
    """
    UPDATE kaynak.generations g SET chunks = g.chunks + :sign * more.count
    FROM (
        SELECT d.collection_id, k.chunker_fingerprint, count(*)
        FROM kaynak.chunks k JOIN kaynak.documents d ON d.current_version_id = k.version_id
        WHERE k.version_id = ANY(CAST(:versions AS uuid[]))
            AND (CAST(:chunkers AS text[]) IS NULL OR k.chunker_fingerprint = ANY(CAST(:chunkers AS text[])))
        GROUP BY 1, 2
    ) more
    WHERE g.collection_id = more.collection_id AND g.chunker_fingerprint = more.chunker_fingerprint
    """
)
_DOCUMENTS = text(
    f"""
    SELECT d.id, {TITLE} AS title, v.language, {INDEXED_PAYLOAD} AS payload
    FROM kaynak.documents d JOIN kaynak.document_versions v ON v.id = d.current_version_id
    WHERE d.id = ANY(CAST(:documents AS uuid[])) AND d.collection_id = :collection_id AND v.state = 'ready'
    """
)
# Vectors come from the driver in binary form: as text they are hexadecimal, twice the bytes.
_INDEXED = """
    SELECT k.id, k.document_id, k.version_id, k.ordinal, {text}, {headings}, {vector}
    FROM kaynak.documents d
    JOIN kaynak.chunks k ON k.version_id = d.current_version_id AND k.chunker_fingerprint = %(chunker)s
    {embeddings} WHERE d.id = ANY(%(documents)s) ORDER BY k.id
"""
_WITH_TEXTS = _INDEXED.format(text="k.text", headings="k.headings", vector="NULL::bytea", embeddings="")
_WITH_VECTORS = _INDEXED.format(
    text="''",
    headings="'{}'::text[]",
    vector="e.vector",
    embeddings="LEFT JOIN kaynak.embeddings e ON e.embedder_fingerprint = %(embedder)s AND e.text_hash = k.text_hash",
)


class Chunks:
    """The passages."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, rows: Sequence[ChunkRow]) -> None:
        """Stores chunks. Holds off `Embeddings.collect_garbage` until the transaction ends.

        Embeddings that were there before this call may be gone; those found by `Embeddings.known` after it stay.
        """
        if not rows:
            return
        await lock(self._connection, EMBEDDINGS_LOCK, shared=True)
        connection = await driver(self._connection)
        for start in range(0, len(rows), _COPIED):
            async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                await copy.write(copy_rows(map(_fields, rows[start : start + _COPIED])))
        # Chunks of a version that is read already (a new generation) count at once; see `publish` for others.
        await self._count([row.version_id for row in rows], 1, {row.chunker_fingerprint for row in rows})

    async def of_version(
        self,
        scope: Scope,
        version_id: UUID,
        *,
        chunker_fingerprint: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> list[Chunk]:
        """Returns at most ``limit`` chunks of a version in order, those after the ordinal ``after``.

        Args:
            scope: Who asks; a version of others has no chunks.
            version_id: The version.
            chunker_fingerprint: What cut them; by default the chunker of the active generation.
            after: Ordinal to go on from.
            limit: At most this many.
        """
        found = await self._connection.execute(
            text(_OF_VERSION),
            {
                **scope_values(scope),
                "version_id": version_id,
                "chunker": chunker_fingerprint,
                "after": -1 if after is None else after,
                "limit": limit,
            },
        )
        return [_chunk(row) for row in found.mappings()]

    async def of_document(
        self, scope: Scope, document_id: UUID, *, after: int | None = None, limit: int = 100
    ) -> list[Chunk]:
        """Returns chunks of the document's current version, as `of_version`.

        Raises:
            DocumentNotFound: There is no such document, or not for this caller.
        """
        found = await self._connection.execute(
            text(f"SELECT d.current_version_id FROM kaynak.documents d WHERE d.id = :id AND {MAY_READ}"),
            {"id": document_id, **scope_values(scope)},
        )
        row = found.one_or_none()
        if row is None:
            raise DocumentNotFound("There is no such document.")
        if row.current_version_id is None:
            return []
        return await self.of_version(scope, row.current_version_id, after=after, limit=limit)

    async def of_documents(
        self, generation: Generation, document_ids: Sequence[UUID], side: Side
    ) -> list[IndexedChunk]:
        """Returns what an index of ``generation`` must hold of these documents; nothing of those that are gone.

        An index that needs vectors or weights is given no texts, and one of words no vectors: each would be most of the
        bytes.
        """
        given, needed = list(document_ids), generation.needs(side)
        found = await self._connection.execute(
            _DOCUMENTS, {"documents": given, "collection_id": generation.collection_id}
        )
        documents = {row.id: row for row in found}
        connection = await driver(self._connection)
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(
                _WITH_TEXTS if needed is None else _WITH_VECTORS,
                {
                    "chunker": generation.chunker_fingerprint,
                    "embedder": needed,
                    "documents": list(documents),
                },
            )
            rows = await cursor.fetchall()
        return [
            IndexedChunk(
                id=identity,
                document_id=document_id,
                version_id=version_id,
                ordinal=ordinal,
                text=content,
                headings=tuple(headings),
                title=documents[document_id].title,
                language=documents[document_id].language,
                payload=documents[document_id].payload,
                vector=vector,
            )
            for identity, document_id, version_id, ordinal, content, headings, vector in rows
        ]

    async def count_of_documents(self, generation: Generation, document_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Returns how many chunks `of_documents` has of each document; those without any are left out."""
        found = await self._connection.execute(
            text(
                "SELECT d.id, count(*) FROM kaynak.documents d JOIN kaynak.chunks k ON k.version_id = "
                "d.current_version_id AND k.chunker_fingerprint = :chunker WHERE d.id = ANY(:ids) GROUP BY d.id"
            ),
            {"ids": list(document_ids), "chunker": generation.chunker_fingerprint},
        )
        return {row[0]: row[1] for row in found}

    async def count_indexed(self, generation: Generation) -> dict[Side, int]:
        """Returns how many passages each index of the generation should have, but for those it cannot take."""
        counted = await self._connection.execute(
            _COUNT_INDEXED,
            {
                "collection": generation.collection_id,
                "chunker": generation.chunker_fingerprint,
                "embedder": generation.embedder_fingerprint,
                "weights": generation.weights_fingerprint,
                "generation": generation.id,
            },
        )
        row = counted.one()
        return {"dense": row.dense, "lexical": row.lexical}

    async def sample(self, generation: Generation, limit: int) -> list[tuple[str, str]]:
        """Returns external id of the document and text of random passages of the generation, always the same.

        Each of another document. The hash of what was embedded is as good as a random number.
        """
        found = await self._connection.execute(
            _SAMPLE,
            {
                "collection": generation.collection_id,
                "chunker": generation.chunker_fingerprint,
                "limit": limit,
                "most": 4 * limit,
            },
        )
        return [(row.external_id, row.text) for row in found]

    async def delete_of_versions(self, version_ids: Sequence[UUID]) -> frozenset[bytes]:
        """Removes the chunks of versions and returns their text hashes, for `Embeddings.collect_garbage`."""
        await self._count(version_ids, -1)
        gone = await self._connection.execute(
            text("DELETE FROM kaynak.chunks WHERE version_id = ANY(CAST(:ids AS uuid[])) RETURNING text_hash"),
            {"ids": list(version_ids)},
        )
        return frozenset(gone.scalars())

    async def delete_superseded(self, document_ids: Sequence[UUID]) -> frozenset[bytes]:
        """Removes chunks of all versions of these documents that are older than the current one, as above."""
        gone = await self._connection.execute(
            text(
                "DELETE FROM kaynak.chunks k USING kaynak.documents d, kaynak.document_versions v, "
                "kaynak.document_versions c WHERE d.id = ANY(CAST(:ids AS uuid[])) AND k.document_id = d.id "
                "AND v.id = k.version_id AND c.id = d.current_version_id AND v.number < c.number "
                "RETURNING k.text_hash"
            ),
            {"ids": list(document_ids)},
        )
        return frozenset(gone.scalars())

    async def _count(self, version_ids: Sequence[UUID], sign: int, chunkers: Iterable[str] | None = None) -> None:
        await self._connection.execute(
            _COUNT,
            {
                "versions": list(set(version_ids)),
                "sign": sign,
                "chunkers": None if chunkers is None else list(chunkers),
            },
        )


def _fields(row: ChunkRow) -> tuple[bytes, ...]:
    return (
        row.collection_id.bytes,
        row.document_id.bytes,
        row.version_id.bytes,
        row.chunker_fingerprint.encode(),
        int4(row.ordinal),
        int4(row.span.start),
        int4(row.span.end),
        row.text.encode(),
        texts(row.headings),
        row.text_hash,
    )


def _chunk(row: Mapping[Any, Any]) -> Chunk:
    return Chunk(
        id=row["id"],
        document_id=row["document_id"],
        version_id=row["version_id"],
        ordinal=row["ordinal"],
        span=Span(row["start"], row["end"]),
        text=row["text"],
        headings=tuple(row["headings"]),
    )
