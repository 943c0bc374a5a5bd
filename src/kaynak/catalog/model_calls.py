# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.domain import CallOutcome, Permission, Scope, UsageBy, UsageLine

_WRITE = text("""
    INSERT INTO kaynak.model_calls (id, owner, collection, provider, model, purpose, outcome, error,
        input_tokens, output_tokens, cached_tokens, estimated, cost, milliseconds)
    VALUES (:id, :owner, :collection, :provider, :model, :purpose, :outcome, :error,
        :input_tokens, :output_tokens, :cached_tokens, :estimated, :cost, :milliseconds)
    ON CONFLICT (id) DO UPDATE SET outcome = EXCLUDED.outcome, error = EXCLUDED.error,
        input_tokens = EXCLUDED.input_tokens, output_tokens = EXCLUDED.output_tokens,
        cached_tokens = EXCLUDED.cached_tokens, estimated = EXCLUDED.estimated,
        cost = EXCLUDED.cost, milliseconds = EXCLUDED.milliseconds
""")
_COLUMNS = {
    UsageBy.DAY: "(created_at AT TIME ZONE 'UTC')::date",
    UsageBy.MODEL: "provider || ':' || model",
    UsageBy.COLLECTION: "coalesce(collection, '')",
    UsageBy.OWNER: "owner",
    UsageBy.PURPOSE: "purpose",
}
_SUMS = """
    count(*) AS calls,
    count(*) FILTER (WHERE outcome = 'failed') AS failed,
    count(*) FILTER (WHERE outcome IN ('stopped', 'running')) AS stopped,
    coalesce(sum(input_tokens), 0) AS input_tokens,
    coalesce(sum(output_tokens), 0) AS output_tokens,
    coalesce(sum(cached_tokens), 0) AS cached_tokens,
    count(*) FILTER (WHERE estimated) AS estimated,
    count(*) FILTER (WHERE cost IS NULL) AS unpriced,
    coalesce(sum(cost), 0) AS cost
"""
_MOST_LINES = 10_000


@dataclass(frozen=True, slots=True)
class ModelCallRow:
    """One call of a model, as it is written down.

    Attributes:
        id: Identity.
        owner: Who asked.
        collection: On whose behalf, by name; None for none.
        provider: Of the model.
        model: By the provider's name for it.
        purpose: What for.
        outcome: How it ended.
        error: Type of the error it failed with.
        input_tokens: Of the prompt; None if nothing was sent, or accepted.
        output_tokens: Of the answer.
        cached_tokens: Part of ``input_tokens``.
        estimated: Whether the counts are an estimate of ours.
        cost: US dollars; of a running call what it may cost; None where the price is not known.
        milliseconds: From asking to the end.
    """

    id: UUID
    owner: str
    collection: str | None
    provider: str
    model: str
    purpose: str
    outcome: CallOutcome
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = False
    cost: Decimal | None = None
    milliseconds: int = 0


class ModelCalls:
    """The calls of language models."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def write(self, calls: Iterable[ModelCallRow]) -> None:
        """Writes calls down, or what became of those that are written down already."""
        rows = [
            {name: getattr(call, name) for name in call.__slots__} | {"outcome": call.outcome.value} for call in calls
        ]
        if rows:
            await self._connection.execute(_WRITE, rows)

    async def report(self, scope: Scope, by: Sequence[UsageBy], since: date, until: date) -> list[UsageLine]:
        """Returns what was used from the day ``since`` to ``until``, of all or of the caller alone.

        The last line is the total.
        """
        columns = [f"{_COLUMNS[part]} AS {part.value}" for part in by]
        numbers = ", ".join(str(number + 1) for number in range(len(columns)))
        grouping = f"GROUP BY GROUPING SETS (({numbers}), ()) " if columns else ""
        last = f"grouping({', '.join(_COLUMNS[part] for part in by)}) <> 0, " if columns else ""
        order = "day DESC, cost DESC" if UsageBy.DAY in by else "cost DESC"
        found = await self._connection.execute(
            text(
                f"SELECT {', '.join([*columns, _SUMS])} FROM kaynak.model_calls "
                "WHERE created_at >= CAST(:since AS date) AT TIME ZONE 'UTC' "
                "AND created_at < (CAST(:until AS date) + 1) AT TIME ZONE 'UTC' "
                "AND (CAST(:owner AS text) IS NULL OR owner = :owner) "
                f"{grouping}ORDER BY {last}{order}, calls DESC LIMIT {_MOST_LINES}"
            ),
            {"since": since, "until": until, "owner": None if scope.may(Permission.SETTINGS) else scope.subject},
        )
        return [_line(row, by) for row in found.mappings()]


def _line(row: Mapping[Any, Any], by: Sequence[UsageBy]) -> UsageLine:
    groups: dict[str, Any] = {part.value: row[part.value] if part in by else None for part in UsageBy}
    sums: dict[str, Any] = {
        name: int(row[name])
        for name in (
            "calls",
            "failed",
            "stopped",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "estimated",
            "unpriced",
        )
    }
    return UsageLine(**groups, **sums, cost=float(row["cost"]))
