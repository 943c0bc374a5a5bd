"""`kaynak models`, `kaynak usage` and `kaynak budgets` over services that remember what they were asked."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from kaynak.cli import exits
from kaynak.domain import (
    Budget,
    BudgetKind,
    BudgetPeriod,
    InvalidRequest,
    NotFound,
    Scope,
    UsageBy,
    UsageLine,
    UsageReport,
)
from kaynak.generation.models import BreakerState, KeySource, ListedModel, Price, ProviderStatus

DAY = datetime.date(2026, 11, 21)
NOON = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)


def status(name: str, **changes: Any) -> ProviderStatus:
    fields: dict[str, Any] = {
        "name": name,
        "title": name.title(),
        "wire": "openai",
        "url": "https://models.example.org/v1",
        "key": KeySource.NONE,
        "configured": False,
        "todo": f"Set {name.upper()}_API_KEY.",
        "circuit": BreakerState.CLOSED,
        "answers": None,
        "milliseconds": None,
        "problem": None,
        "models": (),
        "page": "docs/providers/openai.md",
    }
    return ProviderStatus(**{**fields, **changes})


class Models:
    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.away = False

    async def statuses(self, scope: Any, *, only: str | None = None, check: bool = False) -> list[ProviderStatus]:
        ready = status("openai", configured=True, todo=None, key=KeySource.STORED)
        if check:
            models = (ListedModel("openai:big", 400_000, Price(1.25, 10, 0.125)), ListedModel("openai:new", None, None))
            ready = status(
                "openai", configured=True, todo=None, answers=not self.away, milliseconds=12.0, models=models
            )
        found = [ready, status("mistral")]
        if only is not None and only not in {"openai", "mistral"}:
            raise InvalidRequest(f"There is no provider of models “{only}”.")
        return [one for one in found if only in {None, one.name}]

    async def store_key(self, scope: Scope, provider: str, key: str) -> ProviderStatus:
        self.stored[provider] = key
        return (await self.statuses(scope, only=provider))[0]

    async def remove_key(self, scope: Scope, provider: str) -> None:
        if self.stored.pop(provider, None) is None:
            raise NotFound("No key is stored.")


class Spending:
    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], Budget] = {}
        self.asked: dict[str, Any] = {}

    async def report(self, scope: Any, **asked: Any) -> UsageReport:
        self.asked = asked
        line = UsageLine(DAY, "openai:big", None, None, None, 3, 1, 1, 1000, 200, 10, 1, 0, 0.0123)
        total = UsageLine(None, None, None, None, None, 3, 1, 1, 1000, 200, 10, 1, 2, 0.0123)
        return UsageReport(DAY, DAY, (line,), total)

    async def budgets(self, scope: Any) -> list[Budget]:
        return list(self.kept.values())

    async def set_budget(
        self, scope: Scope, kind: BudgetKind, subject: str, period: BudgetPeriod, limit: float
    ) -> Budget:
        budget = Budget(kind, subject, period, limit, 0.5, NOON)
        self.kept[(kind, subject, period)] = budget
        return budget

    async def delete_budget(self, scope: Scope, kind: BudgetKind, subject: str, period: BudgetPeriod) -> None:
        if self.kept.pop((kind, subject, period), None) is None:
            raise NotFound("There is no such budget.")


@pytest.fixture
def services(services: Any) -> Any:
    services.models = Models()
    services.spending = Spending()
    return services


def test_the_list_says_what_is_ready_and_what_to_do(kaynak):
    result = kaynak("models")
    assert result.exit_code == 0
    assert "openai\tyes" in result.stdout
    assert "Set MISTRAL_API_KEY." in result.stdout
    assert "--check" in result.stderr
    items = kaynak("models", "--json").document["items"]
    assert [(item["name"], item["configured"], item["answers"]) for item in items] == [
        ("openai", True, None),
        ("mistral", False, None),
    ]


def test_a_check_shows_who_answers_and_what_it_costs(kaynak):
    result = kaynak("models", "--check")
    assert "yes (12 ms)" in result.stdout
    assert "1.25 / 10" in result.stdout
    shown = kaynak("models", "show", "openai")
    assert "openai:big\t400000\t1.25\t10\t0.125" in shown.stdout
    assert "openai:new\t–\t?\t?\t?" in shown.stdout
    assert kaynak("models", "show", "openai", "--json").document["models"][0]["price"]["output"] == 10


def test_a_provider_that_does_not_answer_is_an_exit_code(kaynak, services):
    assert kaynak("models", "show", "mistral").exit_code == exits.UNAVAILABLE
    services.models.away = True
    assert kaynak("models", "show", "openai", "--json").exit_code == exits.UNAVAILABLE
    assert kaynak("models", "show", "nobody").exit_code == exits.USAGE


def test_keys_come_from_standard_input_and_are_not_printed(kaynak, services):
    result = kaynak("models", "set-key", "openai", stdin=b"sk-secret\n")
    assert services.models.stored == {"openai": "sk-secret"}
    assert "sk-secret" not in result.output
    assert "sk-secret" not in kaynak("models", "set-key", "openai", "--json", stdin=b"sk-secret\n").output
    assert kaynak("models", "remove-key", "openai").exit_code == 0
    assert kaynak("models", "remove-key", "openai").exit_code == exits.NOT_FOUND
    services.models.stored["openai"] = "x"
    assert kaynak("models", "remove-key", "openai", "--json").document == {"removed": "openai"}


def test_usage_is_a_table_with_a_total(kaynak, services):
    result = kaynak("usage")
    assert services.spending.asked == {"by": (UsageBy.DAY, UsageBy.MODEL), "since": None, "until": None}
    first, last = result.stdout.splitlines()
    assert first.startswith("2026-11-21\topenai:big\t3\t1\t1\t1000\t200\t10\t0.0123")
    assert last.startswith("total\t\t3")
    assert "2 calls is not known" in result.stderr
    assert "1 calls are estimated" in result.stderr
    kaynak("usage", "--by", "collection", "--since", "2026-11-01", "--until", "2026-11-21")
    assert services.spending.asked["by"] == (UsageBy.COLLECTION,)
    assert services.spending.asked["since"] == datetime.date(2026, 11, 1)
    assert kaynak("usage", "--json").document["total"]["cost"] == 0.0123
    assert kaynak("usage", "--since", "yesterday").exit_code == exits.USAGE


def test_budgets_are_set_listed_and_removed(kaynak, services):
    assert "Set one" in kaynak("budgets", "list").stderr
    assert "At most $25.00 per month" in kaynak("budgets", "set", 25).stdout
    document = kaynak("budgets", "set", 5, "--per", "day", "-c", "handbook", "--json").document
    assert (document["kind"], document["subject"], document["limit"]) == ("collection", "handbook", 5)
    kaynak("budgets", "set", 1, "--owner", "ayşe", "--per", "total")
    assert len(services.spending.kept) == 3
    assert "collection\thandbook\tday\t5.00\t0.5000" in kaynak("budgets", "list").stdout
    assert len(kaynak("budgets", "list", "--json").document["items"]) == 3
    assert kaynak("budgets", "rm").exit_code == 0
    assert kaynak("budgets", "rm").exit_code == exits.NOT_FOUND
    assert kaynak("budgets", "rm", "--owner", "ayşe", "--per", "total", "--json").document["removed"]["kind"] == "owner"
    assert kaynak("budgets", "set", 1, "--owner", "a", "-c", "b").exit_code == exits.USAGE
    assert kaynak("budgets", "set", "--", -1).exit_code == exits.USAGE
