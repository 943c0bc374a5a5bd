"""The composition root: settings in, a working Kaynak out. The only place that knows every concrete part."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from kaynak.auditing import Anchors, AuditLog, Rights, SegmentFiles
from kaynak.caching import Cache, MemoryCache, PatientCache, SignedCache
from kaynak.catalog import Catalog, EmbeddedPostgres, LocalBlobStore, MasterKeys, Secrets, Vault, head_migration
from kaynak.domain import Answering, GenerationSpec, Misconfigured, PartSpec
from kaynak.embedding import EmbedderPool
from kaynak.engines import DENSE_ENGINES, LEXICAL_ENGINES, dense_engine, lexical_engine
from kaynak.fetching import Fetcher, FetchLimits, Reach
from kaynak.generation import Asker, AuditedAsker, CatalogAnswerings, ExtractiveAnswerer, ModelWriter, Streams
from kaynak.generation.caching import Asking, CachedAsker, Likeness
from kaynak.generation.checking import Checking
from kaynak.generation.conversing import Conversations, Turns
from kaynak.generation.deepening import DepthFinder, Limits
from kaynak.generation.extractive import Answerability
from kaynak.generation.models import Auth, Keys, Ledger, Models, ModelsConfig, Price, Quirk, Spending, WireName
from kaynak.generation.prompting import INSTRUCTIONS
from kaynak.generation.queueing import QueuedAsker
from kaynak.generation.verifying import Verifiers
from kaynak.identity import Identity, IdentityOptions, OidcOptions, Sharing
from kaynak.indexing import Collections, Followers, Parts
from kaynak.ingestion import Documents, Intake, Pipeline, Storing
from kaynak.jobs import Jobs, Running, Worker, enqueue
from kaynak.limiting import Limiter, MemoryLimiter, PatientLimiter, Purpose, Rates
from kaynak.parsing import ParseLimits, ParserPool
from kaynak.retrieval import (
    Admission,
    AuditedSearcher,
    CachedSearcher,
    Feedback,
    Moments,
    QueuedSearcher,
    Searcher,
    Searching,
)
from kaynak.settings import ProviderSettings, Settings, outer_environment
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
    sharing: Sharing
    intake: Intake
    documents: Documents
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
    master = _master(settings)
    vault = Secrets(catalog, master)
    identity = Identity.over(catalog, vault, _identity_options(settings))
    stack.push_async_callback(identity.close)
    embedders = _embedders(settings)
    stack.push_async_callback(embedders.close)
    parts = _parts(settings, url, embedders, stack)
    blobs = LocalBlobStore(settings.data_dir / "blobs")
    limits = _limits(settings)
    parsers = ParserPool(limits, settings.parsing.processes, ocr=settings.parsing.ocr != "off")
    stack.push_async_callback(parsers.close)
    # Pages are drawn in a process of their own: a reader does not wait for a file that takes minutes to parse.
    pictures = ParserPool(replace(limits, cpu_seconds=30, wall_seconds=30), ocr=settings.parsing.ocr != "off")
    stack.push_async_callback(pictures.close)
    followers = Followers(catalog, parts)
    storing = Storing(catalog, blobs, limits, settings.limits.upload_mb * 1024 * 1024)
    pipeline = Pipeline(catalog, blobs, parsers, embedders, followers, parallel=settings.parsing.processes)
    running = Running(catalog, pipeline, jobs=settings.worker_jobs)
    usual = GenerationSpec(embedder=PartSpec(settings.embedding.model))
    collections = Collections(catalog, blobs, parts, followers, usual)
    searching = Searcher(catalog, parts, followers, query_chars=settings.limits.query_chars)
    stack.push_async_callback(searching.close)
    plain = QueuedSearcher(searching, Admission(settings.limits.searches, settings.limits.waiting))
    cache = _cache(settings, master.current(), stack)
    moments = Moments(catalog, parts)
    searcher: Searching = plain
    if cache is not None and settings.cache.searches:
        searcher = CachedSearcher(plain, cache, moments, embedders, seconds=settings.cache.seconds)
    ledger = Ledger(catalog)
    models = _models(settings, catalog, ledger, vault)
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
    streams = Streams()
    stack.push_async_callback(streams.close)
    return Kaynak(
        settings=settings,
        catalog=catalog,
        identity=identity,
        embedders=embedders,
        collections=collections,
        sharing=Sharing(catalog),
        intake=Intake(catalog, storing, enqueue),
        documents=Documents(catalog, blobs, followers, enqueue),
        places=Places(catalog, blobs, pictures),
        jobs=Jobs(catalog),
        searcher=AuditedSearcher(searcher, catalog.audit),
        models=models,
        spending=Spending(catalog, ledger),
        finder=finder,
        asker=QueuedAsker(
            AuditedAsker(_remembering(asker, settings, cache, moments, embedders, default), catalog.audit), line
        ),
        turns=turns,
        conversations=Conversations(catalog, turns),
        streams=streams,
        audit=audit,
        rights=Rights(catalog, sealed),
        followers=followers,
        worker=Worker(catalog, running, followers, collections, others=(audit.tidy,)),
        rates=_rates(settings, stack),
        secrets=vault,
        fetcher=_fetcher(settings),
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


def _embedders(settings: Settings) -> EmbedderPool:
    embedding = settings.embedding
    return EmbedderPool(embedding.threads, embedding.precision, embedding.runtime, embedding.batch)


def _cache(settings: Settings, vault: Vault, stack: AsyncExitStack) -> Cache | None:
    """Returns where to remember; None where nothing is to be remembered."""
    wanted = settings.cache
    if not (wanted.answers or wanted.searches):
        return None
    cache: Cache
    if settings.redis_url is None:
        cache = MemoryCache(wanted.memory_mb * 1024 * 1024)
    else:
        from kaynak.caching.redis import RedisCache  # only those who use it need its client

        shared = RedisCache(settings.redis_url.get_secret_value())
        cache = PatientCache(SignedCache(shared, vault.derived("cache")))
    stack.push_async_callback(cache.close)
    return cache


def _fetcher(settings: Settings) -> Fetcher:
    urls = settings.urls
    return Fetcher(Reach(urls.private), FetchLimits(bytes=urls.mb * 1024 * 1024, seconds=urls.seconds))


def _rates(settings: Settings, stack: AsyncExitStack) -> Rates:
    limiter: Limiter = MemoryLimiter()
    if settings.redis_url is not None:
        from kaynak.limiting.redis import RedisLimiter  # only those who use it need its client

        limiter = PatientLimiter(RedisLimiter(settings.redis_url.get_secret_value()), limiter)
    rates = Rates(limiter, {purpose: getattr(settings.rates, purpose.name.lower()) for purpose in Purpose})
    stack.push_async_callback(rates.close)
    return rates


def _remembering(
    asker: Asker, settings: Settings, cache: Cache | None, moments: Moments, embedders: EmbedderPool, default: Answering
) -> Asking:
    wanted = settings.cache
    if cache is None or not wanted.answers:
        return asker
    # All that shapes an answer and is not part of the question, the collections or the program.
    version = (default, settings.models.model_dump_json(), settings.deep.model_dump(), INSTRUCTIONS)
    likeness = Likeness(cache, embedders, wanted.semantic_threshold) if wanted.semantic else None
    return CachedAsker(asker, cache, moments, seconds=wanted.seconds, version=version, likeness=likeness)


def _parts(settings: Settings, url: str, embedders: EmbedderPool, stack: AsyncExitStack) -> Parts:
    """Engines connect when they are first used."""
    dense = {name: dense_engine(name, database_url=url, data_dir=settings.data_dir) for name in DENSE_ENGINES}
    lexical = {name: lexical_engine(name, database_url=url, data_dir=settings.data_dir) for name in LEXICAL_ENGINES}
    for engine in (*dense.values(), *lexical.values()):
        stack.push_async_callback(engine.close)
    return Parts(embedders, dense, lexical, settings.data_dir / "indexes" / "locks")


def _limits(settings: Settings) -> ParseLimits:
    parsing = settings.parsing
    return ParseLimits(memory_mb=parsing.memory_mb, cpu_seconds=parsing.cpu_seconds, wall_seconds=parsing.wall_seconds)


def _master(settings: Settings) -> MasterKeys:
    """Reads nothing until there is something to encrypt or to sign."""
    old, now = settings.old_secret_key, settings.secret_key
    return MasterKeys(
        settings.data_dir / "secret.key",
        now.get_secret_value() if now else None,
        old.get_secret_value() if old else None,
    )


def _identity_options(settings: Settings) -> IdentityOptions:
    chosen = settings.auth
    return IdentityOptions(
        loopback=settings.private,
        algorithm=chosen.algorithm,
        issuer=chosen.issuer,
        access=timedelta(minutes=chosen.access_minutes),
        refresh=timedelta(days=chosen.refresh_days),
        rotation=timedelta(days=chosen.key_days),
        hashing=chosen.hashing_threads,
        oidc=_oidc(settings),
    )


def _oidc(settings: Settings) -> OidcOptions | None:
    chosen = settings.oidc
    if chosen.issuer is None or chosen.client_id is None:
        return None
    return OidcOptions(
        issuer=chosen.issuer,
        client_id=chosen.client_id,
        client_secret=chosen.client_secret.get_secret_value() if chosen.client_secret else None,
        scopes=chosen.scopes,
        groups_claim=chosen.groups_claim,
        redirect_url=chosen.redirect_url,
        sign_up=chosen.sign_up,
    )


def _models(settings: Settings, catalog: Catalog, ledger: Ledger, vault: Secrets) -> Models:
    """Nothing is connected, and no key is read, until a model is asked for."""
    environment = outer_environment()
    chosen = settings.models
    config = ModelsConfig(
        providers={name: _provider(provider) for name, provider in chosen.providers.items()},
        environment=environment,
        connect_seconds=chosen.connect_seconds,
        first_token_seconds=chosen.first_token_seconds,
        idle_seconds=chosen.idle_seconds,
        retries=chosen.retries,
        retry_seconds=chosen.retry_seconds,
        breaker_failures=chosen.breaker_failures,
        breaker_seconds=chosen.breaker_seconds,
    )
    return Models(config, Keys(catalog, vault, environment), ledger)


def _provider(chosen: ProviderSettings) -> dict[str, object]:
    """Returns what was chosen, as fields of a provider; what was left out is not among them."""
    fields = {name: getattr(chosen, name) for name in chosen.model_fields_set if getattr(chosen, name) is not None}
    shapes: dict[str, Callable[[Any], object]] = {
        "wire": WireName,
        "auth": Auth,
        "quirks": lambda names: frozenset(Quirk(name) for name in names),
        "headers": lambda headers: {name: value.get_secret_value() for name, value in headers.items()},
        "price": lambda price: Price(price.input, price.output, price.cached),
    }
    return {name: shapes[name](value) if name in shapes else value for name, value in fields.items()}
