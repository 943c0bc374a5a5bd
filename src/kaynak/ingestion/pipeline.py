from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol
from uuid import UUID

import structlog

from kaynak.catalog import BlobStore, Catalog, Started, given_titles
from kaynak.chunking import build_chunker
from kaynak.domain import Collection, EngineUnavailable, ParsedDocument, RevisionTimeout, Scope, UnreadableDocument
from kaynak.embedding import check_fingerprint
from kaynak.indexing import Embedders, Followers
from kaynak.ingestion.committing import Committing
from kaynak.ingestion.progress import JobStopped, Progress
from kaynak.ingestion.reading import Reading
from kaynak.ingestion.retitling import Retitling
from kaynak.ingestion.stages import Stages
from kaynak.parsing import Source

INDEX_SECONDS = 60.0
"""How long a job waits for the indexes before it ends with a note."""

BEHIND = "The documents are stored; an index is still catching up and will do so by itself."
_log = structlog.get_logger(__name__)


def _nothing() -> None:
    pass


class Parsers(Protocol):
    """What reads files, see `kaynak.parsing.ParserPool`."""

    async def parse(self, source: Source) -> ParsedDocument:
        """Returns the text of a file."""
        ...

    async def parse_many(self, sources: Sequence[Source]) -> list[ParsedDocument | UnreadableDocument]:
        """Returns the text of each small file, or why it cannot be read."""
        ...


class Pipeline:
    """What an ingest job does: parse, chunk, embed, commit, and wait for the indexes.

    Everything that is done is in the versions, so a job that was cut off anywhere goes on with those that are
    still pending.

    Args:
        catalog: Where documents go.
        blobs: Where their originals are.
        parsers: Read them.
        embedders: Models by name.
        followers: Bring the indexes up to date.
        parallel: Files that are parsed at the same time.
        index_seconds: How long a job waits for the indexes.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        parsers: Parsers,
        embedders: Embedders,
        followers: Followers,
        *,
        parallel: int = 1,
        index_seconds: float = INDEX_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._parsers = parsers
        self._embedders = embedders
        self._followers = followers
        self._parallel = parallel
        self._index_seconds = index_seconds

    @asynccontextmanager
    async def open(
        self, job_id: UUID, started: Started, *, careful: bool = False, all_read: Callable[[], None] = _nothing
    ) -> AsyncIterator[Run]:
        """Prepares one start of a job; its progress is reported while the block runs.

        Args:
            job_id: The job.
            started: As the catalog noted it.
            careful: Whether to take one document at a time, and to note which.
            all_read: Called when the last document is parsed, if documents are not taken one at a time.

        Raises:
            KaynakError: A transient fault; run the job again later.
            Misconfigured: The embedding model is not the one of the collection any more.
        """
        scope = Scope("worker", frozenset({started.collection_id}))
        async with self._catalog.read() as unit:
            collection = await unit.collections.get_by_id(scope, started.collection_id)
            pending = await unit.versions.pending_of_job(job_id)
            total, done = await unit.jobs.settled(job_id)
            titles = await given_titles(unit.connection, [version.document_id for version in pending])
        spec = collection.generation.spec
        embedder = await self._embedders.get(spec.embedder.name)
        check_fingerprint(embedder, collection.generation.embedder_fingerprint)
        chunker = build_chunker(spec.chunker, embedder.tokenizer, embedder.max_tokens)
        progress = Progress(self._catalog, job_id, started.attempt)
        for stage in ("parse", "commit", "index"):
            progress.expect(stage, total)
            progress.done(stage, done)
        reading = Reading(
            self._blobs, self._parsers, chunker, progress, titles, collection.language, parallel=self._parallel
        )
        committing = Committing(self._catalog, embedder, job_id, started.attempt)
        stages = Stages(self._catalog, embedder, reading, committing, progress)
        work = stages.one_by_one(job_id, pending) if careful else stages.overlapping(pending, all_read)
        retitling = Retitling(self._catalog, collection.generation, stages, committing, progress, job_id)
        run = Run(work, stages, retitling, progress, self._followers, collection, self._index_seconds)
        try:
            async with progress.reporting():
                yield run
        finally:
            work.close()


class Run:
    """One start of one job."""

    def __init__(
        self,
        work: Coroutine[Any, Any, None],
        stages: Stages,
        retitling: Retitling,
        progress: Progress,
        followers: Followers,
        collection: Collection,
        index_seconds: float,
    ) -> None:
        self._work = work
        self._stages = stages
        self._retitling = retitling
        self._progress = progress
        self._followers = followers
        self._collection = collection
        self._index_seconds = index_seconds

    async def work(self) -> None:
        """Brings in what is pending.

        Raises:
            JobStopped: Someone asked for it, or another worker has taken over; what is committed stays.
            ExceptionGroup: Faults, transient ones among them; run the job again later.
        """
        await self._unless_stopped(self._work)
        await self._unless_stopped(self._retitling.run())

    async def follow(self) -> str | None:
        """Waits until what was committed can be found; returns what the person should know if it lasts.

        Raises:
            JobStopped: Someone asked for it; everything is committed, and the indexes go on by themselves.
        """
        try:
            await self._unless_stopped(self._follow())
        except (EngineUnavailable, RevisionTimeout) as error:
            _log.warning("index_behind", collection=self._collection.name, error=error.type)
            return BEHIND
        return None

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._index_seconds
        for revision, documents in self._stages.committed:
            await self._followers.catch_up(self._collection.id, revision, max(0.1, until - loop.time()))
            self._progress.done("index", documents)
        self._progress.done("index", self._progress.left("index"))

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._progress.stopped.wait())
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise JobStopped
            await working
        finally:
            stopped.cancel()
            if not working.done():
                working.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await working
