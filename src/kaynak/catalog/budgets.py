# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import Budget, BudgetKind, BudgetPeriod

_LOCK_SPACE = 0x6B62
"""First half of the advisory locks under which a budget is compared with what was spent."""

_SPENT = """
    (SELECT coalesce(sum(c.cost), 0) FROM kaynak.model_calls c
     WHERE c.created_at >= CASE b.period
            WHEN 'day' THEN date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
            WHEN 'month' THEN date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'
            ELSE '-infinity' END
        AND (b.kind <> 'collection' OR c.collection = b.subject)
        AND (b.kind <> 'owner' OR c.owner = b.subject))
"""
_SELECT = f'SELECT b.kind, b.subject, b.period, b."limit", b.updated_at, {_SPENT} AS spent FROM kaynak.budgets b'
_OF_CALL = """
    (b.kind = 'installation' OR (b.kind = 'collection' AND b.subject = :collection)
        OR (b.kind = 'owner' AND b.subject = :owner))
"""


@dataclass(frozen=True, slots=True)
class BudgetName:
    """What names a budget: at most one of each."""

    kind: BudgetKind
    subject: str
    period: BudgetPeriod


class Budgets:
    """Limits on what models may cost."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def names(self) -> list[BudgetName]:
        """Returns the names of all budgets: few, and quickly read."""
        found = await self._connection.execute(text("SELECT kind, subject, period FROM kaynak.budgets"))
        return [BudgetName(BudgetKind(row.kind), row.subject, BudgetPeriod(row.period)) for row in found]

    async def list(self) -> list[Budget]:
        """Returns all budgets with what is spent of them."""
        found = await self._connection.execute(text(f"{_SELECT} ORDER BY b.kind, b.subject, b.period"))
        return [_budget(row) for row in found.mappings()]

    async def put(self, name: BudgetName, limit: Decimal) -> Budget:
        """Sets a budget, and returns it."""
        key = _parameters(name)
        await self._connection.execute(
            text(
                'INSERT INTO kaynak.budgets (kind, subject, period, "limit") VALUES (:kind, :subject, :period, :limit) '
                'ON CONFLICT (kind, subject, period) DO UPDATE SET "limit" = EXCLUDED."limit", updated_at = now()'
            ),
            {**key, "limit": limit},
        )
        where = " WHERE b.kind = :kind AND b.subject = :subject AND b.period = :period"
        found = await self._connection.execute(text(_SELECT + where), key)
        return _budget(found.mappings().one())

    async def delete(self, name: BudgetName) -> bool:
        """Removes a budget; returns whether there was one."""
        done = await self._connection.execute(
            text(
                "DELETE FROM kaynak.budgets WHERE kind = :kind AND subject = :subject AND period = :period "
                "RETURNING kind"
            ),
            _parameters(name),
        )
        return done.one_or_none() is not None

    async def of_call(self, owner: str, collection: str | None, names: Sequence[BudgetName]) -> Sequence[Budget]:
        """Returns the budgets that a call counts against, locked until the transaction ends.

        Whoever compares a budget with what is spent, and spends, does both under this lock: so two who come at
        once cannot both take the last of it.

        Args:
            owner: Who asks.
            collection: On whose behalf.
            names: Those of the budgets that concern them.
        """
        # In one order, or two callers would wait for each other.
        for key in sorted({_lock_key(name) for name in names}):
            await self._connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_SPACE}, {key})")
        found = await self._connection.execute(
            text(f"{_SELECT} WHERE {_OF_CALL}"), {"owner": owner, "collection": collection}
        )
        return [_budget(row) for row in found.mappings()]


def _lock_key(name: BudgetName) -> int:
    """Returns a number of 31 bits; two subjects that share one only wait for each other needlessly."""
    return zlib.crc32(f"{name.kind.value}\0{name.subject}".encode()) & 0x7FFFFFFF


def _parameters(name: BudgetName) -> dict[str, str]:
    return {"kind": name.kind.value, "subject": name.subject, "period": name.period.value}


def _budget(row: Mapping[Any, Any]) -> Budget:
    return Budget(
        BudgetKind(row["kind"]),
        row["subject"],
        BudgetPeriod(row["period"]),
        float(row["limit"]),
        float(row["spent"]),
        row["updated_at"],
    )
