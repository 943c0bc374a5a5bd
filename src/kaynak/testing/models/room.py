"""The real `Models` over the local server, without a database: keys of the environment, a ledger in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

from kaynak.catalog import Catalog, ModelCallRow, Secrets
from kaynak.domain import CallOutcome, new_id
from kaynak.generation.models import Keys, LanguageModel, Ledger, Models, ModelsConfig
from kaynak.generation.models.ledger import Purchase
from kaynak.testing.models.server import ModelServer


class MemoryKeys(Keys):
    """Keys of the environment alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(cast("Catalog", None), cast("Secrets", None), environment)

    async def _read(self) -> None:
        self._until = float("inf")


class MemoryLedger(Ledger):
    """Keeps calls in memory, and knows no budgets.

    Attributes:
        calls: As they were last written, oldest first.
    """

    def __init__(self) -> None:
        super().__init__(cast("Catalog", None))
        self._calls: dict[object, ModelCallRow] = {}

    @property
    def calls(self) -> list[ModelCallRow]:
        """All calls."""
        return list(self._calls.values())

    async def open(self, purchase: Purchase, reserve: Decimal | None) -> tuple[ModelCallRow, bool]:
        """See `Ledger`."""
        name = purchase.name
        call = ModelCallRow(
            new_id(),
            purchase.owner,
            purchase.collection,
            name.provider,
            name.model,
            purchase.purpose,
            CallOutcome.RUNNING,
            cost=reserve,
        )
        self._calls[call.id] = call
        return call, False

    def settle(self, call: ModelCallRow) -> None:
        """See `Ledger`."""
        self._calls[call.id] = call

    async def flush(self) -> None:
        """Nothing waits."""

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class ModelRoom:
    """All that a test of models needs.

    Attributes:
        server: What is asked.
        models: Who asks.
        ledger: What was written down.
    """

    server: ModelServer
    models: Models
    ledger: MemoryLedger

    async def model(self, *names: str) -> LanguageModel:
        """Returns a model by its names, or providers of the test model."""
        full = [name if ":" in name else f"{name}:test-model" for name in names]
        return await self.models.get(full, owner="owner", collection="handbook", purpose="answer")


@asynccontextmanager
async def model_room(server: ModelServer, config: ModelsConfig | None = None) -> AsyncIterator[ModelRoom]:
    """Runs ``server``, and gives models of all its providers.

    Args:
        server: Not started yet.
        config: How models are asked; the environment of the server is put into it.
    """
    async with server:
        environment = {**server.environment(), **(config.environment if config else {})}
        config = replace(config or ModelsConfig(), environment=environment)
        ledger = MemoryLedger()
        models = Models(config, MemoryKeys(environment), ledger)
        try:
            yield ModelRoom(server, models, ledger)
        finally:
            await asyncio.shield(models.close())
