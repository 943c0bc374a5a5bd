from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import pytest

from kaynak.catalog import Catalog, ChunkRow, Removed
from kaynak.domain import (
    OWNER,
    Block,
    BlockKind,
    Collection,
    GenerationSpec,
    Page,
    ParsedDocument,
    Span,
    text_hash,
)

CHUNKER, EMBEDDER = "chunker-1", "embedder-1"


@dataclass
class Library:
    """A catalog with collections and documents made in one line, the way the pipeline makes them."""

    catalog: Catalog

    async def collection(self, name: str = "handbook") -> Collection:
        async with self.catalog.begin() as unit:
            identity = await unit.collections.create(name, "What we do", None)
            await unit.generations.create(identity, GenerationSpec(), CHUNKER, EMBEDDER, 4, True)
            return await unit.collections.get(OWNER, name)

    async def version(self, collection: Collection, name: str, content: bytes = b"original") -> tuple[UUID, UUID]:
        async with self.catalog.begin() as unit:
            document, _ = await unit.documents.ensure(collection.id, name)
            version, _ = await unit.versions.create(
                document,
                job_id=None,
                content_hash=hashlib.sha256(content).digest(),
                filename=name.rpartition("/")[2],
                size=len(content),
                claimed_type="text/plain",
                password="secret",
            )
        return document, version

    async def fill(self, collection: Collection, document: UUID, version: UUID, passages: Sequence[str]) -> None:
        parsed = parsed_of(passages)
        async with self.catalog.begin() as unit:
            await unit.versions.store_parsed(version, parsed, "parser-1", "en")
            rows = [
                ChunkRow(
                    collection.id,
                    document,
                    version,
                    CHUNKER,
                    i,
                    Span(block.start, block.end),
                    parsed.text[block.start : block.end],
                    ("Top", "Below"),
                    text_hash(parsed.text[block.start : block.end]),
                )
                for i, block in enumerate(parsed.blocks)
            ]
            await unit.chunks.insert(rows)
            await unit.embeddings.save(EMBEDDER, {row.text_hash: np.ones(4, np.float32) / 2 for row in rows})

    async def publish(self, collection: Collection, document: UUID, version: UUID) -> bool:
        async with self.catalog.begin() as unit:
            became = await unit.documents.publish(document, version)
            await unit.chunks.delete_superseded([document])
            await unit.changes.record(collection.id, [(document, "put")])
        return became

    async def document(
        self,
        collection: Collection,
        name: str,
        passages: Sequence[str] = ("First.", "Second."),
        metadata: Mapping[str, object] | None = None,
    ) -> tuple[UUID, UUID]:
        document, version = await self.version(collection, name, "".join(passages).encode())
        await self.fill(collection, document, version, passages)
        if metadata is not None:
            async with self.catalog.begin() as unit:
                await unit.documents.set_metadata(document, metadata, None)
        await self.publish(collection, document, version)
        return document, version

    async def delete(self, collection: Collection, document: UUID) -> Removed:
        async with self.catalog.begin() as unit:
            removed = await unit.documents.delete(document)
            await unit.changes.record(collection.id, [(document, "delete")])
        async with self.catalog.begin() as unit:
            await unit.embeddings.collect_garbage(removed.text_hashes)
        return removed

    async def chunk_ids(self, version: UUID) -> list[int]:
        async with self.catalog.read() as unit:
            return [c.id for c in await unit.chunks.of_version(OWNER, version, chunker_fingerprint=CHUNKER)]


def parsed_of(passages: Sequence[str]) -> ParsedDocument:
    text = "\n\n".join(passages)
    blocks, at = [], 0
    for passage in passages:
        blocks.append(Block(BlockKind.PARAGRAPH, at, at + len(passage)))
        at += len(passage) + 2
    pages = tuple(Page(i + 1, b.start, b.end, f"p{i}", 595.0, 842.0) for i, b in enumerate(blocks))
    return ParsedDocument(
        text, "text/plain", tuple(blocks), pages, "Own title", "en", {"author": "Ayşe"}, ("A warning.",)
    )


@pytest.fixture
def library(catalog: Catalog) -> Library:
    return Library(catalog)
