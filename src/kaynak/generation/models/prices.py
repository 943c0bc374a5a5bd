"""What tokens cost, from a list that comes with the library genai-prices. No network; the list is of its release."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Any

from kaynak.domain import TokenUsage
from kaynak.generation.models.providers import Price, Provider

_MOST_UNLISTED = 10_000
_SAMPLE = 1000
"""Tokens whose price is asked for and scaled: some prices rise with the length of the prompt."""


class Prices:
    """The list of prices. It is read when it is first needed, beside the event loop."""

    def __init__(self) -> None:
        self._list: Any = None
        self._loading: asyncio.Task[Any] | None = None
        self._unlisted: set[tuple[str, str]] = set()

    async def load(self) -> None:
        """Reads the list; a no-op if it was read. The other methods need it."""
        if self._list is None:
            # One import for all who wait: a second thread would only wait for the import's lock.
            self._loading = self._loading or asyncio.ensure_future(asyncio.to_thread(_load))
            self._list = await asyncio.shield(self._loading)

    def of(self, provider: Provider, model: str) -> Price | None:
        """Returns what a million tokens cost; None if that is not known."""
        if provider.price is not None:
            return provider.price
        calculated = self._calculated(provider, model, TokenUsage(_SAMPLE, _SAMPLE))
        if calculated is None:
            return None
        cached = self._calculated(provider, model, TokenUsage(_SAMPLE, 0, _SAMPLE))
        scale = 1_000_000 // _SAMPLE
        return Price(
            float(calculated.input_price * scale),
            float(calculated.output_price * scale),
            float(cached.input_price * scale) if cached is not None else None,
        )

    def cost(self, provider: Provider, model: str, usage: TokenUsage) -> Decimal | None:
        """Returns US dollars; None if the price is not known."""
        if provider.price is not None:
            price = provider.price
            cached = price.input if price.cached is None else price.cached
            fresh = usage.input - usage.cached
            millions = fresh * price.input + usage.cached * cached + usage.output * price.output
            return Decimal(str(millions)) / 1_000_000
        calculated = self._calculated(provider, model, usage)
        return None if calculated is None else Decimal(calculated.total_price)

    def context_tokens(self, provider: Provider, model: str) -> int | None:
        """Returns how many tokens the model takes, if the list says so."""
        calculated = self._calculated(provider, model, TokenUsage(_SAMPLE, _SAMPLE))
        return None if calculated is None else calculated.model.context_window

    def _calculated(self, provider: Provider, model: str, usage: TokenUsage) -> Any:
        if provider.price_list is None or self._list is None:
            return None
        seller, name = provider.price_list, model
        if seller == "huggingface":
            # The router names the company that runs the model after a colon: openai/gpt-oss-120b:cerebras.
            name, _, company = model.partition(":")
            seller = f"huggingface_{company}"
        if (seller, name) in self._unlisted:
            return None
        counted = self._list.Usage(input_tokens=usage.input, output_tokens=usage.output, cache_read_tokens=usage.cached)
        try:
            return self._list.calc_price(counted, name, provider_id=seller)
        except (LookupError, ValueError):
            # The list remembers what it finds, but looks through everything for what it does not have.
            if len(self._unlisted) < _MOST_UNLISTED:
                self._unlisted.add((seller, name))
            return None


def _load() -> Any:
    import genai_prices

    # The list itself is read with the first question, which would hold up the event loop.
    with contextlib.suppress(LookupError):
        genai_prices.calc_price(genai_prices.Usage(input_tokens=1), "none", provider_id="none")
    return genai_prices
