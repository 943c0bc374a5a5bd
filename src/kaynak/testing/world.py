"""A small Kaynak without files, models or jobs: catalog, memory engines, a fake embedder, and documents in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np

from kaynak.catalog import Catalog, ChunkRow
from kaynak.domain import (
    OWNER,
    Block,
    BlockKind,
    Collection,
    EmbedderUnavailable,
    GenerationSpec,
    Json,
    Page,
    ParsedDocument,
    PartSpec,
    Span,
    text_hash,
)
from kaynak.embedding import Embedder
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import Followers, Parts
from kaynak.retrieval import Searcher
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.fake_sparse import FakeSparseEmbedder

CHUNKER = "by-passage"
MEMORY = PartSpec("memory")
WEIGHTED = PartSpec("memory", {"weights": "model"})


class FakePool:
    """Embedders by name; the part of `EmbedderPool` that searches use."""

    def __init__(self, embedders: Mapping[str, Embedder]) -> None:
        self.embedders = dict(embedders)
        self.weigher = FakeSparseEmbedder()

    async def get(self, name: str) -> Embedder:
        """Returns the embedder."""
        if name not in self.embedders:
            raise EmbedderUnavailable(f"There is no model “{name}” here.")
        return self.embedders[name]

    async def sparse(self, name: str) -> FakeSparseEmbedder:
        """Returns what weighs tokens."""
        return self.weigher


class World:
    """A catalog with collections that can be searched, each of whose documents is a list of passages.

    Attributes:
        catalog: The truth.
        embedder: Of the model ``fake``.
        pool: All models.
        dense: The dense engine ``memory``.
        lexical: The lexical engine ``memory``.
        searcher: On these parts.
    """

    def __init__(self, catalog: Catalog, locks: Path) -> None:
        self.catalog = catalog
        self.embedder = FakeEmbedder()
        self.pool = FakePool({"fake": self.embedder})
        self.dense = MemoryDense()
        self.lexical = MemoryLexical()
        self.parts = Parts(self.pool, {"memory": self.dense}, {"memory": self.lexical}, locks)
        self.followers = Followers(catalog, self.parts)
        self.searcher = Searcher(catalog, self.parts, self.followers)

    async def collection(
        self, name: str = "handbook", *, embedder: str = "fake", lexical: PartSpec = MEMORY
    ) -> Collection:
        """Makes an empty collection."""
        model = await self.pool.get(embedder)
        spec = GenerationSpec(embedder=PartSpec(embedder), dense=MEMORY, lexical=lexical)
        weights = await self.parts.weights_fingerprint(spec)
        async with self.catalog.begin() as unit:
            identity = await unit.collections.create(name, "", None)
            await unit.generations.create(
                identity, spec, CHUNKER, model.fingerprint, model.dimensions, weights_fingerprint=weights
            )
        return await self.current(name)

    async def current(self, name: str = "handbook") -> Collection:
        """Returns the collection as it is now."""
        async with self.catalog.read() as unit:
            return await unit.collections.get(OWNER, name)

    async def add(
        self,
        collection: Collection,
        name: str,
        passages: Sequence[str],
        *,
        metadata: Mapping[str, Json] | None = None,
        headings: tuple[str, ...] = (),
        language: str | None = "en",
        between: str = "\n\n",
        title: str | None = None,
    ) -> UUID:
        """Brings a document in, or a new version of it, with a chunk and a page for each passage. Not indexed yet."""
        parsed = _parsed(passages, between, title)
        rows: list[ChunkRow] = []
        async with self.catalog.begin() as unit:
            document, _ = await unit.documents.ensure(collection.id, name)
            version, _ = await unit.versions.create(
                document,
                job_id=None,
                content_hash=text_hash(parsed.text) * 2,
                filename=name,
                size=len(parsed.text),
                claimed_type=None,
                password=None,
            )
            await unit.versions.store_parsed(version, parsed, "fake", language)
            for ordinal, page in enumerate(parsed.pages):
                text = parsed.text[page.start : page.end]
                span = Span(page.start, page.end)
                key = text_hash(text)
                rows.append(ChunkRow(collection.id, document, version, CHUNKER, ordinal, span, text, headings, key))
            await unit.chunks.insert(rows)
            model = await self.pool.get(collection.generation.spec.embedder.name)
            vectors = await model.embed([row.text for row in rows], "document")
            await unit.embeddings.save(
                collection.generation.embedder_fingerprint,
                {row.text_hash: np.asarray(vector) for row, vector in zip(rows, vectors, strict=True)},
            )
            if metadata is not None:
                await unit.documents.set_metadata(document, metadata, None)
            await unit.documents.publish(document, version)
            await unit.chunks.delete_superseded([document])
            await unit.changes.record(collection.id, [(document, "put")])
        return document

    async def delete(self, collection: Collection, document: UUID) -> None:
        """Deletes a document. The indexes do not know yet."""
        async with self.catalog.begin() as unit:
            await unit.documents.delete(document)
            await unit.changes.record(collection.id, [(document, "delete")])

    async def describe(self, collection: Collection, document: UUID, metadata: Mapping[str, Json]) -> None:
        """Sets the metadata of a document. The indexes do not know yet."""
        async with self.catalog.begin() as unit:
            await unit.documents.set_metadata(document, metadata, None)
            await unit.changes.record(collection.id, [(document, "put")])

    async def close(self) -> None:
        """Lets what has begun come to its end, before the catalog is closed under it."""
        await self.searcher.close()
        await self.followers.rest()

    async def index(self, *collections: Collection) -> None:
        """Brings the indexes up to date."""
        for one in collections:
            for follower in self.followers.of(one.generation):
                await follower.target.create()
            current = await self.current(one.name)
            await self.followers.catch_up(one.id, current.revision, 30)


def _parsed(passages: Sequence[str], between: str, title: str | None) -> ParsedDocument:
    text = between.join(passages)
    blocks, pages, at = [], [], 0
    for number, passage in enumerate(passages, start=1):
        blocks.append(Block(BlockKind.PARAGRAPH, at, at + len(passage)))
        pages.append(Page(number, at, at + len(passage)))
        at += len(passage) + len(between)
    return ParsedDocument(text, "text/plain", tuple(blocks), tuple(pages), title)
