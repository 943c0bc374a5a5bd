from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kaynak.caching import Cache, Values
from kaynak.domain import KaynakError
from kaynak.generation.caching.agreeing import agree
from kaynak.indexing import Embedders
from kaynak.retrieval import Moment, pieces_per_word

MOST = 64
"""Recent questions that a new one is compared with."""

_TRIED = 3
_FOREIGN = 2.0
"""Tokens a word above which a model does not speak the language of a question: to it, all are alike."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Like:
    """A remembered question that asks the same.

    Attributes:
        question: As it was asked.
        key: Where its answer is remembered.
        said: What the person is told.
    """

    question: str
    key: str
    said: str


@dataclass(frozen=True, slots=True)
class _Entry:
    question: str
    key: str
    vector: str
    """float16, in base 64."""


@dataclass(frozen=True, slots=True)
class _Recent:
    entries: tuple[_Entry, ...]


class Likeness:
    """Finds the remembered question that asks the same in other words.

    It must lie as near as ``threshold``, and agree with the new one in all that makes another question of it; see
    `agree`. Questions in a language that the model does not speak are compared with none.

    Args:
        cache: Remembers the questions.
        embedders: Models by name; the one of the first collection is asked.
        threshold: Least cosine, in [0, 1].
    """

    def __init__(self, cache: Cache, embedders: Embedders, threshold: float) -> None:
        self._cache = cache
        self._embedders = embedders
        self._threshold = threshold
        self._values = Values(_Recent)

    async def of(self, question: str, bucket: str, moment: Moment) -> AsyncGenerator[Like, None]:
        """Yields those of the questions in ``bucket`` that ask the same, nearest first."""
        recent = await self._recent(bucket)
        vector = await self._vector(question, moment) if recent else None
        if vector is None:
            return
        near = sorted(((_cosine(vector, one), one) for one in recent), key=lambda pair: -pair[0])
        for cosine, one in near[:_TRIED]:
            if cosine >= self._threshold and agree(question, one.question):
                yield Like(one.question, one.key, self._said(one.question, cosine))

    async def note(self, question: str, key: str, bucket: str, moment: Moment, seconds: float) -> None:
        """Remembers that ``question`` is answered under ``key``. Of two at once, one may be lost."""
        vector = await self._vector(question, moment)
        if vector is None:
            return
        packed = base64.b64encode(vector.astype("<f2").tobytes()).decode()
        others = [one for one in await self._recent(bucket) if one.question != question]
        entries = (*others, _Entry(question, key, packed))[-MOST:]
        await self._cache.set(bucket, self._values.dump(bucket, _Recent(entries)), seconds)

    async def _recent(self, bucket: str) -> tuple[_Entry, ...]:
        stored = await self._cache.get(bucket)
        recent = self._values.load(bucket, stored) if stored is not None else None
        return recent.entries[-MOST:] if recent is not None else ()

    async def _vector(self, question: str, moment: Moment) -> Vector | None:
        generation = moment.collections[0].generation
        try:
            embedder = await self._embedders.get(generation.spec.embedder.name)
            if pieces_per_word(question, embedder.tokenizer) > _FOREIGN:
                return None
            (vector,) = await embedder.embed([question], "query")
        except KaynakError:  # the search itself says that the model is away
            return None
        found: Vector = vector
        return found

    def _said(self, question: str, cosine: float) -> str:
        return (
            f"This is the remembered answer to a question that was found to ask the same: “{question}” "
            f"(similarity {cosine:.3f}, threshold {self._threshold:g})."
        )


def _cosine(vector: Vector, entry: _Entry) -> float:
    """Returns the cosine of a vector of unit length with a remembered one; -1 if that cannot be one."""
    try:
        other = np.frombuffer(base64.b64decode(entry.vector, validate=True), "<f2").astype(np.float32)
    except (ValueError, binascii.Error):
        return -1.0
    length = float(np.linalg.norm(other)) if other.shape == vector.shape else 0.0
    if not np.isfinite(length) or length == 0:
        return -1.0
    return float(vector @ other) / length
