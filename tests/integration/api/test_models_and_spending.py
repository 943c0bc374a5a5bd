"""Providers, keys, usage and budgets over HTTP: the real application, the local server of models, PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime
import stat
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.domain import (
    BudgetExceeded,
    CatalogUnavailable,
    Message,
    ModelFinished,
    ModelRefused,
    ModelSettings,
    ModelWarning,
    Role,
    TextDelta,
)
from kaynak.logs import configure_logs
from kaynak.settings import ModelsSettings, PriceSettings, ProviderSettings, Settings
from kaynak.testing.models import KEY, Fault, ModelServer

PRICE = PriceSettings(input=1_000_000, output=2_000_000)
"""A dollar for a token of the prompt, two for one of the answer: sums are seen at once."""
QUESTION = [Message(Role.USER, "one two three")]


@dataclass
class Place:
    server: ModelServer
    kaynak: Kaynak
    client: httpx.AsyncClient
    folder: Path

    async def ask(self, model: str = "priced:test-model", **who: Any) -> list[Any]:
        asked = {"owner": "owner", "collection": "handbook", "purpose": "answer", **who}
        found = await self.kaynak.models.get([model], **asked)
        return [event async for event in found.stream(QUESTION, ModelSettings(max_tokens=4))]


@asynccontextmanager
async def place(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Place]:
    configure_logs("ERROR", "json")
    async with ModelServer(reply="a b c d") as server:
        providers = {
            "priced": ProviderSettings(url=server.url("openai"), key_env=("PRICED_KEY",), price=PRICE),
            "unpriced": ProviderSettings(url=server.url("openai"), key_env=("PRICED_KEY",)),
            "openrouter": ProviderSettings(url=server.url("openrouter")),
        }
        chosen = Settings(
            data_dir=folder,
            database_url=database_url,
            models=ModelsSettings(providers=providers, retries=0),
            _env_file=None,
            **settings,
        )
        async with Kaynak.open(chosen) as kaynak:
            transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
                yield Place(server, kaynak, client, folder)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PRICED_KEY", KEY)


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Any:
    def run_scenario(scenario: Any, **settings: Any) -> None:
        async def opened() -> None:
            async with place(database_url, tmp_path, **settings) as here:
                await scenario(here)

        asyncio.run(opened())

    return run_scenario


def test_a_key_is_stored_used_and_never_shown(run, tmp_path):
    async def scenario(here: Place) -> None:
        before = (await here.client.get("/v1/providers/openrouter")).json()
        assert (before["configured"], before["key"]) == (False, "none")
        assert "kaynak models set-key openrouter" in before["todo"]

        stored = await here.client.put("/v1/providers/openrouter/key", json={"key": KEY})
        assert (stored.json()["configured"], stored.json()["key"]) == (True, "stored")
        assert KEY not in stored.text
        everything = await here.client.get("/v1/providers", params={"check": True})
        assert KEY not in everything.text
        by_name = {item["name"]: item for item in everything.json()["items"]}
        assert by_name["openrouter"]["answers"] is True
        assert [model["name"] for model in by_name["openrouter"]["models"]] == ["openrouter:test-model"]
        assert by_name["openrouter"]["models"][0]["price"] == {"input": 1.0, "output": 2.0, "cached": None}
        assert by_name["priced"]["models"][0]["price"]["input"] == 1_000_000
        assert by_name["anthropic"]["answers"] is None
        assert by_name["azure"]["todo"] == "Set AZURE_OPENAI_ENDPOINT."

        events = await here.ask("openrouter:test-model")
        assert isinstance(events[-1], ModelFinished)
        assert here.server.requests[-1].headers["authorization"] == f"Bearer {KEY}"

        async with here.kaynak.catalog.read() as unit:
            sealed = (await unit.provider_keys.all())["openrouter"]
        assert KEY.encode() not in sealed
        assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600

        assert (await here.client.delete("/v1/providers/openrouter/key")).status_code == 204
        assert (await here.client.delete("/v1/providers/openrouter/key")).status_code == 404
        assert (await here.client.get("/v1/providers/openrouter")).json()["configured"] is False

    run(scenario)


def test_a_key_of_another_installation_is_said_to_be_unreadable(run):
    async def store(here: Place) -> None:
        await here.client.put("/v1/providers/openrouter/key", json={"key": KEY})

    async def look(here: Place) -> None:
        status = (await here.client.get("/v1/providers/openrouter")).json()
        assert (status["configured"], status["key"]) == (False, "unreadable")
        assert "set-key" in status["todo"]
        await here.client.put("/v1/providers/openrouter/key", json={"key": KEY})
        assert (await here.client.get("/v1/providers/openrouter")).json()["configured"] is True

    run(store, secret_key="a" * 32)
    run(look, secret_key="b" * 32)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/v1/providers/nobody/key", {"key": "x"}, 404),
        ("GET", "/v1/providers/nobody", None, 404),
        ("PUT", "/v1/providers/openai/key", {"key": ""}, 422),
        ("PUT", "/v1/providers/openai/key", {"key": "two words"}, 422),
        ("PUT", "/v1/providers/openai/key", {"key": "line\nbreak"}, 422),
        ("PUT", "/v1/providers/openai/key", {"key": "schlüssel"}, 422),
        ("PUT", "/v1/providers/openai/key", {"key": "x" * 5000}, 422),
        ("PUT", "/v1/budgets/planet/month", {"limit": 1}, 422),
        ("PUT", "/v1/budgets/collection/month", {"limit": 1}, 422),
        ("PUT", "/v1/budgets/installation/month?subject=me", {"limit": 1}, 422),
        ("PUT", "/v1/budgets/installation/month", {"limit": -1}, 422),
        ("PUT", "/v1/budgets/owner/day?subject=%00", {"limit": 1}, 422),
        ("DELETE", "/v1/budgets/installation/total", None, 404),
        ("GET", "/v1/usage?since=2026-02-02&until=2026-02-01", None, 422),
        ("GET", "/v1/usage?since=0001-01-01&until=9999-12-31", None, 200),
        ("GET", "/v1/usage?until=0001-01-01", None, 200),
        ("GET", "/v1/usage?by=shoe-size", None, 422),
    ],
)
def test_bad_input_is_refused_with_what_to_do(run, method, path, body, status):
    async def scenario(here: Place) -> None:
        answer = await here.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        assert "schlüssel" not in answer.text
        assert "two words" not in answer.text

    run(scenario)


def test_every_call_is_in_the_report(run):
    async def scenario(here: Place) -> None:
        for number in range(3):
            events = await here.ask(purpose="answer" if number else "rewrite", owner=f"person {number}")
            assert events[-1].cost == pytest.approx(3 * 1 + 4 * 2)
        await here.ask("unpriced:test-model", collection=None)
        report = (await here.client.get("/v1/usage", params={"by": ["model", "purpose"]})).json()
        lines = {(line["model"], line["purpose"]): line for line in report["lines"]}
        assert lines[("priced:test-model", "answer")]["calls"] == 2
        assert lines[("priced:test-model", "answer")]["cost"] == pytest.approx(22)
        assert lines[("priced:test-model", "rewrite")]["input_tokens"] == 3
        assert lines[("unpriced:test-model", "answer")]["unpriced"] == 1
        assert report["total"]["calls"] == 4
        assert report["total"]["cost"] == pytest.approx(33)
        today = datetime.datetime.now(datetime.UTC).date()
        by_day = (await here.client.get("/v1/usage", params={"since": str(today)})).json()
        assert {line["day"] for line in by_day["lines"]} <= {str(today)}
        whole = (await here.client.get("/v1/usage", params={"by": "collection"})).json()
        assert {line["collection"] for line in whole["lines"]} == {"handbook", ""}

    run(scenario)


def test_a_budget_stops_spending_before_the_call(run):
    async def scenario(here: Place) -> None:
        limit = {"limit": 40.0}
        made = await here.client.put("/v1/budgets/collection/day", params={"subject": "handbook"}, json=limit)
        assert made.status_code == 200
        assert made.json()["spent"] == 0
        await here.ask()
        await here.ask()
        with pytest.raises(BudgetExceeded, match="handbook") as exceeded:
            await here.ask()
        assert exceeded.value.hint
        assert len(here.server.chats) == 2, "it was asked all the same"
        (budget,) = (await here.client.get("/v1/budgets")).json()["items"]
        assert budget["spent"] == pytest.approx(22)
        await here.ask(collection="other")
        await here.client.put("/v1/budgets/collection/day", params={"subject": "handbook"}, json={"limit": 1000})
        await here.ask()
        assert (await here.client.delete("/v1/budgets/collection/day?subject=handbook")).status_code == 204

    run(scenario)


def test_budgets_of_owner_and_installation_count_too(run):
    async def scenario(here: Place) -> None:
        await here.client.put("/v1/budgets/owner/total", params={"subject": "ayşe"}, json={"limit": 0})
        with pytest.raises(BudgetExceeded, match="owner ayşe"):
            await here.ask(owner="ayşe")
        await here.ask(owner="bora")
        await here.client.put("/v1/budgets/installation/month", json={"limit": 1})
        with pytest.raises(BudgetExceeded, match="the installation"):
            await here.ask(owner="bora")

    run(scenario)


def test_a_budget_that_cannot_count_a_model_says_so(run):
    async def scenario(here: Place) -> None:
        await here.client.put("/v1/budgets/installation/month", json={"limit": 100})
        events = await here.ask("unpriced:test-model")
        warnings = [event for event in events if isinstance(event, ModelWarning)]
        assert len(warnings) == 1
        assert "price" in warnings[0].message

    run(scenario)


def test_many_at_once_cannot_spend_more_than_the_budget(run):
    async def scenario(here: Place) -> None:
        here.server.delay = 0.01
        await here.client.put("/v1/budgets/installation/day", json={"limit": 100.0})
        found = await asyncio.gather(*(here.ask() for _ in range(30)), return_exceptions=True)
        assert all(isinstance(one, list | BudgetExceeded) for one in found), found
        answered = [one for one in found if isinstance(one, list)]
        assert 1 <= len(answered) == len(here.server.chats)
        (budget,) = (await here.client.get("/v1/budgets")).json()["items"]
        assert budget["spent"] == pytest.approx(11 * len(answered))
        assert budget["spent"] <= 100

    run(scenario)


def test_calls_are_written_down_once_the_database_is_back(run, monkeypatch):
    async def scenario(here: Place) -> None:
        catalog = here.kaynak.catalog
        begin, refusals = catalog.begin, iter([True, True])

        def begin_later() -> Any:
            if next(refusals, False):
                raise CatalogUnavailable("away")
            return begin()

        monkeypatch.setattr("kaynak.generation.models.ledger._AGAIN_SECONDS", 0.01)
        monkeypatch.setattr(catalog, "begin", begin_later)
        await here.ask()
        report = (await here.client.get("/v1/usage")).json()
        assert report["total"]["calls"] == 1
        assert report["total"]["cost"] == pytest.approx(11)

    run(scenario)


def test_a_budget_that_cannot_be_asked_lets_nothing_through(run, monkeypatch):
    async def scenario(here: Place) -> None:
        await here.client.put("/v1/budgets/installation/day", json={"limit": 100})
        await here.ask()

        def away() -> Any:
            raise CatalogUnavailable("away")

        monkeypatch.setattr(here.kaynak.catalog, "begin", away)
        with pytest.raises(CatalogUnavailable):
            await here.ask()
        assert len(here.server.chats) == 1
        monkeypatch.undo()

    run(scenario)


def test_what_was_stopped_or_failed_is_in_the_report_too(run):
    async def scenario(here: Place) -> None:
        model = await here.kaynak.models.get(
            ["priced:test-model"], owner="owner", collection="handbook", purpose="answer"
        )
        here.server.faults.extend([Fault.STALL, Fault.UNAUTHORIZED])
        async with aclosing(model.stream(QUESTION, ModelSettings())) as events:
            assert isinstance(await anext(events), TextDelta)
        with pytest.raises(ModelRefused):
            await here.ask()
        total = (await here.client.get("/v1/usage")).json()["total"]
        assert (total["calls"], total["stopped"], total["failed"], total["estimated"]) == (2, 1, 1, 1)
        assert total["cost"] > 0, "what was stopped has been paid for as far as it came"

    run(scenario)
