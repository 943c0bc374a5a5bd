from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal

from kaynak.catalog import BudgetName, Catalog
from kaynak.domain import (
    Action,
    Budget,
    BudgetKind,
    BudgetPeriod,
    InvalidRequest,
    NotFound,
    Permission,
    Scope,
    UsageBy,
    UsageReport,
)
from kaynak.generation.models.ledger import Ledger

_LONGEST_SUBJECT = 256
_MOST_DOLLARS = 1e9
_DEFAULT_DAYS = 30


class Spending:
    """What models cost, and how much they may.

    Args:
        catalog: Where it is kept.
        ledger: Who writes it down in this process.
    """

    def __init__(self, catalog: Catalog, ledger: Ledger) -> None:
        self._catalog = catalog
        self._ledger = ledger

    async def report(
        self,
        scope: Scope,
        *,
        by: Sequence[UsageBy] = (UsageBy.DAY, UsageBy.MODEL),
        since: datetime.date | None = None,
        until: datetime.date | None = None,
    ) -> UsageReport:
        """Returns what was used: by all, or by the caller alone where he may not see all.

        Args:
            scope: Who asks.
            by: What the lines are broken down by.
            since: First day, of UTC; 30 days before ``until``.
            until: Last day; today.

        Raises:
            InvalidRequest: The days are in the wrong order.
        """
        last = until or datetime.datetime.now(datetime.UTC).date()
        first = since or last - datetime.timedelta(days=min(_DEFAULT_DAYS, last.toordinal() - 1))
        if first > last:
            raise InvalidRequest(f"since ({first}) is after until ({last}).", hint="Turn them round.")
        await self._ledger.flush()
        parts = tuple(dict.fromkeys(by))
        async with self._catalog.read() as unit:
            *lines, total = await unit.model_calls.report(scope, parts, first, last)
        return UsageReport(first, last, tuple(lines), total)

    async def budgets(self, scope: Scope) -> list[Budget]:
        """Returns all budgets with what is spent of them.

        Raises:
            Forbidden: The caller may not see what others spend.
        """
        scope.require(Permission.SETTINGS)
        await self._ledger.flush()
        async with self._catalog.read() as unit:
            return await unit.budgets.list()

    async def set_budget(
        self, scope: Scope, kind: BudgetKind, subject: str, period: BudgetPeriod, limit: float
    ) -> Budget:
        """Sets a limit, in US dollars; 0 stops everything that costs something.

        Raises:
            Forbidden: The caller may not set budgets.
            InvalidRequest: The subject or the limit cannot be.
        """
        scope.require(Permission.SETTINGS)
        if not 0 <= limit <= _MOST_DOLLARS:
            raise InvalidRequest("limit: from 0 to a billion dollars.")
        name = _name(kind, subject, period)
        async with self._catalog.begin() as unit:
            budget = await unit.budgets.put(name, Decimal(str(limit)))
            unit.audit.record(scope, Action.BUDGET_SET, f"budget:{kind}/{period}", subject=subject, limit=limit)
        self._ledger.budgets_changed()
        return budget

    async def delete_budget(self, scope: Scope, kind: BudgetKind, subject: str, period: BudgetPeriod) -> None:
        """Removes a limit.

        Raises:
            Forbidden: The caller may not set budgets.
            NotFound: There is none.
        """
        scope.require(Permission.SETTINGS)
        async with self._catalog.begin() as unit:
            removed = await unit.budgets.delete(_name(kind, subject, period))
            if removed:
                unit.audit.record(scope, Action.BUDGET_REMOVED, f"budget:{kind}/{period}", subject=subject)
        self._ledger.budgets_changed()
        if not removed:
            raise NotFound("There is no such budget.", hint="See them: kaynak budgets list")


def _name(kind: BudgetKind, subject: str, period: BudgetPeriod) -> BudgetName:
    if kind is BudgetKind.INSTALLATION:
        if subject:
            raise InvalidRequest("A budget of the installation has no subject.", hint="Leave the subject out.")
    elif not subject or len(subject) > _LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidRequest(
            f"A budget of a{'n' if kind is BudgetKind.OWNER else ''} {kind.value} needs a subject.",
            hint="Name the collection, or who asks.",
        )
    return BudgetName(kind, subject, period)
