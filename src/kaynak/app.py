"""The composition root: settings in, a working Kaynak out. The only place that knows every concrete part."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kaynak.auditing import Anchors, AuditLog, Rights, SegmentFiles
from kaynak.catalog import Catalog, EmbeddedPostgres, LocalBlobStore, Secrets, head_migration
from kaynak.configured import (
    cache_of,
    fetcher_of,
    identity_options_of,
    master_keys_of,
    parse_limits_of,
    parts_of,
    rates_of,
    remembering,
)
from kaynak.configured_models import embedders_of, keys_of, models_of, reranker_of
from kaynak.domain import Answering, GenerationSpec, Misconfigured, PartSpec
from kaynak.embedding import EmbedderPool
from kaynak.fetching import Fetcher
from kaynak.generation import Asker, AuditedAsker, CatalogAnswerings, ExtractiveAnswerer, ModelWriter, Streams
from kaynak.generation.caching import Asking
from kaynak.generation.checking import Checking
from kaynak.generation.conversing import Conversations, Turns
from kaynak.generation.deepening import DepthFinder, Limits
from kaynak.generation.extractive import Answerability
from kaynak.generation.models import Ledger, Models, Spending
from kaynak.generation.queueing import QueuedAsker
from kaynak.generation.verifying import Verifiers
from kaynak.identity import Identity, Sharing
from kaynak.indexing import Collections, Doctor, Estimating, Followers, Indexes, Proving
from kaynak.ingestion import Deleting, Documents, Intake, Pipeline, Storing
from kaynak.jobs import Jobs, Running, Worker, enqueue
from kaynak.limiting import Rates
from kaynak.observability import Exposition, MeasuredSearcher, Metrics
from kaynak.parsing import ParserPool
from kaynak.retrieval import (
    Admission,
    AuditedSearcher,
    CachedSearcher,
    Feedback,
    Looking,
    Moments,
    QueuedSearcher,
    RerankedSearcher,
    Searcher,
    Searching,
    Verifier,
)
from kaynak.settings import Settings
from kaynak.viewing import Places

_QUESTIONS = 4
"""Questions on their way to their passages, for each search that may run."""


@dataclass(frozen=True, slots=True)
class Kaynak:
    """The object graph. Each attribute is the door of one room; see their classes."""

    settings: Settings
    catalog: Catalog
    identity: Identity
    embedders: EmbedderPool
    collections: Collections
    indexes: Indexes
    estimating: Estimating
    verifier: Verifier
    doctor: Doctor
    sharing: Sharing
    intake: Intake
    documents: Documents
    deleting: Deleting
    places: Places
    jobs: Jobs
    searcher: Searching
    models: Models
    spending: Spending
    finder: DepthFinder
    asker: Asking
    turns: Turns
    conversations: Conversations
    streams: Streams
    audit: AuditLog
    rights: Rights
    followers: Followers
    worker: Worker
    rates: Rates
    secrets: Secrets
    fetcher: Fetcher
    metrics: Metrics
    exposition: Exposition

    @staticmethod
    @asynccontextmanager
    async def open(settings: Settings, *, worker: bool = False) -> AsyncIterator[Kaynak]:
        """Opens everything on the data directory, and closes it when the block ends.

        Args:
            settings: What to open, and how.
            worker: Whether this process will do background jobs; then more connections are kept.

        Raises:
            Misconfigured: The settings cannot work; the message says what to do.
            CatalogUnavailable: The database does not answer.
        """
        async with AsyncExitStack() as stack:
            yield await _assemble(settings, stack, connections=12 if worker else 6)


async def _assemble(settings: Settings, stack: AsyncExitStack, *, connections: int) -> Kaynak:
    _own(settings.data_dir)
    url = await _database(settings, stack)
    catalog = await Catalog.open(url, pool_size=connections)
    anchors = Anchors(settings.data_dir / "audit" / "anchors.jsonl")
    catalog.witness = anchors.note
    stack.callback(anchors.keep)
    stack.push_async_callback(catalog.close)
    await _migrate(catalog, own=settings.database_url is None)
    master = master_keys_of(settings)
    vault = Secrets(catalog, master)
    identity = Identity.over(catalog, vault, identity_options_of(settings))
    stack.push_async_callback(identity.close)
    keys = keys_of(catalog, vault)
    embedders = embedders_of(settings, keys)
    stack.push_async_callback(embedders.close)
    parts = parts_of(settings, url, embedders, stack)
    blobs = LocalBlobStore(settings.data_dir / "blobs")
    limits = parse_limits_of(settings)
    parsers = ParserPool(limits, settings.parsing.processes, ocr=settings.parsing.ocr != "off")
    stack.push_async_callback(parsers.close)
    # Pages are drawn in a process of their own: a reader does not wait for a file that takes minutes to parse.
    pictures = ParserPool(replace(limits, cpu_seconds=30, wall_seconds=30), ocr=settings.parsing.ocr != "off")
    stack.push_async_callback(pictures.close)
    metrics = Metrics()
    followers = Followers(catalog, parts, failed=metrics.follower_failed)
    stack.push_async_callback(followers.rest)  # what a search began that did not wait for its end
    storing = Storing(catalog, blobs, limits, settings.limits.upload_mb * 1024 * 1024)
    pipeline = Pipeline(catalog, blobs, parsers, embedders, followers, parallel=settings.parsing.processes)
    running = Running(catalog, pipeline, jobs=settings.worker_jobs)
    usual = GenerationSpec(embedder=PartSpec(settings.embedding.model))
    collections = Collections(catalog, blobs, parts, followers, usual)
    indexes = Indexes(catalog, parts, followers)
    searching = Searcher(catalog, parts, followers, query_chars=settings.limits.query_chars)
    stack.push_async_callback(searching.close)
    plain = QueuedSearcher(searching, Admission(settings.limits.searches, settings.limits.waiting))
    cache = cache_of(settings, master.current(), stack)
    moments = Moments(catalog, parts)
    found: Looking = plain
    reranker = reranker_of(settings, keys)
    if reranker is not None:
        found = reranked = RerankedSearcher(plain, reranker, seconds=settings.search.reranker_seconds)
        stack.push_async_callback(reranked.close)
    searcher: Searching = found
    if cache is not None and settings.cache.searches:
        searcher = CachedSearcher(
            found,
            cache,
            moments,
            embedders,
            seconds=settings.cache.seconds,
            version=settings.search.reranker,
        )
    searcher = MeasuredSearcher(searcher, metrics)
    ledger = Ledger(catalog)
    models = models_of(settings, keys, ledger)
    stack.push_async_callback(models.close)
    default = Answering(model=settings.models.default, fallbacks=settings.models.fallbacks)
    deep = Limits(**settings.deep.model_dump())
    finder = DepthFinder(searcher, plain, Feedback(catalog, parts), catalog, deep)
    asker = Asker(
        finder,
        ExtractiveAnswerer(searcher),
        models=models,
        writer=ModelWriter(
            embedders=searcher, verifiers=(await _checking(settings, embedders, models, stack)).verifier
        ),
        guard=Answerability(searcher) if settings.models.guard else None,
        answerings=CatalogAnswerings(catalog),
        default=default,
    )
    # Questions that wait for a provider take no place of a search: more of them may be on their way to their passages.
    line = Admission(_QUESTIONS * settings.limits.searches, settings.limits.waiting)
    turns = Turns(
        catalog,
        QueuedAsker(AuditedAsker(asker, catalog.audit), line),
        answerings=CatalogAnswerings(catalog),
        default=default,
        models=models,
    )
    sealed = SegmentFiles(settings.data_dir / "audit")
    audit = AuditLog(catalog, sealed, anchors)
    doctor = Doctor(catalog, blobs, parts, followers)
    documents = Documents(catalog, blobs, followers, enqueue)
    streams = Streams()
    stack.push_async_callback(streams.close)
    return Kaynak(
        settings=settings,
        catalog=catalog,
        identity=identity,
        embedders=embedders,
        collections=collections,
        indexes=indexes,
        estimating=Estimating(catalog, parts, embedders),
        verifier=Verifier(catalog, parts, followers, indexes),
        doctor=doctor,
        sharing=Sharing(catalog),
        intake=Intake(catalog, storing, enqueue),
        documents=documents,
        deleting=Deleting(catalog, documents, Proving(catalog, blobs, followers)),
        places=Places(catalog, blobs, pictures),
        jobs=Jobs(catalog),
        searcher=AuditedSearcher(searcher, catalog.audit),
        models=models,
        spending=Spending(catalog, ledger),
        finder=finder,
        asker=QueuedAsker(
            AuditedAsker(remembering(asker, settings, cache, moments, embedders, default), catalog.audit), line
        ),
        turns=turns,
        conversations=Conversations(catalog, turns),
        streams=streams,
        audit=audit,
        rights=Rights(catalog, sealed),
        followers=followers,
        worker=Worker(catalog, running, followers, collections, others=(audit.tidy,)),
        rates=rates_of(settings, stack),
        secrets=vault,
        fetcher=fetcher_of(settings),
        metrics=metrics,
        exposition=Exposition(metrics, catalog, parts),
    )


async def migrate(settings: Settings) -> str | None:
    """Brings the database of the settings to the newest tables, and returns the migration it is at then.

    Raises:
        Misconfigured: The settings cannot work, or the database was made by a newer Kaynak.
        CatalogUnavailable: The database does not answer.
    """
    async with AsyncExitStack() as stack:
        _own(settings.data_dir)
        catalog = await Catalog.open(await _database(settings, stack), pool_size=1)
        stack.push_async_callback(catalog.close)
        await catalog.migrate()
        return await catalog.current_migration()


def _own(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise Misconfigured(
            f"The data directory {data_dir} cannot be made: {exc.strerror}.",
            hint="Choose another one with KAYNAK_DATA_DIR.",
        ) from exc


async def _database(settings: Settings, stack: AsyncExitStack) -> str:
    """Returns the URL of the outside database, or of the embedded one, started if it does not run."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = await asyncio.to_thread(EmbeddedPostgres.start, settings.data_dir)
    stack.callback(server.stop)
    keeping = asyncio.create_task(server.keep_running())
    stack.push_async_callback(_ended, keeping)
    return server.url


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _migrate(catalog: Catalog, *, own: bool) -> None:
    """Brings our own database, or an empty one, to the newest tables; others are migrated by their keepers.

    Raises:
        Misconfigured: The outside database has the tables of another version.
    """
    current = await catalog.current_migration()
    if current == head_migration():
        return
    if own or current is None:
        await catalog.migrate()
        return
    raise Misconfigured(
        f"The database is at migration {current}; this version of Kaynak needs {head_migration()}.",
        hint="Back it up, then run: kaynak migrate",
    )


async def _checking(settings: Settings, embedders: EmbedderPool, models: Models, stack: AsyncExitStack) -> Checking:
    """Returns what checks the sentences of language models.

    Raises:
        Misconfigured: There is no verifier of the name in the settings.
    """
    verifiers = Verifiers(lambda: embedders.get(settings.embedding.model))
    stack.push_async_callback(verifiers.close)
    checking = Checking(verifiers, models, settings.models.verifier)
    await checking.ready()
    return checking
