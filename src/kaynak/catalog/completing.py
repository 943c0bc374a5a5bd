# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
"""What a generation still lacks of documents: passages by its chunker, embeddings by its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Generation

PREPARING_LOCK = 0x6B7A
"""First half of the key of an advisory lock: of those who cut a collection alike, one at a time stores passages."""


@dataclass(frozen=True, slots=True)
class Uncut:
    """A readable version without passages by some chunker.

    Attributes:
        document_id: Its document.
        version_id: The version.
        title: The caller's title; None for the document's own.
    """

    document_id: UUID
    version_id: UUID
    title: str | None


_UNCUT = text(
    """
    SELECT d.id, v.id AS version_id, d.title
    FROM kaynak.documents d JOIN kaynak.document_versions v ON v.id = d.current_version_id
    WHERE d.id = ANY(CAST(:documents AS uuid[])) AND d.collection_id = :collection AND v.state = 'ready'
        AND NOT EXISTS (
            SELECT 1 FROM kaynak.chunks k WHERE k.version_id = v.id AND k.chunker_fingerprint = :chunker
        )
    ORDER BY d.id
    """
)
_LACKING = text(
    """
    SELECT k.id FROM kaynak.documents d
    JOIN kaynak.chunks k ON k.version_id = d.current_version_id AND k.chunker_fingerprint = :chunker
    WHERE d.id = ANY(CAST(:documents AS uuid[])) AND NOT EXISTS (
        SELECT 1 FROM kaynak.embeddings e WHERE e.embedder_fingerprint = :embedder AND e.text_hash = k.text_hash
    )
    """
)


async def uncut(connection: AsyncConnection, generation: Generation, documents: Sequence[UUID]) -> list[Uncut]:
    """Returns which documents have no passages by the generation's chunker, although they can be read."""
    values = {
        "documents": list(documents),
        "collection": generation.collection_id,
        "chunker": generation.chunker_fingerprint,
    }
    return [Uncut(*row) for row in await connection.execute(_UNCUT, values)]


async def lacking(
    connection: AsyncConnection, generation: Generation, documents: Sequence[UUID], fingerprint: str
) -> set[int]:
    """Returns the passages of documents that have no embedding, or no weights, by a fingerprint."""
    values = {
        "documents": list(documents),
        "chunker": generation.chunker_fingerprint,
        "embedder": fingerprint,
    }
    return set((await connection.execute(_LACKING, values)).scalars())


async def preparing_lock(connection: AsyncConnection, generation: Generation) -> None:
    """Waits until nobody else stores passages by the generation's chunker; holds until the transaction ends."""
    what = f"{generation.collection_id} {generation.chunker_fingerprint}"
    await connection.execute(
        text("SELECT pg_advisory_xact_lock(:one, hashtext(:two))"), {"one": PREPARING_LOCK, "two": what}
    )


@dataclass(frozen=True, slots=True)
class ToEmbed:
    """What a chunker and a model would have to do with a collection.

    Attributes:
        documents: That have passages by the chunker.
        all_documents: Of the collection.
        passages: By the chunker.
        texts: Of them, that have no embedding by the model; equal ones count once.
        characters: Of the passages.
        sample: Some of the texts, random ones, always the same.
    """

    documents: int
    all_documents: int
    passages: int
    texts: int
    characters: int
    sample: tuple[str, ...]


_HERE = """
    FROM kaynak.documents d JOIN kaynak.chunks k
        ON k.version_id = d.current_version_id AND k.chunker_fingerprint = :chunker
    WHERE d.collection_id = :collection
"""
_UNEMBEDDED = """NOT EXISTS (SELECT 1 FROM kaynak.embeddings e
    WHERE e.embedder_fingerprint = :embedder AND e.text_hash = k.text_hash)"""
_TO_EMBED = text(
    f"""
    SELECT count(DISTINCT d.id), (SELECT count(*) FROM kaynak.documents
            WHERE collection_id = :collection AND current_version_id IS NOT NULL),
        count(*), count(DISTINCT k.text_hash) FILTER (WHERE {_UNEMBEDDED}), coalesce(sum(length(k.text)), 0) {_HERE}
    """
)
_SOME = text(f"SELECT k.text {_HERE} AND {_UNEMBEDDED} ORDER BY k.text_hash LIMIT :limit")


async def to_embed(
    connection: AsyncConnection, collection_id: UUID, chunker: str, embedder: str, limit: int
) -> ToEmbed:
    """Returns what is to be done with a collection, by the fingerprints of a chunker and a model.

    Args:
        connection: To ask.
        collection_id: The collection.
        chunker: Fingerprint of the chunker.
        embedder: Fingerprint of the model.
        limit: Texts in the sample.
    """
    values = {"collection": collection_id, "chunker": chunker, "embedder": embedder, "limit": limit}
    counted = (await connection.execute(_TO_EMBED, values)).one()
    sample = (await connection.execute(_SOME, values)).scalars()
    return ToEmbed(counted[0], counted[1], counted[2], counted[3], int(counted[4]), tuple(sample))
