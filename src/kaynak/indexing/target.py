from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

import structlog

from kaynak.catalog import IndexedChunk
from kaynak.domain import Generation
from kaynak.engines import DenseEngine, DenseSpec, Engine, Entry, LexicalEngine, LexicalSpec, Point, VectorField

FIELD = "text"
"""Name of the one vector field of a text generation."""

_log = structlog.get_logger(__name__)


class Target(ABC):
    """One index of a generation, as a follower sees it.

    Attributes:
        generation: The generation.
        engine: Holds the index.
        side: ``dense`` or ``lexical``.
        private: Whether each process has an index of its own (the reference engines in memory).
    """

    side: Literal["dense", "lexical"]

    def __init__(self, generation: Generation, engine: Engine, name: str) -> None:
        self.generation = generation
        self.engine = engine
        self.private = name.startswith("memory")

    @property
    def key(self) -> str:
        """Name of the index in its engine."""
        return self.generation.key

    @abstractmethod
    async def create(self) -> None:
        """Makes the empty index, if there is none."""

    @abstractmethod
    async def apply(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID], revision: int) -> None:
        """Replaces what the index has of ``documents`` by ``chunks``; afterwards it reflects ``revision``."""


class DenseTarget(Target):
    """The dense index of a generation."""

    side = "dense"

    def __init__(self, generation: Generation, engine: DenseEngine) -> None:
        super().__init__(generation, engine, generation.spec.dense.name)
        self._dense = engine

    async def create(self) -> None:
        """See `Target.create`."""
        fields = (VectorField(FIELD, self.generation.dimensions),)
        await self._dense.create(DenseSpec(self.key, fields, self.generation.spec.dense.params))

    async def apply(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID], revision: int) -> None:
        """See `Target.apply`."""
        points = [
            Point(chunk.id, chunk.document_id, {FIELD: vector}, chunk.payload)
            for chunk in chunks
            if (vector := chunk.embedding()) is not None
        ]
        if len(points) < len(chunks):
            _log.warning("chunks_without_vector", generation=self.key, missing=len(chunks) - len(points))
        await self._dense.apply(self.key, points, documents, revision)


class LexicalTarget(Target):
    """The lexical index of a generation."""

    side = "lexical"

    def __init__(self, generation: Generation, engine: LexicalEngine) -> None:
        super().__init__(generation, engine, generation.spec.lexical.name)
        self._lexical = engine

    async def create(self) -> None:
        """See `Target.create`."""
        await self._lexical.create(LexicalSpec(self.key, self.generation.spec.lexical.params))

    async def apply(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID], revision: int) -> None:
        """See `Target.apply`."""
        if self.generation.weights_fingerprint is not None:
            await self._apply_weights(chunks, documents, revision)
            return
        entries = [
            Entry(
                chunk.id,
                chunk.document_id,
                chunk.text,
                " ".join((chunk.title, *chunk.headings)),
                chunk.language,
                chunk.payload,
            )
            for chunk in chunks
        ]
        await self._lexical.apply(self.key, entries, documents, revision)

    async def _apply_weights(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID], revision: int) -> None:
        entries = [
            Entry(chunk.id, chunk.document_id, "", "", chunk.language, chunk.payload, weights)
            for chunk in chunks
            if (weights := chunk.weights()) is not None
        ]
        if len(entries) < len(chunks):
            _log.warning("chunks_without_weights", generation=self.key, missing=len(chunks) - len(entries))
        await self._lexical.apply(self.key, entries, documents, revision)
