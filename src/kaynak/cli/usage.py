from __future__ import annotations

import datetime
from typing import Annotated, Any

import typer

from kaynak.cli import output
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.domain import OWNER, Budget, BudgetKind, BudgetPeriod, InvalidRequest, UsageBy, UsageLine, UsageReport

budgets = typer.Typer(help="Limit what language models may cost.")

Period = Annotated[BudgetPeriod, typer.Option("--per", help="Over which time; days and months are those of UTC.")]
Collection = Annotated[str | None, typer.Option("--collection", "-c", help="Spending on behalf of a collection.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Spending of one who asks.")]


def usage(
    by: Annotated[
        list[UsageBy] | None, typer.Option("--by", help="Break down by; repeat for several. Default: day and model.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="YYYY-MM-DD", help="First day, of UTC; default: 30 days back.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="Last day, of UTC; default: today.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report what language models were used for, and what it cost."""
    chosen = tuple(by or (UsageBy.DAY, UsageBy.MODEL))
    first, last = _day("--since", since), _day("--until", until)

    async def work(kaynak: Any) -> UsageReport:
        found: UsageReport = await kaynak.spending.report(OWNER, by=chosen, since=first, until=last)
        return found

    report = with_services(work)
    if as_json:
        output.document(report)
        return
    names = [part.value for part in chosen]
    output.table(
        (*names, "calls", "failed", "stopped", "in", "out", "cached", "dollars"),
        [(*(_group(line, name) for name in names), *_figures(line)) for line in report.lines]
        + [(*("total" if place == 0 else "" for place in range(len(names))), *_figures(report.total))],
    )
    if report.total.unpriced:
        output.note(f"The price of {report.total.unpriced} calls is not known; they are not in the dollars.")
    if report.total.estimated:
        output.note(f"The tokens of {report.total.estimated} calls are estimated: the provider did not say.")


@budgets.command("list")
@command
def list_budgets(as_json: AsJson = False) -> None:
    """List all budgets, with what is spent of them."""

    async def work(kaynak: Any) -> list[Budget]:
        found: list[Budget] = await kaynak.spending.budgets(OWNER)
        return found

    found = with_services(work)
    if as_json:
        output.document({"items": found})
        return
    if not found:
        output.note("No budgets. Set one: kaynak budgets set 25 --per month")
    output.table(
        ("budget", "of", "per", "limit", "spent"),
        [
            (
                budget.kind.value,
                budget.subject or "–",
                budget.period.value,
                f"{budget.limit:.2f}",
                f"{budget.spent:.4f}",
            )
            for budget in found
        ],
    )


lists_by_default(budgets, list_budgets)


@budgets.command("set")
@command
def set_budget(
    limit: Annotated[float, typer.Argument(help="US dollars; 0 stops everything that costs something.", min=0)],
    per: Period = BudgetPeriod.MONTH,
    collection: Collection = None,
    owner: Owner = None,
    as_json: AsJson = False,
) -> None:
    """Set a limit: of the whole installation, of a collection, or of one who asks."""
    kind, subject = _whose(collection, owner)

    async def work(kaynak: Any) -> Budget:
        budget: Budget = await kaynak.spending.set_budget(OWNER, kind, subject, per, limit)
        return budget

    budget = with_services(work)
    if as_json:
        output.document(budget)
    else:
        output.line(f"At most ${budget.limit:.2f} per {per.value}; ${budget.spent:.4f} are spent.")


@budgets.command("rm")
@command
def remove_budget(
    per: Period = BudgetPeriod.MONTH, collection: Collection = None, owner: Owner = None, as_json: AsJson = False
) -> None:
    """Remove a limit."""
    kind, subject = _whose(collection, owner)

    async def work(kaynak: Any) -> None:
        await kaynak.spending.delete_budget(OWNER, kind, subject, per)

    with_services(work)
    if as_json:
        output.document({"removed": {"kind": kind, "subject": subject, "period": per}})
    else:
        output.line("The budget is removed.")


def _whose(collection: str | None, owner: str | None) -> tuple[BudgetKind, str]:
    if collection is not None and owner is not None:
        raise InvalidRequest("A budget is of a collection or of an owner, not of both.", hint="Set two budgets.")
    if collection is not None:
        return BudgetKind.COLLECTION, collection
    return (BudgetKind.OWNER, owner) if owner is not None else (BudgetKind.INSTALLATION, "")


def _day(option: str, text: str | None) -> datetime.date | None:
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError as exc:
        raise InvalidRequest(f"{option}: “{text}” is no day.", hint="Days look like 2026-11-21.") from exc


def _group(line: UsageLine, name: str) -> object:
    value = getattr(line, name)
    return "–" if value == "" else value


def _figures(line: UsageLine) -> tuple[object, ...]:
    return (
        line.calls,
        line.failed,
        line.stopped,
        line.input_tokens,
        line.output_tokens,
        line.cached_tokens,
        f"{line.cost:.4f}",
    )
