"""What calls of models cost, written down; and budgets, which are asked before a call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import structlog

from kaynak.catalog import BudgetName, Catalog, ModelCallRow
from kaynak.domain import Budget, BudgetExceeded, BudgetKind, CallOutcome, InvalidRequest, KaynakError, new_id
from kaynak.generation.models.providers import ModelName

_log = structlog.get_logger(__name__)

_FRESH_SECONDS = 2.0
"""How long it is remembered which budgets there are: another process may set one."""
_BATCH = 500
_MOST_WAITING = 20_000
_AGAIN_SECONDS = 1.0
_SETTLING_SECONDS = 1.0
_CLOSING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Purchase:
    """Who asks which model, and what for. See `ModelCallRow` for the fields."""

    owner: str
    collection: str | None
    name: ModelName
    purpose: str


class Ledger:
    """Writes calls down in batches, beside the answers: nobody waits for it, except where a budget is set.

    Args:
        catalog: Where it is kept.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._waiting: dict[object, ModelCallRow] = {}
        self._writer: asyncio.Task[None] | None = None
        self._budgets: list[BudgetName] = []
        self._until = 0.0

    async def open(self, purchase: Purchase, reserve: Decimal | None) -> tuple[ModelCallRow, bool]:
        """Writes down that a call begins, and returns it, with whether a budget counts it.

        Args:
            purchase: What is bought.
            reserve: What it may cost, in US dollars; None where the price is not known.

        Raises:
            BudgetExceeded: A limit is reached, or would be with this call.
            CatalogUnavailable: A budget is set and cannot be asked.
        """
        call = ModelCallRow(
            new_id(),
            purchase.owner,
            purchase.collection,
            purchase.name.provider,
            purchase.name.model,
            purchase.purpose,
            CallOutcome.RUNNING,
            cost=reserve,
        )
        names = [name for name in await self._names() if _concerns(name, purchase)]
        if not names:
            self._push(call)
            return call, False
        # What calls of this process cost in the end is to count, and not what they might have cost.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLING_SECONDS):
                await self.flush()
        async with self._catalog.begin() as unit:
            for budget in await unit.budgets.of_call(purchase.owner, purchase.collection, names):
                if reserve != 0:
                    _check(budget, float(reserve or 0))
            await unit.model_calls.write([call])
        return call, True

    def settle(self, call: ModelCallRow) -> None:
        """Writes down what became of a call."""
        self._push(call)

    async def flush(self) -> None:
        """Returns once everything is written that was known before."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def close(self) -> None:
        """Writes what is left, as long as the database answers in time."""
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self.flush()
        except TimeoutError:
            _log.error("model_calls_lost", calls=len(self._waiting))
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer

    def budgets_changed(self) -> None:
        """Forgets which budgets there are."""
        self._until = 0.0

    async def _names(self) -> list[BudgetName]:
        if time.monotonic() >= self._until:
            async with self._catalog.read() as unit:
                self._budgets = await unit.budgets.names()
            self._until = time.monotonic() + _FRESH_SECONDS
        return self._budgets

    def _push(self, call: ModelCallRow) -> None:
        # The end of a call takes the place of its beginning, if that was not written yet.
        self._waiting[call.id] = call
        if len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
            _log.error("model_calls_lost", calls=1)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:_BATCH]}
            try:
                await self._store(list(batch.values()))
            except KaynakError as exc:
                self._waiting = batch | self._waiting
                _log.warning("model_calls_not_written", error=exc.type, calls=len(self._waiting))
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _store(self, calls: Sequence[ModelCallRow]) -> None:
        """Writes calls down, except those that cannot be: they keep no other from it.

        Raises:
            KaynakError: The database cannot write now; some may be written, and do no harm twice.
        """
        try:
            async with self._catalog.begin() as unit:
                await unit.model_calls.write(calls)
        except Exception as exc:
            if isinstance(exc, KaynakError) and not isinstance(exc, InvalidRequest):
                raise
            if len(calls) == 1:
                _log.error("model_call_lost", call=str(calls[0].id), error=type(exc).__name__)
                return
            half = len(calls) // 2
            await self._store(calls[:half])
            await self._store(calls[half:])


def _concerns(name: BudgetName, purchase: Purchase) -> bool:
    return name.subject == {
        BudgetKind.INSTALLATION: "",
        BudgetKind.COLLECTION: purchase.collection,
        BudgetKind.OWNER: purchase.owner,
    }.get(name.kind)


def _check(budget: Budget, reserve: float) -> None:
    left = budget.limit - budget.spent
    if left > 0 and reserve <= left:
        return
    whose = "the installation" if budget.kind is BudgetKind.INSTALLATION else f"{budget.kind.value} {budget.subject}"
    spent = f"${budget.spent:.4f} of ${budget.limit:.4f} are spent"
    raise BudgetExceeded(
        f"The budget of {whose} ({budget.period.value}) is used up: {spent}"
        + (f", and this call may cost ${reserve:.4f}." if left > 0 else "."),
        hint="Raise the limit (kaynak budgets set), wait for the next period, or ask a model that costs nothing.",
    )
