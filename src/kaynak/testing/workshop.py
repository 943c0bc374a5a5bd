"""A small Kaynak without models, subprocesses and files of its own: for tests of what happens between the rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kaynak.catalog import Catalog, LocalBlobStore
from kaynak.domain import (
    OWNER,
    Block,
    BlockKind,
    Collection,
    GenerationSpec,
    Job,
    ParsedDocument,
    PartSpec,
    UnreadableDocument,
    UnreadableReason,
    Unsupported,
    clean,
)
from kaynak.engines import DenseEngine, LexicalEngine
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import Collections, Followers, Parts
from kaynak.ingestion import Documents, Intake, Pipeline, Storing, Submission, Upload
from kaynak.jobs import Jobs, Running, Worker, enqueue
from kaynak.parsing import ParseLimits, Source
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.fake_sparse import FakeSparseEmbedder

MEMORY = GenerationSpec(
    chunker=PartSpec("sentence", {"target_tokens": 12}),
    embedder=PartSpec("fake"),
    dense=PartSpec("memory"),
    lexical=PartSpec("memory"),
)


class PlainParsers:
    """Reads UTF-8 text in this process: a paragraph is a block. What begins with ``%broken`` is unreadable.

    Attributes:
        read: Names of the files that were read, in order.
        before: Called before each file; may raise or wait.
    """

    def __init__(self) -> None:
        self.read: list[str] = []
        self.before: Callable[[Source], object] | None = None

    async def parse(self, source: Source) -> ParsedDocument:
        """See `kaynak.parsing.ParserPool.parse`."""
        if self.before is not None:
            waiting = self.before(source)
            if asyncio.iscoroutine(waiting):
                await waiting
        self.read.append(source.name)
        text = clean(source.path.read_bytes().decode(errors="replace"))
        if not text.strip():
            raise UnreadableDocument(UnreadableReason.EMPTY, "The file is empty.")
        if text.startswith("%broken"):
            raise UnreadableDocument(UnreadableReason.CORRUPT, "The file is damaged.", hint="Send it again.")
        blocks, at = [], 0
        for part in text.split("\n\n"):
            if part.strip():
                blocks.append(Block(BlockKind.PARAGRAPH, at, at + len(part.rstrip())))
            at += len(part) + 2
        return ParsedDocument(text, "text/plain", tuple(blocks))

    async def parse_many(self, sources: Sequence[Source]) -> list[ParsedDocument | UnreadableDocument]:
        """See `kaynak.parsing.ParserPool.parse_many`."""
        found: list[ParsedDocument | UnreadableDocument] = []
        for source in sources:
            try:
                found.append(await self.parse(source))
            except UnreadableDocument as error:
                found.append(error)
            except FileNotFoundError:
                found.append(UnreadableDocument(UnreadableReason.CORRUPT, "The file is gone."))
        return found


class OneEmbedder:
    """The same model under every name, but for those that have one of their own.

    Attributes:
        others: Models by name.
        weigher: What weighs tokens, under every name but theirs.
    """

    def __init__(self, embedder: FakeEmbedder) -> None:
        self.embedder = embedder
        self.others: dict[str, FakeEmbedder] = {}
        self.weigher = FakeSparseEmbedder()

    async def get(self, name: str, /) -> FakeEmbedder:
        """See `kaynak.embedding.EmbedderPool.get`."""
        return self.others.get(name, self.embedder)

    async def sparse(self, name: str, /) -> FakeSparseEmbedder:
        """See `kaynak.embedding.EmbedderPool.sparse`."""
        if name in self.others:
            raise Unsupported(f"“{name}” gives no weights of tokens.")
        return self.weigher

    def hosted(self, name: str, /) -> bool:
        """See `kaynak.embedding.EmbedderPool.hosted`."""
        return False

    async def price_of(self, name: str, /) -> float | None:
        """See `kaynak.embedding.EmbedderPool.price_of`."""
        return 0.0


@dataclass
class Workshop:
    """Everything that brings documents in, over a real catalog.

    Attributes:
        catalog: The truth.
        folder: For originals and locks.
        dense: Engines by name.
        lexical: Engines by name.
        pace: Seconds between heartbeats; a worker is taken for dead after five of them.
    """

    catalog: Catalog
    folder: Path
    dense: Mapping[str, DenseEngine] = field(default_factory=lambda: {"memory": MemoryDense()})
    lexical: Mapping[str, LexicalEngine] = field(default_factory=lambda: {"memory": MemoryLexical()})
    embedder: FakeEmbedder = field(default_factory=lambda: FakeEmbedder(16))
    parsers: PlainParsers = field(default_factory=PlainParsers)
    spec: GenerationSpec = MEMORY
    pace: float = 0.2
    setbacks: int = 5
    upload_bytes: int = 1_000_000
    limits: ParseLimits = field(default_factory=ParseLimits)

    def __post_init__(self) -> None:
        catalog = self.catalog
        self.blobs = LocalBlobStore(self.folder / "blobs")
        self.models = OneEmbedder(self.embedder)
        self.parts = Parts(self.models, self.dense, self.lexical, self.folder / "locks")
        self.followers = Followers(catalog, self.parts, poll=0.5)
        self.collections = Collections(catalog, self.blobs, self.parts, self.followers)
        self.storing = Storing(catalog, self.blobs, self.limits, self.upload_bytes)
        self.intake = Intake(catalog, self.storing, enqueue)
        self.documents = Documents(catalog, self.blobs, self.followers, enqueue)
        self.pipeline = Pipeline(
            catalog, self.blobs, self.parsers, self.parts.embedders, self.followers, index_seconds=5
        )
        self.running = Running(catalog, self.pipeline, setbacks=self.setbacks, backoff=0.2)
        self.jobs = Jobs(catalog)
        self.worker = Worker(
            catalog,
            self.running,
            self.followers,
            self.collections,
            heartbeat=self.pace,
            stalled=self.pace * 5,
            grace=0.2,
        )

    async def collection(self, name: str = "handbook") -> Collection:
        """Makes a collection."""
        return await self.collections.create(OWNER, name, spec=self.spec)

    async def send(self, documents: Mapping[str, str], collection: str = "handbook") -> Submission:
        """Uploads texts by their ids."""
        uploads = [Upload(name, f"{name}.txt", text.encode()) for name, text in documents.items()]
        return await self.intake.submit(OWNER, collection, uploads)

    async def done(self, submission: Submission, seconds: float = 30.0) -> Job:
        """Waits for the end of a submission's job; some worker must run."""
        assert submission.job is not None
        async with asyncio.timeout(seconds):
            seen = [job async for job in self.jobs.watch(OWNER, submission.job.id)]
        return seen[-1]

    async def bring(self, documents: Mapping[str, str], collection: str = "handbook") -> Job:
        """Uploads texts and runs their job here, without a queue."""
        submission = await self.send(documents, collection)
        assert submission.job is not None
        await self.running.run(submission.job.id)
        return await self.jobs.get(OWNER, submission.job.id)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        """Runs the worker while the block runs."""
        stop = asyncio.Event()
        task = asyncio.create_task(self.worker.run(stop))
        try:
            yield task
        finally:
            stop.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 10)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
