"""What language models cost, and how much they may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class CallOutcome(StrEnum):
    """How a call of a model ended."""

    RUNNING = "running"
    """It has not; or the process that made it is gone."""
    COMPLETE = "complete"
    STOPPED = "stopped"
    """The caller did not want the rest."""
    FAILED = "failed"


class BudgetKind(StrEnum):
    """Whose spending is limited."""

    INSTALLATION = "installation"
    COLLECTION = "collection"
    OWNER = "owner"


class BudgetPeriod(StrEnum):
    """Over which time; days and months are those of UTC."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on what language models may cost.

    Attributes:
        kind: Whose spending.
        subject: Name of the collection, or who asks; empty for the installation.
        period: Over which time.
        limit: US dollars.
        spent: US dollars, in the current period; calls that run count with what they may cost.
        updated_at: When the limit was set.
    """

    kind: BudgetKind
    subject: str
    period: BudgetPeriod
    limit: float
    spent: float
    updated_at: datetime


class UsageBy(StrEnum):
    """What a report of usage is broken down by."""

    DAY = "day"
    MODEL = "model"
    COLLECTION = "collection"
    OWNER = "owner"
    PURPOSE = "purpose"


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One line of a report: all calls that agree in what the report is broken down by. The rest is None.

    Attributes:
        day: Of UTC.
        model: ``provider:model``.
        collection: By name; empty for calls on behalf of none.
        owner: Who asked.
        purpose: What for.
        calls: How many.
        failed: How many of them failed.
        stopped: How many were stopped by the caller, or broken off with the process that made them.
        input_tokens: Of the prompts.
        output_tokens: Of the answers.
        cached_tokens: Part of ``input_tokens``.
        estimated: Calls whose tokens are an estimate of ours, because the provider did not say.
        unpriced: Calls whose price is not known; they are not part of ``cost``.
        cost: US dollars.
    """

    day: date | None
    model: str | None
    collection: str | None
    owner: str | None
    purpose: str | None
    calls: int
    failed: int
    stopped: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    estimated: int
    unpriced: int
    cost: float


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What models were used for, and what it cost.

    Attributes:
        since: First day, of UTC.
        until: Last day.
        lines: Broken down as asked, newest day first, then by cost.
        total: All of it.
    """

    since: date
    until: date
    lines: tuple[UsageLine, ...]
    total: UsageLine
