"""Which providers there are, whether they could be asked, and whether they answer now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kaynak.domain import KaynakError
from kaynak.generation.models.breaker import BreakerState, Circuit
from kaynak.generation.models.failures import key_hint
from kaynak.generation.models.keys import Keys, KeySource
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.providers import Price, Provider
from kaynak.generation.models.wires import WIRES

if TYPE_CHECKING:
    from kaynak.generation.models.transport import Transport

_CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of a provider.

    Attributes:
        name: As ``provider:model``.
        context_tokens: Most of prompt and answer together; None if that is not known.
        price: For a million tokens; None if it is not known.
    """

    name: str
    context_tokens: int | None
    price: Price | None


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """A provider as things are.

    Attributes:
        name: As in ``provider:model``.
        title: For people.
        wire: The format it speaks.
        url: Where it is; None if that is not set.
        key: Where its key comes from.
        configured: Whether it can be asked.
        todo: What to do so that it can be asked; None if it can.
        circuit: Whether it is left alone because it failed.
        answers: Whether it answers now; None if that was not tried.
        milliseconds: How long it took.
        problem: Why it does not answer.
        models: Those it lists; empty if that was not tried.
        page: Its page in the documentation.
    """

    name: str
    title: str
    wire: str
    url: str | None
    key: KeySource
    configured: bool
    todo: str | None
    circuit: BreakerState
    answers: bool | None
    milliseconds: float | None
    problem: str | None
    models: tuple[ListedModel, ...]
    page: str


async def status_of(
    provider: Provider, keys: Keys, transport: Transport, prices: Prices, circuit: Circuit, *, check: bool
) -> ProviderStatus:
    """Returns a provider as things are.

    Args:
        provider: Which.
        keys: Of all.
        transport: To ask it by.
        prices: Read already, if it is to be asked.
        circuit: Its health.
        check: Whether to ask it for its models now, if it can be asked.
    """
    source = await keys.source(provider)
    todo = _todo(provider, source)
    answers, milliseconds, problem = None, None, None
    listed: tuple[ListedModel, ...] = ()
    if check and todo is None:
        began = time.perf_counter()
        try:
            listed = await _models(provider, keys, transport, prices)
            answers = True
        except KaynakError as exc:
            answers, problem = False, exc.message
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
    return ProviderStatus(
        name=provider.name,
        title=provider.title,
        wire=provider.wire.value,
        url=provider.url,
        key=source,
        configured=todo is None,
        todo=todo,
        circuit=circuit.state,
        answers=answers,
        milliseconds=milliseconds,
        problem=problem,
        models=listed,
        page=provider.page,
    )


def _todo(provider: Provider, source: KeySource) -> str | None:
    if provider.url is None:
        return f"Set {provider.url_env[0] if provider.url_env else f'models.providers.{provider.name}.url'}."
    if source is KeySource.UNREADABLE:
        return f"Store the key again: kaynak models set-key {provider.name}"
    if source is KeySource.NONE and provider.needs_key:
        return key_hint(provider)
    return None


async def _models(provider: Provider, keys: Keys, transport: Transport, prices: Prices) -> tuple[ListedModel, ...]:
    from kaynak.generation.models.transport import not_an_api

    wire = WIRES[provider.wire]
    key = await keys.get(provider)
    document = await transport.document(provider, key, wire.listing(provider), seconds=_CHECK_SECONDS)
    try:
        found = {entry.name: entry for entry in wire.listed(document)}
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        # Of another shape than the format has: what a provider sends is not ours to trust.
        raise not_an_api(provider) from exc
    listed = []
    for name in [*provider.models, *(name for name in found if name not in provider.models)]:
        entry = found.get(name)
        own = Price(*entry.price) if entry is not None and entry.price else None
        tokens = provider.context_tokens or (entry.context_tokens if entry else None)
        listed.append(
            ListedModel(
                f"{provider.name}:{name}",
                tokens or prices.context_tokens(provider, name),
                prices.of(provider, name) or own,
            )
        )
    return tuple(sorted(listed, key=lambda model: model.name))
