from __future__ import annotations

from datetime import date, datetime

from pydantic import ConfigDict, Field

from kaynak.api.schemas.base import Body, View
from kaynak.domain import BudgetKind, BudgetPeriod


class UsageLineView(View):
    """All calls of models that agree in what the report is broken down by; the other fields are null."""

    day: date | None = Field(description="Of UTC.")
    model: str | None = Field(description="As `provider:model`.")
    collection: str | None = Field(description="Name of the collection; empty for calls on behalf of none.")
    owner: str | None = Field(description="Who asked.")
    purpose: str | None = Field(description="What for: `answer`, `rewrite`, `verify`…")
    calls: int = Field(description="How many.")
    failed: int = Field(description="How many of them failed.")
    stopped: int = Field(description="How many were stopped, or broke off with the process that made them.")
    input_tokens: int = Field(description="Of the prompts.")
    output_tokens: int = Field(description="Of the answers.")
    cached_tokens: int = Field(description="Part of `input_tokens` that the provider had cached.")
    estimated: int = Field(description="Calls whose tokens are our estimate: the provider did not say.")
    unpriced: int = Field(description="Calls whose price is not known; they are not part of `cost`.")
    cost: float = Field(description="US dollars.")


class UsageView(View):
    """What models were used for, and what it cost."""

    since: date = Field(description="First day, of UTC.")
    until: date = Field(description="Last day.")
    lines: list[UsageLineView] = Field(description="Newest day first, then by cost.")
    total: UsageLineView = Field(description="All of it.")


class BudgetBody(Body):
    """A limit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"limit": 25.0}]})

    limit: float = Field(ge=0, le=1e9, description="US dollars; 0 stops everything that costs something.")


class BudgetView(View):
    """A limit on what language models may cost."""

    kind: BudgetKind = Field(description="Whose spending.")
    subject: str = Field(description="Name of the collection, or who asks; empty for the installation.")
    period: BudgetPeriod = Field(description="Over which time; days and months are those of UTC.")
    limit: float = Field(description="US dollars.")
    spent: float = Field(description="US dollars in this period; calls that run count with what they may cost.")
    updated_at: datetime = Field(description="UTC, when the limit was set.")
