from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog import (
    Catalog,
    Uncut,
    lacking,
    preparing_lock,
    rehash,
    retitled_passages,
    uncut,
)
from kaynak.chunking import Chunker, build_chunker, embedding_text
from kaynak.domain import (
    DocumentNotFound,
    EmbedderUnavailable,
    Generation,
    IndexSide,
    InvalidRequest,
    ParsedDocument,
    text_hash,
)
from kaynak.embedding import Embedder
from kaynak.indexing.cutting import cut
from kaynak.indexing.parts import Embedders

SLICE = 256
"""Texts that are embedded and stored together: what a crash costs at most."""


class Preparing:
    """Gives documents what a generation needs and does not find: passages by its chunker, embeddings by its model.

    Documents come in with those of the generation that is searched at that time. All others get theirs here, from the
    text in the catalog: nothing is parsed again, and nothing that was embedded before is embedded again.

    Args:
        catalog: The truth.
        embedders: Models.
    """

    def __init__(self, catalog: Catalog, embedders: Embedders) -> None:
        self._catalog = catalog
        self._embedders = embedders
        self._turns: dict[int, asyncio.Lock] = {}

    async def complete(self, generation: Generation, documents: Sequence[UUID], side: IndexSide) -> None:
        """Stores what one of its indexes needs of these documents and misses: the lexical one needs no embeddings.

        Raises:
            EmbedderUnavailable: The model does not answer, or is another one by now; what is stored stays.
            GenerationNotFound: The generation was removed.
            InvalidRequest: The model makes no vector of a text.
        """
        # Both indexes of a generation come here at the same time, and one of them would find everything done.
        async with self._turns.setdefault(generation.id, asyncio.Lock()):
            async with self._catalog.read() as unit:
                missing = await uncut(unit.connection, generation, documents)
                without = await lacking(unit.connection, generation, documents) if side == "dense" else set()
                searched = await unit.generations.active(generation.collection_id)
            # Of passages that the searched generation has, too, the job that changes a title says what is embedded.
            own = searched.chunker_fingerprint != generation.chunker_fingerprint
            if not missing and (side == "lexical" or (not without and not own)):
                return
            embedder = await self._model(generation)
            if missing:
                await self._cut(generation, embedder, missing)
            if side == "dense":
                await self._embed(generation, embedder, documents, own=own)

    async def _model(self, generation: Generation) -> Embedder:
        name = generation.spec.embedder.name
        embedder = await self._embedders.get(name)
        if embedder.fingerprint != generation.embedder_fingerprint:
            raise EmbedderUnavailable(
                f"The model “{name}” is not the one that index generation {generation.id} was begun with.",
                hint="Put the old model back, or build a new generation: kaynak index build",
            )
        return embedder

    async def _cut(self, generation: Generation, embedder: Embedder, missing: Sequence[Uncut]) -> None:
        chunker = build_chunker(generation.spec.chunker, embedder.tokenizer, embedder.max_tokens)
        if chunker.fingerprint != generation.chunker_fingerprint:
            raise EmbedderUnavailable(
                f"Texts would be cut otherwise than index generation {generation.id} has them.",
                hint="Build a new generation: kaynak index build",
            )
        for one in missing:
            async with self._catalog.read() as unit:
                try:
                    parsed = await unit.versions.load_parsed(one.version_id)
                except DocumentNotFound:
                    continue  # deleted in the meantime
            await self._store(generation, chunker, one, parsed)

    async def _store(self, generation: Generation, chunker: Chunker, one: Uncut, parsed: ParsedDocument) -> None:
        collection = generation.collection_id
        rows, _ = await asyncio.to_thread(cut, parsed, chunker, collection, one.document_id, one.version_id, one.title)
        async with self._catalog.begin() as unit:
            await unit.generations.hold(generation)
            await preparing_lock(unit.connection, generation)
            if await uncut(unit.connection, generation, [one.document_id]):
                await unit.chunks.insert(rows)

    async def _embed(self, generation: Generation, embedder: Embedder, documents: Sequence[UUID], *, own: bool) -> None:
        async with self._catalog.read() as unit:
            passages = await retitled_passages(unit.connection, generation, documents)
        # The title is part of what is embedded; it may be another one than when the passage was cut.
        texts = [embedding_text(one.title, one.headings, one.text) for one in passages]
        keys = [text_hash(one) for one in texts]
        stale = {one.id: key for one, key in zip(passages, keys, strict=True) if one.text_hash != key}
        if stale and own:
            async with self._catalog.begin() as unit:
                await rehash(unit.connection, stale)
        wanted = dict(zip(keys, texts, strict=True))
        async with self._catalog.read() as unit:
            known = await unit.embeddings.known(embedder.fingerprint, wanted)
        missing = [key for key in wanted if key not in known]
        for start in range(0, len(missing), SLICE):
            part = missing[start : start + SLICE]
            vectors = await embedder.embed([wanted[key] for key in part], "document")
            usable(vectors, len(part), embedder.dimensions)
            async with self._catalog.begin() as unit:
                await unit.generations.hold(generation)
                await unit.embeddings.save(embedder.fingerprint, dict(zip(part, vectors, strict=True)))


def usable(vectors: NDArray[np.float32], count: int, dimensions: int) -> None:
    """Returns if these are ``count`` vectors that can be stored.

    Raises:
        InvalidRequest: They are not.
    """
    if vectors.shape != (count, dimensions):
        raise InvalidRequest(f"The model gave vectors of shape {vectors.shape}, not {(count, dimensions)}.")
    if not np.isfinite(vectors).all():
        raise InvalidRequest("The model gave a vector with a number that is not finite.")
