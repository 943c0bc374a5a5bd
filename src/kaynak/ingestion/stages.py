from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kaynak.catalog import Catalog, PendingVersion
from kaynak.embedding import Embedder
from kaynak.ingestion.committing import Committing
from kaynak.ingestion.preparing import Group, Prepared
from kaynak.ingestion.progress import Progress
from kaynak.ingestion.reading import Reading

GROUP_DOCUMENTS = 256
GROUP_CHUNKS = 512
GROUP_CHARACTERS = 8_000_000
SMALL_GROUP_CHUNKS = 64
"""What is passed on at once when the embedder is about to run dry."""
AHEAD_CHUNKS = 256
"""About a second of the embedder's work. With less before it small groups are passed on; with more, groups grow,
which saves transactions and writes of the indexes."""
GROUPS_AT_ONCE = 2
"""Groups in the embedder: while the last batches of one are computed, the next is looked up and tokenised."""
COMMIT_SECONDS = 1.0
"""Between two commits while more is coming. Each costs some fifty statements, with what the indexes do for it."""
COMMIT_GROUPS = 4
"""Embedded groups that are committed without waiting for that."""
SLICE = 512
"""Texts in one call of the embedder."""
LARGE = 4 * SLICE
"""Texts from which on embeddings are stored as they come, and not with their documents."""

Vectors = dict[bytes, NDArray[np.float32]]


class Stages:
    """The stages of one start of a job, and how they are strung together.

    Attributes:
        committed: For each group that changed something, the revision it made and its number of documents.
    """

    def __init__(
        self, catalog: Catalog, embedder: Embedder, reading: Reading, committing: Committing, progress: Progress
    ) -> None:
        self._catalog = catalog
        self._embedder = embedder
        self._reading = reading
        self._committing = committing
        self._progress = progress
        self.committed: list[tuple[int, int]] = []
        self._embedding = asyncio.Semaphore(GROUPS_AT_ONCE)
        # Chunks that were passed on and are not embedded yet.
        self._ahead = 0
        # Groups between reading and the end of their commit.
        self._places = asyncio.Semaphore(GROUPS_AT_ONCE + COMMIT_GROUPS)
        self._embedded: list[tuple[Group, Vectors]] = []
        self._arrived, self._enough = asyncio.Event(), asyncio.Event()
        self._all_embedded = False

    async def overlapping(self, pending: Sequence[PendingVersion], all_read: Callable[[], None]) -> None:
        """Embeds some documents while the next are parsed and the last are committed.

        Args:
            pending: What is to be done.
            all_read: Called when the last document is parsed; the embedder may still have work for seconds.
        """
        groups: asyncio.Queue[Group | None] = asyncio.Queue(1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(pending, groups, all_read))
            tasks.create_task(self._embed_all(groups))
            tasks.create_task(self._commit_all())

    async def one_by_one(self, job_id: UUID, pending: Sequence[PendingVersion]) -> None:
        """Finishes each document before the next is begun, and notes which one is in work."""
        for version in pending:
            async with self._catalog.begin() as unit:
                await unit.jobs.suspect(job_id, version.id)
            group = Group()
            group.add(await self._reading.one(version))
            await self._commit(group, await self._embed(group))

    async def _read(
        self,
        pending: Sequence[PendingVersion],
        groups: asyncio.Queue[Group | None],
        all_read: Callable[[], None],
    ) -> None:
        group = Group()
        chunks = characters = 0
        async with aclosing(self._reading.read(pending)) as documents:
            async for one in documents:
                group.add(one)
                if isinstance(one, Prepared):
                    chunks += len(one.rows)
                    characters += len(one.parsed.text)
                full = len(group) >= GROUP_DOCUMENTS or chunks >= GROUP_CHUNKS or characters >= GROUP_CHARACTERS
                if full or (chunks >= SMALL_GROUP_CHUNKS and self._ahead < AHEAD_CHUNKS):
                    self._ahead += chunks
                    await groups.put(group)
                    group, chunks, characters = Group(), 0, 0
        all_read()
        if len(group):
            self._ahead += chunks
            await groups.put(group)
        await groups.put(None)

    async def _embed_all(self, groups: asyncio.Queue[Group | None]) -> None:
        async with asyncio.TaskGroup() as tasks:
            while (group := await groups.get()) is not None:
                await self._places.acquire()
                tasks.create_task(self._embed_in_turn(group))
        self._all_embedded = True
        self._arrived.set()
        self._enough.set()

    async def _embed_in_turn(self, group: Group) -> None:
        async with self._embedding:
            try:
                vectors = await self._embed(group)
            finally:
                self._ahead -= len(group.rows)
        self._embedded.append((group, vectors))
        self._arrived.set()
        chunks = sum(len(one.rows) for one, _ in self._embedded)
        if len(self._embedded) >= COMMIT_GROUPS or chunks >= GROUP_CHUNKS:
            self._enough.set()

    async def _embed(self, group: Group) -> Vectors:
        return await self.embed(group.texts, len(group.rows))

    async def embed(self, texts: Mapping[bytes, str], total: int) -> Vectors:
        """Returns the embeddings of texts that were never embedded; very many are stored here already.

        Args:
            texts: By hash.
            total: Passages that they are of.
        """
        if not texts:
            return {}
        async with self._catalog.read() as unit:
            known = await unit.embeddings.known(self._embedder.fingerprint, texts)
        # Texts of a length go together: a batch is as long as its longest.
        wanted = sorted((key for key in texts if key not in known), key=lambda key: len(texts[key]))
        # Chunks that share a text, and those whose embedding was known.
        self._progress.done("embed", total - len(wanted))
        vectors: Vectors = {}
        for start in range(0, len(wanted), SLICE):
            part = wanted[start : start + SLICE]
            found = dict(zip(part, await self._embedder.embed([texts[key] for key in part], "document"), strict=True))
            if len(wanted) > LARGE:
                await self._committing.save(found)
            else:
                vectors |= found
            self._progress.done("embed", len(part))
        return vectors

    async def _commit_all(self) -> None:
        """Commits the first group at once, and then what has come together in a while."""
        loop = asyncio.get_running_loop()
        due = 0.0
        while not (self._all_embedded and not self._embedded):
            await self._arrived.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._enough.wait()
            self._arrived.clear()
            if not self._all_embedded:
                self._enough.clear()
            embedded, self._embedded = self._embedded, []
            if not embedded:
                continue
            group = Group()
            vectors: Vectors = {}
            for one, found in embedded:
                group.join(one)
                vectors |= found
            await self._commit(group, vectors)
            for _ in embedded:
                self._places.release()
            due = loop.time() + COMMIT_SECONDS

    async def _commit(self, group: Group, vectors: Vectors) -> None:
        revision = await self._committing.commit(group, vectors)
        if revision:
            self.committed.append((revision, len(group.documents)))
        self._progress.done("commit", len(group))
