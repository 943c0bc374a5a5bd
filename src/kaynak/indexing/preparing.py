from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TypeVar
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
    UnsoundEmbedding,
    text_hash,
)
from kaynak.embedding import Embedder, Kind, SparseEmbedder
from kaynak.engines.checks import check_weights
from kaynak.indexing.cutting import cut
from kaynak.indexing.parts import Embedders

SLICE = 256
"""Texts that are embedded and stored together: what a crash costs at most."""

_PLAIN = "A plain sentence in plain words."
T = TypeVar("T")


class Preparing:
    """Gives documents what a generation needs and does not find: passages by its chunker, embeddings by its model.

    And weights of tokens, for a lexical index that holds those. Documents come in with passages and embeddings of the
    generation that is searched at that time. All others get theirs here, from the text in the catalog, and so do all
    weights: nothing is parsed again, and nothing that was embedded or weighed before is so again.

    Args:
        catalog: The truth.
        embedders: Models.
    """

    def __init__(self, catalog: Catalog, embedders: Embedders) -> None:
        self._catalog = catalog
        self._embedders = embedders
        self._turns: dict[int, asyncio.Lock] = {}

    async def complete(self, generation: Generation, documents: Sequence[UUID], side: IndexSide) -> None:
        """Stores what one of its indexes needs of these documents and misses.

        Raises:
            EmbedderUnavailable: The model does not answer, or is another one by now; what is stored stays.
            GenerationNotFound: The generation was removed.
            InvalidRequest: The model makes no vector of a text, or no weights.
        """
        needed = generation.needs(side)
        # Both indexes of a generation come here at the same time, and one of them would find everything done.
        async with self._turns.setdefault(generation.id, asyncio.Lock()):
            async with self._catalog.read() as unit:
                missing = await uncut(unit.connection, generation, documents)
                without = await lacking(unit.connection, generation, documents, needed) if needed else set()
                searched = await unit.generations.active(generation.collection_id)
            # Of passages that the searched generation has, too, the job that changes a title says what is embedded.
            own = searched.chunker_fingerprint != generation.chunker_fingerprint
            if not missing and (needed is None or (not without and not own)):
                return
            if missing:
                await self._cut(generation, await self._model(generation), missing)
            if needed is None:
                return
            texts = await self._unmade(generation, needed, documents, own=own)
            if side == "dense":
                await self._embed(generation, await self._model(generation), texts)
            else:
                await self._weigh(generation, await self._weigher(generation), texts)

    async def _model(self, generation: Generation) -> Embedder:
        embedder = await self._embedders.get(generation.spec.embedder.name)
        _same(embedder.fingerprint, generation.embedder_fingerprint, generation)
        return embedder

    async def _weigher(self, generation: Generation) -> SparseEmbedder:
        weigher = await self._embedders.sparse(generation.spec.embedder.name)
        _same(weigher.fingerprint, generation.weights_fingerprint, generation)
        return weigher

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

    async def _unmade(
        self, generation: Generation, needed: str, documents: Sequence[UUID], *, own: bool
    ) -> dict[bytes, str]:
        """Returns the texts of documents of which a model has made nothing yet, by hash."""
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
            known = await unit.embeddings.known(needed, wanted)
        return {key: one for key, one in wanted.items() if key not in known}

    async def _embed(self, generation: Generation, embedder: Embedder, texts: Mapping[bytes, str]) -> None:
        for part in _slices(texts):
            vectors = await _asked(embedder.embed, list(part.values()))
            usable(vectors, len(part), embedder.dimensions)
            async with self._catalog.begin() as unit:
                await unit.generations.hold(generation)
                await unit.embeddings.save(embedder.fingerprint, dict(zip(part, vectors, strict=True)))

    async def _weigh(self, generation: Generation, weigher: SparseEmbedder, texts: Mapping[bytes, str]) -> None:
        for part in _slices(texts):
            weights = await _asked(weigher.embed_sparse, list(part.values()))
            if len(weights) != len(part):
                raise InvalidRequest(f"The model weighed {len(weights)} of {len(part)} texts.")
            for one in weights:
                check_weights(one)
            async with self._catalog.begin() as unit:
                await unit.generations.hold(generation)
                await unit.token_weights.save(weigher.fingerprint, dict(zip(part, weights, strict=True)))


async def _asked(model: Callable[[Sequence[str], Kind], Awaitable[T]], texts: Sequence[str]) -> T:
    """Returns what a model makes of texts.

    Raises:
        EmbedderUnavailable: It does not answer, or makes nothing sound of any text: that will pass.
        InvalidRequest: It makes nothing sound of one of these, and does of another text: that will not.
    """
    try:
        return await model(texts, "document")
    except UnsoundEmbedding as exc:
        await model([_PLAIN], "document")
        raise InvalidRequest(exc.message) from exc


def _slices(texts: Mapping[bytes, str]) -> Iterator[dict[bytes, str]]:
    given = list(texts.items())
    for start in range(0, len(given), SLICE):
        yield dict(given[start : start + SLICE])


def _same(fingerprint: str, wanted: str | None, generation: Generation) -> None:
    if fingerprint != wanted:
        raise EmbedderUnavailable(
            f"The model “{generation.spec.embedder.name}” is not the one that index generation {generation.id} was "
            "begun with.",
            hint="Put the old model back, or build a new generation: kaynak index build",
        )


def usable(vectors: NDArray[np.float32], count: int, dimensions: int) -> None:
    """Returns if these are ``count`` vectors that can be stored.

    Raises:
        InvalidRequest: They are not.
    """
    if vectors.shape != (count, dimensions):
        raise InvalidRequest(f"The model gave vectors of shape {vectors.shape}, not {(count, dimensions)}.")
    if not np.isfinite(vectors).all():
        raise InvalidRequest("The model gave a vector with a number that is not finite.")
