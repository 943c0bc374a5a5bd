from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from kaynak.catalog import Catalog, to_embed
from kaynak.chunking import Chunker, build_chunker, embedding_text
from kaynak.domain import Collection, GenerationSpec, IndexEstimate, Permission, Scope
from kaynak.embedding import Kind
from kaynak.indexing.indexes import Wanted
from kaynak.indexing.parts import Parts

_DOCUMENTS = 40
"""That are cut, to estimate how many passages there would be."""
_TEXTS = 48
"""That are embedded, to see how long it takes."""
_WRITES_A_SECOND = 1500.0
"""Passages that an engine of this machine takes in, about, its graph included."""
_INDEX_BYTES = 3.0
"""Of a dense index for each byte of its vectors as halves of floats: graph, payloads, keys."""
_WORDS_BYTES = 0.6
"""Of a lexical index for each byte of text."""
_VECTOR_BYTES, _WEIGHT_BYTES = 2, 6
"""Of a component of a vector, and of a token with its weight, as the catalog keeps them."""
_TOKENS = 120
"""Different ones, of a passage of usual length."""

_Compute = Callable[[Sequence[str], Kind], Awaitable[object]]


class Tariff(Protocol):
    """Where models run, and what they cost. See `kaynak.embedding.EmbedderPool`."""

    def hosted(self, name: str, /) -> bool:
        """Returns whether texts for the model of that name are sent to another machine."""
        ...

    async def price_of(self, name: str, /) -> float | None:
        """Returns US dollars for a million tokens; 0 for what runs on machines of one's own, None if not known."""
        ...


class Estimating:
    """Says beforehand what a generation would take.

    Args:
        catalog: The truth.
        parts: Models.
        tariff: What models cost; None: all run here.
    """

    def __init__(self, catalog: Catalog, parts: Parts, tariff: Tariff | None = None) -> None:
        self._catalog = catalog
        self._parts = parts
        self._tariff = tariff

    async def estimate(self, scope: Scope, collection: str, wanted: Wanted) -> IndexEstimate:
        """Returns what a generation of these parts would take. Nothing is sent to anybody for it.

        Raises:
            CollectionNotFound: There is no such collection, or not for this caller.
            Forbidden: The caller may not manage it.
            InvalidRequest: A part is not valid.
            EmbedderUnavailable: The model cannot be loaded.
        """
        async with self._catalog.read() as unit:
            found = await unit.collections.get(scope, collection)
        scope.require(Permission.MANAGE, found.id)
        spec = wanted.over(found.generation.spec)
        self._parts.require(spec)
        embedder = await self._parts.embedders.get(spec.embedder.name)
        chunker = build_chunker(spec.chunker, embedder.tokenizer, embedder.max_tokens)
        name = spec.embedder.name
        local = self._tariff is None or not self._tariff.hosted(name)
        passes: list[tuple[str, _Compute, int]] = [
            (embedder.fingerprint, embedder.embed, embedder.dimensions * _VECTOR_BYTES)
        ]
        if spec.weighted:
            weigher = await self._parts.embedders.sparse(name)
            passes.append((weigher.fingerprint, weigher.embed_sparse, _TOKENS * _WEIGHT_BYTES))
        passages = texts = tokens = characters = 0
        seconds = size = 0.0
        for fingerprint, compute, width in passes:
            passages, new, characters, sample = await self._needed(found, spec, chunker, fingerprint)
            counted = await asyncio.to_thread(list, map(embedder.tokenizer.count, sample))
            texts += new
            tokens += round(sum(counted) / len(counted) * new) if counted else 0
            size += new * (width + 64) + passages * width * _INDEX_BYTES
            if local and new and sample:
                begun = time.perf_counter()
                await compute(sample, "document")
                seconds += (time.perf_counter() - begun) / len(sample) * new
        if not spec.weighted:
            size += characters * _WORDS_BYTES
        rate = 0.0 if self._tariff is None else await self._tariff.price_of(name)
        price = None if rate is None else rate * tokens / 1_000_000
        seconds += passages / _WRITES_A_SECOND
        return IndexEstimate(passages, texts, tokens, price, seconds if local or not texts else None, round(size))

    async def _needed(
        self, found: Collection, spec: GenerationSpec, chunker: Chunker, fingerprint: str
    ) -> tuple[int, int, int, Sequence[str]]:
        """Returns passages, texts to compute, characters of all passages, and a sample of the texts."""
        async with self._catalog.read() as unit:
            known = await to_embed(unit.connection, found.id, chunker.fingerprint, fingerprint, _TEXTS)
            if known.documents >= known.all_documents:
                return known.passages, known.texts, known.characters, known.sample
            documents = await unit.documents.ids(found.id, limit=_DOCUMENTS)
            latest = await unit.versions.latest_of(documents)
            parsed = [
                await unit.versions.load_parsed(one.id) for one in latest.values() if one.parser_fingerprint is not None
            ]
        cut = await asyncio.to_thread(lambda: [(one, chunker.split(one)) for one in parsed])
        texts = [embedding_text(one.title, (), span.of(one.text)) for one, spans in cut for span in spans]
        share = known.all_documents / max(1, len(parsed))
        passages = round(sum(len(spans) for _, spans in cut) * share)
        characters = round(sum(len(one.text) for one in parsed) * share)
        step = max(1, len(texts) // _TEXTS)
        return passages, passages, characters, texts[::step][:_TEXTS]
