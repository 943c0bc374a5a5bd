"""Passages of documents that got another title: the title is part of what is embedded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import EMBEDDINGS_LOCK, lock
from kaynak.domain import Generation


@dataclass(frozen=True, slots=True)
class TitledPassage:
    """A passage and what it is embedded with.

    Attributes:
        id: Of the chunk.
        document_id: Its document.
        title: The caller's title of the document, or its own; None if it has neither.
        headings: Those above it.
        text: What it says.
        text_hash: Of what was embedded for it, perhaps under another title.
    """

    id: int
    document_id: UUID
    title: str | None
    headings: tuple[str, ...]
    text: str
    text_hash: bytes


# Items of versions that this job does not bring in are there for their titles. A new version that cannot be read
# leaves the old one readable, and that has the new title, too.
_WAITING = text(
    """
    SELECT i.document_id, i.version_id, i.outcome = 'pending' AS pending
    FROM kaynak.job_items i JOIN kaynak.documents d ON d.id = i.document_id
    JOIN kaynak.document_versions v ON v.id = i.version_id
    WHERE i.job_id = :job_id AND d.current_version_id IS NOT NULL AND (
        i.outcome = 'pending' AND v.job_id IS DISTINCT FROM :job_id OR i.outcome = 'failed' AND v.job_id = :job_id
    ) ORDER BY i.position
    """
)
_PASSAGES = text(
    """
    SELECT k.id, d.id AS document_id, coalesce(d.title, v.title) AS title, k.headings, k.text, k.text_hash
    FROM kaynak.documents d JOIN kaynak.document_versions v ON v.id = d.current_version_id
    JOIN kaynak.chunks k ON k.version_id = v.id AND k.chunker_fingerprint = :chunker
    WHERE d.id = ANY(CAST(:documents AS uuid[])) ORDER BY k.id
    """
)
_TITLES = text(
    """
    SELECT d.id, coalesce(d.title, v.title) AS title
    FROM kaynak.documents d JOIN kaynak.document_versions v ON v.id = d.current_version_id
    WHERE d.id = ANY(CAST(:documents AS uuid[]))
    """
)
_REHASH = text(
    """
    UPDATE kaynak.chunks k SET text_hash = given.text_hash
    FROM unnest(CAST(:ids AS bigint[]), CAST(:hashes AS bytea[])) AS given (id, text_hash)
    WHERE k.id = given.id RETURNING k.document_id
    """
)


async def retitled_of_job(connection: AsyncConnection, job_id: UUID) -> list[tuple[UUID, UUID, bool]]:
    """Returns documents of a job whose readable version it did not bring in and may have to embed anew.

    Returns:
        Document, version of the item, and whether the item waits for it.
    """
    found = await connection.execute(_WAITING, {"job_id": job_id})
    return [(row.document_id, row.version_id, row.pending) for row in found]


async def retitled_passages(
    connection: AsyncConnection, generation: Generation, document_ids: Sequence[UUID]
) -> list[TitledPassage]:
    """Returns the passages of the readable versions of documents, with the titles they have now."""
    found = await connection.execute(
        _PASSAGES, {"documents": list(document_ids), "chunker": generation.chunker_fingerprint}
    )
    return [
        TitledPassage(row.id, row.document_id, row.title, tuple(row.headings), row.text, row.text_hash) for row in found
    ]


async def titles_now(connection: AsyncConnection, document_ids: Iterable[UUID]) -> dict[UUID, str | None]:
    """Returns the titles that readable documents are embedded with: the caller's, or their own."""
    found = await connection.execute(_TITLES, {"documents": list(document_ids)})
    return {row.id: row.title for row in found}


async def rehash(connection: AsyncConnection, hashes: Mapping[int, bytes]) -> set[UUID]:
    """Says of passages what is embedded for them, and returns the documents of those that are still there.

    Holds off `Embeddings.collect_garbage` until the transaction ends, as `Chunks.insert` does.
    """
    if not hashes:
        return set()
    await lock(connection, EMBEDDINGS_LOCK, shared=True)
    done = await connection.execute(_REHASH, {"ids": list(hashes), "hashes": list(hashes.values())})
    return set(done.scalars())
