"""Parts as the settings want them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr

from kaynak.caching import Cache, MemoryCache, PatientCache, SignedCache
from kaynak.catalog import MasterKeys, Vault
from kaynak.domain import Answering
from kaynak.embedding import EmbedderPool
from kaynak.engines import ArangoOptions, EngineOptions, Engines, MilvusOptions, PgVectorOptions, QdrantOptions
from kaynak.fetching import Fetcher, FetchLimits, Reach
from kaynak.generation import Asker
from kaynak.generation.caching import Asking, CachedAsker, Likeness
from kaynak.generation.prompting import INSTRUCTIONS
from kaynak.identity import IdentityOptions, OidcOptions
from kaynak.indexing import Parts
from kaynak.limiting import Limiter, MemoryLimiter, PatientLimiter, Purpose, Rates
from kaynak.parsing import ParseLimits
from kaynak.retrieval import Moments
from kaynak.settings import Settings


def cache_of(settings: Settings, vault: Vault, stack: AsyncExitStack) -> Cache | None:
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


def fetcher_of(settings: Settings) -> Fetcher:
    """Returns what fetches documents from the web."""
    urls = settings.urls
    return Fetcher(Reach(urls.private), FetchLimits(bytes=urls.mb * 1024 * 1024, seconds=urls.seconds))


def rates_of(settings: Settings, stack: AsyncExitStack) -> Rates:
    """Returns what counts requests: in Redis if there is one, else in this process."""
    limiter: Limiter = MemoryLimiter()
    if settings.redis_url is not None:
        from kaynak.limiting.redis import RedisLimiter  # only those who use it need its client

        limiter = PatientLimiter(RedisLimiter(settings.redis_url.get_secret_value()), limiter)
    rates = Rates(limiter, {purpose: getattr(settings.rates, purpose.name.lower()) for purpose in Purpose})
    stack.push_async_callback(rates.close)
    return rates


def remembering(
    asker: Asker, settings: Settings, cache: Cache | None, moments: Moments, embedders: EmbedderPool, default: Answering
) -> Asking:
    """Returns what answers, with a memory for answers if there is to be one."""
    wanted = settings.cache
    if cache is None or not wanted.answers:
        return asker
    # All that shapes an answer and is not part of the question, the collections or the program.
    version = (default, settings.models.model_dump_json(), settings.deep.model_dump(), INSTRUCTIONS)
    likeness = Likeness(cache, embedders, wanted.semantic_threshold) if wanted.semantic else None
    return CachedAsker(asker, cache, moments, seconds=wanted.seconds, version=version, likeness=likeness)


def parts_of(settings: Settings, url: str, embedders: EmbedderPool, stack: AsyncExitStack) -> Parts:
    """Returns engines and models; engines connect when they are first used."""
    engines = Engines(engine_options_of(settings, url))
    stack.push_async_callback(engines.close)
    return Parts(embedders, engines.dense, engines.lexical, settings.data_dir / "indexes" / "locks")


def engine_options_of(settings: Settings, url: str) -> EngineOptions:
    """Returns where vector stores are."""
    qdrant, milvus, arangodb = settings.qdrant, settings.milvus, settings.arangodb
    return EngineOptions(
        database_url=url,
        data_dir=settings.data_dir,
        pgvector=PgVectorOptions(**_plain(settings.pgvector)),
        qdrant=QdrantOptions(**_plain(qdrant)),
        milvus=MilvusOptions(**_plain(milvus)),
        arangodb=ArangoOptions(**_plain(arangodb)),
    )


def _plain(section: BaseModel) -> dict[str, Any]:
    """Returns the fields of a section, secrets as they are."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in ((name, getattr(section, name)) for name in type(section).model_fields)
    }


def parse_limits_of(settings: Settings) -> ParseLimits:
    """Returns what a file may cost."""
    parsing = settings.parsing
    return ParseLimits(memory_mb=parsing.memory_mb, cpu_seconds=parsing.cpu_seconds, wall_seconds=parsing.wall_seconds)


def master_keys_of(settings: Settings) -> MasterKeys:
    """Returns the keys of the installation: nothing is read until there is something to encrypt or to sign."""
    old, now = settings.old_secret_key, settings.secret_key
    return MasterKeys(
        settings.data_dir / "secret.key",
        now.get_secret_value() if now else None,
        old.get_secret_value() if old else None,
    )


def identity_options_of(settings: Settings) -> IdentityOptions:
    """Returns how people sign in."""
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
