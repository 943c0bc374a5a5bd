from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from uuid import UUID

import structlog

from kaynak.catalog import Catalog, IndexedChunk, Unit
from kaynak.domain import InvalidRequest, TooLarge, Unsupported
from kaynak.indexing.preparing import Preparing
from kaynak.indexing.target import Target

_POISON = (InvalidRequest, Unsupported, TooLarge)
"""What an engine or a model will say of the same documents every time."""

_log = structlog.get_logger(__name__)


class Taking:
    """Writes documents into one index, and keeps in the catalog how far that is.

    Args:
        catalog: The truth.
        target: The index.
        preparing: Gives documents what the generation needs of them.
        host: Whose files the index is; empty where all hosts share it.
    """

    def __init__(self, catalog: Catalog, target: Target, preparing: Preparing, host: str) -> None:
        self._catalog = catalog
        self._target = target
        self._preparing = preparing
        self._key = (target.generation.id, target.side, host)
        self._said: tuple[int, str | None] = (-1, None)
        # Of an index that only this process has.
        self._private: tuple[int, UUID | None, int] = (0, None, 0)

    async def take(self, unit: Unit | None, documents: Sequence[UUID], known: int, revision: int) -> int:
        """Replaces what the index has of documents by what they are now, and returns how many chunks that are.

        A document that the index cannot take is left out of it, and noted; it does not hold up the others.

        Args:
            unit: The transaction of the step, if it has one: a step needs one connection, not two.
            documents: What to write; those that are gone are removed.
            known: What the index reflects.
            revision: What it reflects afterwards.

        Raises:
            Unavailable: The engine, the model or the database does not answer.
            CorruptIndex: The index is missing or damaged.
        """
        try:
            written = await self._write(unit, documents, revision)
        except _POISON:
            written = await self._apart(unit, documents, known)
            await self._target.apply([], [], revision)
        else:
            await self._forgive(unit, documents)
        return written

    async def _apart(self, unit: Unit | None, documents: Sequence[UUID], known: int) -> int:
        """Finds the document that spoils a write, by halves."""
        written = 0
        middle = len(documents) // 2
        for part in (documents[:middle], documents[middle:]):
            if not part:
                continue
            try:
                written += await self._write(unit, part, known)
                await self._forgive(unit, part)
            except _POISON as error:
                if len(part) > 1:
                    written += await self._apart(unit, part, known)
                else:
                    await self._fault(unit, part[0], f"{error.message} {error.hint or ''}".strip(), known)
        return written

    async def _write(self, unit: Unit | None, documents: Sequence[UUID], revision: int) -> int:
        chunks = await self._chunks(unit, documents)
        if not self._target.generation.active or self._incomplete(chunks, documents):
            await self._preparing.complete(self._target.generation, documents, self._target.side)
            chunks = await self._chunks(unit, documents)
        await self._target.apply(chunks, documents, revision)
        return len(chunks)

    async def _chunks(self, unit: Unit | None, documents: Sequence[UUID]) -> list[IndexedChunk]:
        async with self._reading(unit) as reader:
            return await reader.chunks.of_documents(self._target.generation, documents, self._target.side)

    def _incomplete(self, chunks: Sequence[IndexedChunk], documents: Sequence[UUID]) -> bool:
        there = {one.document_id for one in chunks}
        needed = self._target.generation.needs(self._target.side)
        return len(there) < len(documents) or (needed is not None and any(one.vector is None for one in chunks))

    async def _fault(self, unit: Unit | None, document: UUID, error: str, known: int) -> None:
        generation, side, _ = self._key
        _log.warning("document_not_indexed", generation=self._target.key, side=side, document=str(document))
        await self._target.apply([], [document], known)
        async with self._writing(unit) as writer:
            await writer.index_states.fault(generation, side, document, error)

    async def _forgive(self, unit: Unit | None, documents: Sequence[UUID]) -> None:
        generation, side, _ = self._key
        async with self._writing(unit) as writer:
            await writer.index_states.forgive(generation, side, documents)

    # -- how far it is

    async def filled(self, unit: Unit | None) -> tuple[int, UUID | None, int]:
        """Returns where filling the index goes on: revision at its beginning, last document, chunks so far."""
        if self._target.private:
            return self._private
        async with self._reading(unit) as reader:
            state = await reader.index_states.get(*self._key)
        return (0, None, 0) if state is None else (state.base, state.cursor, state.entries)

    async def begins(self, unit: Unit | None, base: int) -> None:
        """Notes that the index is empty, and is going to be filled."""
        await self._say(unit, revision=0, base=base)

    async def fills(self, unit: Unit | None, base: int, cursor: UUID, entries: int) -> None:
        """Notes that all documents up to ``cursor`` are in it, with ``entries`` chunks."""
        await self._say(unit, revision=0, base=base, cursor=cursor, entries=entries)

    async def reached(self, unit: Unit | None, revision: int) -> None:
        """Notes that the index reflects a revision, if that is news."""
        if self._said != (revision, None):
            await self._say(unit, revision=revision)

    async def waits(self, error: str | None) -> None:
        """Notes what is waited for, if that is news."""
        if self._said[1] == error:
            return
        async with self._catalog.begin() as unit:
            await unit.index_states.waits(*self._key, error)
        self._said = (self._said[0], error)

    async def _say(
        self, unit: Unit | None, *, revision: int, base: int = 0, cursor: UUID | None = None, entries: int = 0
    ) -> None:
        if self._target.private:
            self._private = (base, cursor, entries)
        async with self._writing(unit) as writer:
            await writer.index_states.say(*self._key, revision=revision, base=base, cursor=cursor, entries=entries)
        self._said = (revision, None)

    def _reading(self, unit: Unit | None) -> AbstractAsyncContextManager[Unit]:
        return self._catalog.read() if unit is None else nullcontext(unit)

    def _writing(self, unit: Unit | None) -> AbstractAsyncContextManager[Unit]:
        return self._catalog.begin() if unit is None else nullcontext(unit)
