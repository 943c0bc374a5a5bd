"""Models as the settings want them: those of this machine, and those of providers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kaynak.catalog import Catalog, Secrets
from kaynak.domain import Misconfigured, ModelRefused
from kaynak.embedding import EmbedderPool, HostedOptions, HostedProvider, Kind, Wire
from kaynak.generation.models import Auth, Keys, Ledger, Models, ModelsConfig, Price, Quirk, WireName
from kaynak.generation.models.providers import Provider, provider_table
from kaynak.remote import KeyOf, Service
from kaynak.reranking import Reranker, RerankerOptions, open_reranker
from kaynak.settings import ProviderSettings, Settings, outer_environment

_WIRES = {WireName.OPENAI: Wire.OPENAI, WireName.GEMINI: Wire.GEMINI, WireName.OLLAMA: Wire.OLLAMA}
_KEYS_OF_OTHERS = {
    "tei": ("TEI_API_KEY",),
    "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "jina": ("JINA_API_KEY",),
}
"""Environment variables with keys of services that are no providers of language models."""


def keys_of(catalog: Catalog, vault: Secrets) -> Keys:
    """Returns the keys of providers; none is read until it is asked for."""
    return Keys(catalog, vault, outer_environment())


def models_of(settings: Settings, keys: Keys, ledger: Ledger) -> Models:
    """Returns language models: nothing is connected, and no key is read, until one is asked for."""
    chosen = settings.models
    config = ModelsConfig(
        providers=providers_of(settings),
        environment=outer_environment(),
        connect_seconds=chosen.connect_seconds,
        first_token_seconds=chosen.first_token_seconds,
        idle_seconds=chosen.idle_seconds,
        retries=chosen.retries,
        retry_seconds=chosen.retry_seconds,
        breaker_failures=chosen.breaker_failures,
        breaker_seconds=chosen.breaker_seconds,
    )
    return Models(config, keys, ledger)


def embedders_of(settings: Settings, keys: Keys) -> EmbedderPool:
    """Returns the pool that loads embedding models when they are first asked for."""
    embedding = settings.embedding
    return EmbedderPool(
        embedding.threads,
        embedding.precision,
        embedding.runtime,
        embedding.batch,
        hosted=hosted_of(settings, key_of(settings, keys)),
    )


def reranker_of(settings: Settings, keys: Keys) -> Callable[[], Awaitable[Reranker]] | None:
    """Returns what loads the re-ranker; None if there is to be none."""
    name = settings.search.reranker
    if name is None:
        return None
    table = _table(settings)
    options = RerankerOptions(
        keys=key_of(settings, keys),
        urls={one: url for one in ("cohere", "jina") if one in table and (url := table[one].url)},
        seconds=settings.search.reranker_seconds,
    )
    return lambda: open_reranker(name, options)


def hosted_of(settings: Settings, keys: KeyOf) -> HostedOptions:
    """Returns who can be asked for embeddings: the providers of language models whose format has them, and TEI."""
    embedding = settings.embedding
    found = (_hosted(provider) for provider in _table(settings).values())
    prompts: dict[str, Mapping[Kind, str]] = {
        name: {"query": one.query, "document": one.document} for name, one in embedding.prompts.items()
    }
    return HostedOptions(
        providers={one.service.name: one for one in found if one is not None},
        tei=tuple(
            Service("tei", f"Text Embeddings Inference at {url}", url, key_env=_KEYS_OF_OTHERS["tei"])
            for url in embedding.tei_urls
        ),
        keys=keys,
        prompts=prompts,
        seconds=embedding.seconds,
        query_seconds=embedding.query_seconds,
    )


def key_of(settings: Settings, keys: Keys) -> KeyOf:
    """Returns what gives the key of a provider, or of a service of another kind, by its name."""
    table, environment = _table(settings), outer_environment()

    async def get(name: str) -> str | None:
        if name in table:
            try:
                return await keys.get(table[name])
            except ModelRefused as exc:
                raise Misconfigured(exc.message, hint=exc.hint) from exc
        variables = (environment.get(variable, "").strip() for variable in _KEYS_OF_OTHERS.get(name, ()))
        return next((value for value in variables if value), None)

    return get


def _table(settings: Settings) -> dict[str, Provider]:
    return provider_table(providers_of(settings), outer_environment())


def _hosted(provider: Provider) -> HostedProvider | None:
    """Returns the provider as one of embeddings; None if its format has none."""
    wire = _WIRES.get(provider.wire)
    if wire is None:
        return None
    url = provider.url or ""
    if provider.name == "huggingface":
        # Its router speaks like OpenAI for chats alone.
        wire, url = Wire.HUGGINGFACE, url.rstrip("/").removesuffix("/v1")
    service = Service(
        provider.name,
        provider.title,
        url,
        auth=provider.auth.value,
        needs_key=provider.needs_key,
        key_env=provider.key_env,
        headers=provider.headers,
    )
    return HostedProvider(
        service,
        wire,
        deployments=Quirk.DEPLOYMENTS in provider.quirks,
        api_version=provider.api_version,
        price_list=provider.price_list,
        price=None if provider.price is None else provider.price.input,
        max_tokens=provider.context_tokens,
    )


def providers_of(settings: Settings) -> dict[str, dict[str, object]]:
    """Returns what the settings say about providers of models, as fields of a provider, by name."""
    return {name: _provider(provider) for name, provider in settings.models.providers.items()}


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
