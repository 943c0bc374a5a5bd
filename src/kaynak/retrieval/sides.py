"""Both sides of one collection, asked at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.domain import (
    And,
    Collection,
    CorruptIndex,
    EmbedderUnavailable,
    EngineUnavailable,
    Filter,
    InvalidRequest,
    KaynakError,
    Misconfigured,
    SearchMode,
    Unsupported,
    may_read,
)
from kaynak.embedding import Embedder, SparseEmbedder, check_fingerprint
from kaynak.engines import Candidates
from kaynak.indexing import Parts
from kaynak.retrieval.narrow import Narrow
from kaynak.retrieval.profiles import UNKNOWN, Profile, Profiles
from kaynak.retrieval.spelling import pieces_per_word

T = TypeVar("T")
Vector = NDArray[np.float32]
_AWAY = (EngineUnavailable, CorruptIndex, EmbedderUnavailable, Misconfigured)
_AGAIN_SECONDS = 0.05


@dataclass(slots=True)
class Sides:
    """What the two sides of a collection answered.

    Attributes:
        collection: The collection.
        dense: None if the side was not asked, or could not answer.
        lexical: The same.
        weights: Of the query's tokens, where the lexical index holds learnt weights; None where it holds words.
        vector: Of the query.
        query_pieces: Tokens per word of the query.
        profile: What the model makes of the collection.
        failures: Why a side could not answer, by side.
        timings: Milliseconds by stage.
    """

    collection: Collection
    dense: Candidates | None = None
    lexical: Candidates | None = None
    weights: Mapping[int, float] | None = None
    vector: Vector | None = None
    query_pieces: float = 0.0
    profile: Profile = UNKNOWN
    failures: dict[str, KaynakError] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether at least one side did."""
        return self.dense is not None or self.lexical is not None

    def exhausted(self, depth: int) -> bool:
        """Whether asking for more than ``depth`` would bring nothing."""
        return all(side is None or len(side.ids) < depth for side in (self.dense, self.lexical))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Notes how long the block took."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = (time.perf_counter() - begin) * 1000


class Question:
    """One query, embedded at most once by each model, however many collections are asked.

    Args:
        text: The query.
        parts: Engines and models.
        profiles: Of generations.
        mode: Which sides to ask.
        condition: On metadata.
        principals: Whom lists of readers must name for the caller to read a document; None: nobody.
        narrow: Who may read little.
        vectors: To look for meaning with in place of the query's own, by model.
    """

    def __init__(
        self,
        text: str,
        parts: Parts,
        profiles: Profiles,
        mode: SearchMode,
        condition: Filter | None,
        principals: frozenset[UUID] | None,
        narrow: Narrow,
        vectors: Mapping[str, Vector],
    ) -> None:
        self._text = text
        self._parts = parts
        self._profiles = profiles
        self._mode = mode
        self._condition = condition
        self._principals = principals
        self._narrow = narrow
        self._strict: set[UUID] = set()
        self._vectors = vectors
        self._embedding: dict[str, asyncio.Task[tuple[Embedder, Vector]]] = {}
        self._weighing: dict[str, asyncio.Task[tuple[SparseEmbedder, Mapping[int, float]]]] = {}

    def expect(self, models: Iterable[str]) -> None:
        """Begins to embed for models that will probably be needed, while it is looked up whether they are."""
        if self._mode is not SearchMode.LEXICAL:
            for name in models:
                self._start(name)

    def abandon(self) -> None:
        """Ends what was begun, if nobody is going to ask."""
        for task in (*self._embedding.values(), *self._weighing.values()):
            task.cancel()

    def loose(self, collection: Collection) -> bool:
        """Returns whether engines may answer with what the caller may not read.

        To filter costs the lexical side more than to search, and the gate drops it anyway; so engines are told who may
        read only once it is seen that it drops too much.
        """
        if self._principals is None or not collection.restricted or collection.id in self._strict:
            return False
        if self._narrow.knows(collection.id, self._principals):
            self._strict.add(collection.id)  # for as long as this question goes on
            return False
        return True

    def tighten(self, collection: Collection) -> None:
        """Lets engines answer with what the caller may read, from now on: too little was left of a loose answer."""
        self._strict.add(collection.id)
        if self._principals is not None:
            self._narrow.note(collection.id, self._principals)

    async def ask(self, collection: Collection, depth: int) -> Sides:
        """Returns up to ``depth`` candidates of each side; a side that is away is noted and left out."""
        sides = Sides(collection)
        asked: list[Awaitable[None]] = []
        if self._mode is not SearchMode.DENSE:
            asked.append(self._noted(sides, "lexical", lambda: self._lexical(sides, depth)))
        if self._mode is not SearchMode.LEXICAL:
            asked.append(self._noted(sides, "dense", lambda: self._dense(sides, depth)))
        await asyncio.gather(*asked)
        return sides

    async def _noted(self, sides: Sides, side: str, ask: Callable[[], Awaitable[None]]) -> None:
        try:
            try:
                await ask()
            except EngineUnavailable:
                # An engine that was just restarted answers on a new connection.
                await asyncio.sleep(_AGAIN_SECONDS)
                await ask()
        except _AWAY as error:
            sides.failures[side] = error

    async def _lexical(self, sides: Sides, depth: int) -> None:
        collection = sides.collection
        if collection.generation.weights_fingerprint is not None:
            await self._by_weights(sides, depth)
            return
        engine = _present(self._parts.lexical_of, collection)
        languages = (collection.language,) if collection.language else ()
        with sides.timed("lexical"):
            sides.lexical = await engine.search(
                collection.generation.key, self._text, depth, languages=languages, condition=self._of(collection)
            )

    async def _by_weights(self, sides: Sides, depth: int) -> None:
        generation = sides.collection.generation
        engine = _present(self._parts.weighted_of, sides.collection)
        with sides.timed("weigh"):
            weigher, weights = await self._weighed(generation.spec.embedder.name)
        check_fingerprint(weigher, generation.weights_fingerprint)
        with sides.timed("lexical"):
            sides.lexical = await engine.search_weights(
                generation.key, weights, depth, condition=self._of(sides.collection)
            )
        sides.weights = weights

    async def _dense(self, sides: Sides, depth: int) -> None:
        generation = sides.collection.generation
        engine = _present(self._parts.dense_of, sides.collection)
        with sides.timed("embed"):
            embedder, sides.vector = await self._embedded(generation.spec.embedder.name)
        check_fingerprint(embedder, generation.embedder_fingerprint)
        with sides.timed("dense"):
            sides.dense, sides.profile = await asyncio.gather(
                engine.search(generation.key, sides.vector, depth, condition=self._of(sides.collection)),
                self._profiles.of(generation, sides.collection.chunks, embedder.tokenizer),
            )
        sides.query_pieces = pieces_per_word(self._text, embedder.tokenizer)

    def _of(self, collection: Collection) -> Filter | None:
        """Returns what engines filter by. The gate is what counts; this is so that it leaves enough."""
        if self._principals is None or not collection.restricted or self.loose(collection):
            return self._condition
        allowed = may_read(self._principals)
        return allowed if self._condition is None else And((allowed, self._condition))

    async def _weighed(self, name: str) -> tuple[SparseEmbedder, Mapping[int, float]]:
        task = self._weighing.get(name)
        if task is None:
            task = self._weighing[name] = asyncio.create_task(self._weigh(name))
            # As of a vector: whoever needs the weights sees the error.
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
        return await task

    async def _weigh(self, name: str) -> tuple[SparseEmbedder, Mapping[int, float]]:
        weigher = await self._parts.embedders.sparse(name)
        (weights,) = await weigher.embed_sparse([self._text], "query")
        return weigher, weights

    async def _embedded(self, name: str) -> tuple[Embedder, Vector]:
        return await self._start(name)

    def _start(self, name: str) -> asyncio.Task[tuple[Embedder, Vector]]:
        task = self._embedding.get(name)
        if task is None:
            task = self._embedding[name] = asyncio.create_task(self._embed(name))
            # Whoever needs the vector sees the error, and nobody may need it.
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
        return task

    async def _embed(self, name: str) -> tuple[Embedder, Vector]:
        embedder = await self._parts.embedders.get(name)
        given = self._vectors.get(name)
        if given is not None and given.shape == (embedder.dimensions,):
            return embedder, given
        vectors: Vector = await embedder.embed([self._text], "query")
        return embedder, vectors[0]


def _present(find: Callable[..., T], collection: Collection) -> T:
    """Returns the engine of a collection; one that is not part of this installation is away."""
    try:
        return find(collection.generation)
    except (InvalidRequest, Unsupported) as exc:
        raise EngineUnavailable(exc.message, hint=exc.hint) from exc
