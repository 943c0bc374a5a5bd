from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kaynak.domain import EXTRACTIVE, InvalidRequest, KaynakError, ModelRefused, Permission, Scope
from kaynak.generation.models.adapting import Adapting, Refusals
from kaynak.generation.models.breaker import Breaking, Circuit
from kaynak.generation.models.config import ModelsConfig
from kaynak.generation.models.contexts import Contexts
from kaynak.generation.models.failures import key_hint
from kaynak.generation.models.fallbacks import Fallbacks, Unusable
from kaynak.generation.models.keys import Keys
from kaynak.generation.models.ledger import Ledger, Purchase
from kaynak.generation.models.listing import ProviderStatus, status_of
from kaynak.generation.models.metering import Metering
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.protocol import LanguageModel
from kaynak.generation.models.providers import ModelName, Provider, parse_model, provider_table
from kaynak.generation.models.retrying import Retrying

if TYPE_CHECKING:
    from kaynak.generation.models.transport import Transport


class Models:
    """The language models of all providers. Opens no connection, and reads no list, until a model is asked for.

    Args:
        config: Providers, keys in the environment, and patience.
        keys: Of the providers.
        ledger: Where calls are written down, and budgets are kept.

    Attributes:
        providers: By name.
        prices: What they cost.
        keys: Of them.
        circuits: Their health, by name.
    """

    def __init__(self, config: ModelsConfig, keys: Keys, ledger: Ledger) -> None:
        self.providers = provider_table(config.providers, config.environment)
        self.prices = Prices()
        self.keys = keys
        self.circuits = {name: Circuit(config.breaker_failures, config.breaker_seconds) for name in self.providers}
        self._config = config
        self._ledger = ledger
        self._refusals = Refusals()
        self._contexts = Contexts(self.prices)
        self._transport: Transport | None = None

    async def close(self) -> None:
        """Closes the connections, after what was spent is written down."""
        await self._ledger.close()
        if self._transport is not None:
            await self._transport.close()

    @property
    def transport(self) -> Transport:
        """HTTP to them; who asks no model does not pay for it."""
        if self._transport is None:
            from kaynak.generation.models.transport import Transport

            self._transport = Transport(self._config.connect_seconds)
        return self._transport

    def provider(self, name: str) -> Provider:
        """Returns the provider of that name.

        Raises:
            InvalidRequest: There is none.
        """
        if name not in self.providers:
            known = ", ".join(sorted(self.providers))
            raise InvalidRequest(f"There is no provider of models “{name[:80]}”.", hint=f"There are: {known}.")
        return self.providers[name]

    async def statuses(self, scope: Scope, *, only: str | None = None, check: bool = False) -> list[ProviderStatus]:
        """Returns the providers as things are, or one of them.

        Args:
            scope: Who asks.
            only: Name of one.
            check: Whether to ask those that can be asked for their models now.

        Raises:
            InvalidRequest: There is none of that name.
            Forbidden: The caller may not have providers asked.
        """
        if check:
            scope.require(Permission.SETTINGS)
        chosen = list(self.providers.values()) if only is None else [self.provider(only)]
        if check:
            await self.prices.load()
        asking = (
            status_of(provider, self.keys, self.transport, self.prices, self.circuits[provider.name], check=check)
            for provider in chosen
        )
        return list(await asyncio.gather(*asking))

    async def store_key(self, scope: Scope, provider: str, key: str) -> ProviderStatus:
        """Stores the key of a provider, encrypted; it goes before one of the environment.

        Raises:
            Forbidden: The caller may not keep keys.
            InvalidRequest: There is no such provider, or it cannot be a key.
            Misconfigured: There is no usable key of the installation.
        """
        scope.require(Permission.SETTINGS)
        await self.keys.put(scope, self.provider(provider), key)
        (status,) = await self.statuses(scope, only=provider)
        return status

    async def remove_key(self, scope: Scope, provider: str) -> None:
        """Removes the stored key of a provider.

        Raises:
            Forbidden: The caller may not keep keys.
            InvalidRequest: There is no such provider.
            NotFound: None is stored.
        """
        scope.require(Permission.SETTINGS)
        await self.keys.delete(scope, self.provider(provider))

    async def get(self, names: Sequence[str], *, owner: str, collection: str | None, purpose: str) -> LanguageModel:
        """Returns a model that retries, falls back, and writes down what it spends.

        Args:
            names: As ``provider:model``; those after the first are asked in order when it does not answer.
            owner: Who asks; see `Scope.subject`.
            collection: On behalf of which collection, by name; None for none.
            purpose: What for, for reports: ``answer``, ``rewrite``, ``verify``…

        Raises:
            InvalidRequest: A name is not one of a model, or of a provider that is not known.
            ModelRefused: None of the models has a key and an address.
        """
        if not names:
            raise InvalidRequest("No model is named.", hint="Name one as provider:model.")
        found: list[LanguageModel] = []
        faults: list[KaynakError] = []
        for name in dict.fromkeys(names):
            parsed = self._parsed(name)
            try:
                found.append(await self._one(parsed, owner, collection, purpose))
            except ModelRefused as exc:
                faults.append(exc)
                found.append(Unusable(name, exc))
        if len(faults) == len(found):
            raise faults[0]
        return found[0] if len(found) == 1 else Fallbacks(found)

    def _parsed(self, name: str) -> ModelName:
        if name == EXTRACTIVE:
            raise InvalidRequest(
                f"“{EXTRACTIVE}” quotes and is no language model.", hint="Name a model as provider:model."
            )
        parsed = parse_model(name)
        self.provider(parsed.provider)
        return parsed

    async def _one(self, name: ModelName, owner: str, collection: str | None, purpose: str) -> LanguageModel:
        from kaynak.generation.models.calling import ModelCall, Patience

        provider = self.providers[name.provider]
        if provider.url is None:
            variable = provider.url_env[0] if provider.url_env else f"models.providers.{provider.name}.url"
            raise ModelRefused(f"{provider.title} has no address.", hint=f"Set {variable}; see {provider.page}.")
        key = await self.keys.get(provider)
        if key is None and provider.needs_key:
            raise ModelRefused(f"{provider.title} has no key.", hint=key_hint(provider))
        await self.prices.load()
        known = await self._contexts.of(provider, name.model, key, self.transport)
        config = self._config
        call = ModelCall(
            provider,
            name,
            key,
            self.transport,
            Patience(config.first_token_seconds, config.idle_seconds),
            context_tokens=known.tokens,
            thinking=known.thinking,
        )
        adapting = Adapting(call, name, self._refusals)
        purchase = Purchase(owner, collection, name, purpose)
        metered = Metering(adapting, purchase, provider, known.tokens, self._ledger, self.prices)
        breaking = Breaking(metered, provider.title, self.circuits[provider.name])
        return Retrying(
            breaking, retries=config.retries, first_wait=config.first_wait_seconds, seconds=config.retry_seconds
        )
