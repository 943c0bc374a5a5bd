"""What an embedding model makes of a collection, from a sample that is kept in the process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from kaynak.catalog import Catalog
from kaynak.domain import Generation, KaynakError
from kaynak.domain.tokens import TokenCounter
from kaynak.retrieval.spelling import pieces_per_word

SAMPLE = 256
"""Passages of a collection that are looked at."""

_SPELT = 48
_REMEMBERED = 256
_PATIENCE = 0.5
"""Seconds that a search waits for the first profile of a collection."""

# What unrelated English passages have with the default model, and how many passages of a collection weigh as
# much as this: of a collection of a few, the relevant ones are a good part.
_PRIOR_COSINE, _PRIOR_SIZE = 0.12, 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model makes of a collection.

    Attributes:
        size: Passages the collection had then.
        vectors: Embeddings of a random sample, float32 of shape ``(n, dimensions)``.
        cosine: Mean cosine between them.
        pieces: Tokens per word of their texts; 0 if there are none.
    """

    size: int
    vectors: NDArray[np.float32]
    cosine: float
    pieces: float

    def background(self, query: NDArray[np.float32]) -> float:
        """Returns the cosine that a passage has with ``query`` by being in the collection: that of the middle one."""
        if self.vectors.shape[1] != len(query):
            return _PRIOR_COSINE
        count = len(self.vectors)
        middle = float(np.median(self.vectors @ query)) if count else 0.0
        return (count * middle + _PRIOR_SIZE * _PRIOR_COSINE) / (count + _PRIOR_SIZE)


UNKNOWN = Profile(0, np.zeros((0, 0), np.float32), _PRIOR_COSINE, 0.0)
"""Of a collection that could not be looked at yet."""


class Profiles:
    """Profiles of generations: made when first needed, and again behind the scenes when a collection has doubled."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: OrderedDict[int, Profile] = OrderedDict()
        self._making: dict[int, asyncio.Task[None]] = {}

    async def of(self, generation: Generation, size: int, tokenizer: TokenCounter) -> Profile:
        """Returns the profile of a generation that has ``size`` passages now."""
        known = self._known.get(generation.id)
        if known is None or size >= 2 * known.size + 1 or 2 * size < known.size:
            making = self._making.get(generation.id)
            if making is None or making.get_loop() is not asyncio.get_running_loop():
                making = asyncio.create_task(self._make(generation, size, tokenizer))
                self._making[generation.id] = making
            if known is None or known.size < SAMPLE:
                await asyncio.wait([making], timeout=_PATIENCE)
        if generation.id in self._known:
            self._known.move_to_end(generation.id)
        return self._known.get(generation.id, UNKNOWN)

    async def close(self) -> None:
        """Ends what is being made: it has a connection of the catalog."""
        making = [task for task in self._making.values() if task.get_loop() is asyncio.get_running_loop()]
        for task in making:
            task.cancel()
        await asyncio.gather(*making, return_exceptions=True)

    async def _make(self, generation: Generation, size: int, tokenizer: TokenCounter) -> None:
        try:
            async with self._catalog.read() as unit:
                rows = await unit.embeddings.sample(generation, SAMPLE)
            profile = await asyncio.to_thread(_profile, rows, size, tokenizer)
            self._known[generation.id] = profile
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        except KaynakError as error:
            _log.warning("profile_failed", generation=generation.key, error=error.type)
        finally:
            self._making.pop(generation.id, None)


def _profile(rows: list[tuple[NDArray[np.float32], str]], size: int, tokenizer: TokenCounter) -> Profile:
    if not rows:
        return Profile(size, UNKNOWN.vectors, UNKNOWN.cosine, 0.0)
    vectors = np.stack([vector for vector, _ in rows])
    texts = [pieces_per_word(text, tokenizer) for _, text in rows[:_SPELT]]
    spelt = [pieces for pieces in texts if pieces > 0]
    return Profile(size, vectors, _mean_cosine(vectors), float(np.median(spelt)) if spelt else 0.0)


def _mean_cosine(vectors: NDArray[np.float32]) -> float:
    """Returns the mean cosine of all pairs, drawn towards the usual one where there are few."""
    count = len(vectors)
    pairs = count * (count - 1)
    summed = float(np.sum(np.sum(vectors, axis=0) ** 2) - np.sum(vectors**2))
    prior = 4 * _PRIOR_SIZE
    return (summed + prior * _PRIOR_COSINE) / (pairs + prior)
