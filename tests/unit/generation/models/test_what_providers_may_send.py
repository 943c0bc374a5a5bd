"""Providers that send what no format has: it costs an error with a reason, never a defect or the accounts."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kaynak.catalog import ModelCallRow
from kaynak.domain import (
    CallOutcome,
    CatalogUnavailable,
    InvalidRequest,
    Message,
    ModelFinished,
    ModelSettings,
    ModelWarning,
    Role,
    StreamTruncated,
    TextDelta,
    TokenUsage,
    new_id,
)
from kaynak.generation.models import calling
from kaynak.generation.models.breaker import Circuit
from kaynak.generation.models.contexts import Contexts
from kaynak.generation.models.events import Reported
from kaynak.generation.models.frames import Frame
from kaynak.generation.models.keys import KeySource
from kaynak.generation.models.ledger import Ledger, Purchase
from kaynak.generation.models.listing import status_of
from kaynak.generation.models.metering import Metering
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.providers import BUILT_IN, ModelName
from kaynak.generation.models.wires import WIRES
from kaynak.remote import Said, later, meant, said
from kaynak.testing.model_suite import listen
from kaynak.testing.models import ModelServer
from kaynak.testing.models.room import MemoryLedger, model_room

PROVIDERS = {provider.name: provider for provider in BUILT_IN}


@pytest.mark.parametrize("details", [5, True, "text", {"a": 1}, [5, None]], ids=repr)
def test_details_of_any_kind_are_no_defect(details):
    assert said({"error": {"message": "no", "details": details}}).message == "no"


@pytest.mark.parametrize("code", ["²", "4" * 5000, "٤٠٤٠", "-1"], ids=["superscript", "long", "digits", "negative"])
def test_codes_that_only_look_like_numbers_say_nothing(code):
    assert meant(200, Said(codes=(code,))) == 500


@pytest.mark.parametrize(
    "header", ["Mon, 01 Jan 2024 00:00:00 +99999999999999999", "Mon, 01 Jan 99999999999999 00:00:00 GMT"]
)
def test_times_beyond_all_calendars_are_not_waited_for(header):
    assert later({"retry-after": header}, Said()) is None


_FRAMES = {
    "openai": {"choices": [], "usage": {}},
    "anthropic": {"type": "message_start", "message": {}},
    "gemini": {"candidates": []},
    "ollama": {"message": {}},
}


@pytest.mark.parametrize("model", [["m"], {"m": 1}, 5, True], ids=repr)
@pytest.mark.parametrize("name", _FRAMES)
def test_a_model_without_a_name_keeps_the_one_it_was_asked_by(name, model):
    frame = orjson.loads(orjson.dumps(_FRAMES[name]))
    inner = frame["message"] if name == "anthropic" else frame
    inner["modelVersion" if name == "gemini" else "model"] = model
    decoder = WIRES[PROVIDERS[name].wire].decoder(PROVIDERS[name])
    decoder.feed(Frame(orjson.dumps(frame)))
    assert decoder.model is None


@pytest.mark.parametrize("cost", [-1.0, True, 1e12, "free"], ids=repr)
def test_costs_that_cannot_be_are_not_believed(cost):
    decoder = WIRES[PROVIDERS["openrouter"].wire].decoder(PROVIDERS["openrouter"])
    decoder.feed(Frame(orjson.dumps({"choices": [], "usage": {"prompt_tokens": 2**63, "cost": cost}})))
    assert decoder.cost is None
    assert decoder.usage == TokenUsage(0, 0)


class _Transport:
    """Answers every request with one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def document(self, *_: object, **__: object) -> dict[str, Any]:
        return self._document


class _Keys:
    async def source(self, _: object) -> KeySource:
        return KeySource.STORED

    async def get(self, _: object) -> str:
        return "key"


_LISTS = {
    "openai": ("data", {"id": "m", "context_length": "big", "pricing": {"prompt": "inf", "completion": "1"}}),
    "anthropic": ("data", {"id": "m"}),
    "gemini": (
        "models",
        {"name": "models/m", "inputTokenLimit": "big", "supportedGenerationMethods": ["generateContent"]},
    ),
    "ollama": ("models", {"name": "m"}),
}


def _status(name: str, document: dict[str, Any]) -> Any:
    provider = PROVIDERS[name]
    return asyncio.run(
        status_of(provider, _Keys(), _Transport(document), Prices(), Circuit(5, 30), check=True)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("entries", [5, True, "text", [5], [None], ["m"], {"a": 1}], ids=repr)
@pytest.mark.parametrize("name", _LISTS)
def test_a_list_that_is_none_is_a_problem_of_the_provider(name, entries):
    status = _status(name, {_LISTS[name][0]: entries})
    assert status.models == ()
    assert status.answers is True or "not what" in status.problem


@pytest.mark.parametrize("name", _LISTS)
def test_lengths_and_prices_that_are_no_numbers_are_not_shown(name):
    field, entry = _LISTS[name]
    (model,) = _status(name, {field: [entry]}).models
    assert model.name == f"{name}:m"
    assert model.context_tokens is None
    if name == "openai":
        assert model.price is None


@pytest.mark.parametrize("info", [["a"], "text", 5], ids=repr)
def test_what_ollama_shows_of_a_model_may_be_anything(info):
    known = asyncio.run(
        Contexts(Prices()).of(PROVIDERS["ollama"], "m", None, _Transport({"model_info": info}))  # type: ignore[arg-type]
    )
    assert known.tokens == 32_768


def test_an_answer_without_end_is_broken_off(monkeypatch):
    monkeypatch.setattr(calling, "MOST_CHARS", 40)

    async def run() -> None:
        async with model_room(ModelServer(reply="word " * 200)) as room:
            heard = await listen(await room.model("openai"))
            assert isinstance(heard.error, StreamTruncated)
            assert "without end" in heard.error.message
            assert 40 <= len(heard.text) < 200

    asyncio.run(run())


class _Inner:
    """Answers with one word."""

    async def stream(self, messages: object, settings: object) -> Any:
        yield Reported()
        yield TextDelta("word")
        yield ModelFinished("stop", "m", None)  # type: ignore[arg-type]


class _Budgeted(MemoryLedger):
    async def open(self, purchase: Purchase, reserve: Decimal | None) -> tuple[ModelCallRow, bool]:
        return (await super().open(purchase, reserve))[0], True


def test_who_leaves_at_the_first_warning_is_settled_with():
    ledger = _Budgeted()
    purchase = Purchase("owner", None, ModelName("openai", "unheard-of"), "answer")
    metering = Metering(_Inner(), purchase, PROVIDERS["openai"], 100, ledger, Prices())

    async def run() -> None:
        async with aclosing(metering.stream([Message(Role.USER, "q")], ModelSettings())) as events:
            assert isinstance(await anext(events), ModelWarning)

    asyncio.run(run())
    (call,) = ledger.calls
    assert call.outcome is CallOutcome.STOPPED
    assert call.cost == 0


class _Calls:
    """Takes calls down, but not those of ``refused``."""

    def __init__(self, refused: str, error: Exception) -> None:
        self.written: list[str] = []
        self._refused = refused
        self._error = error

    async def write(self, calls: Any) -> None:
        models = [call.model for call in calls]
        if self._refused in models:
            raise self._error
        self.written += models


@pytest.mark.parametrize(
    "error", [InvalidRequest("too large"), ValueError("a defect")], ids=["refused by the database", "a defect"]
)
def test_a_call_that_cannot_be_written_keeps_no_other_from_it(error):
    calls = _Calls("bad", error)

    @asynccontextmanager
    async def begin() -> Any:
        yield SimpleNamespace(model_calls=calls)

    row = ModelCallRow(new_id(), "o", None, "p", "m", "answer", CallOutcome.COMPLETE)

    async def run() -> None:
        ledger = Ledger(SimpleNamespace(begin=begin))  # type: ignore[arg-type]
        for model in ("one", "two", "bad", "three"):
            ledger.settle(replace(row, id=new_id(), model=model))
        async with asyncio.timeout(5):
            await ledger.flush()
        ledger.settle(replace(row, id=new_id(), model="four"))
        await ledger.close()

    asyncio.run(run())
    assert sorted(calls.written) == ["four", "one", "three", "two"]


def test_a_database_that_is_away_is_tried_again(monkeypatch):
    monkeypatch.setattr("kaynak.generation.models.ledger._AGAIN_SECONDS", 0.01)
    calls = _Calls("none", CatalogUnavailable("away"))
    tries = 0

    @asynccontextmanager
    async def begin() -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise CatalogUnavailable("away")
        yield SimpleNamespace(model_calls=calls)

    async def run() -> None:
        ledger = Ledger(SimpleNamespace(begin=begin))  # type: ignore[arg-type]
        ledger.settle(ModelCallRow(new_id(), "o", None, "p", "m", "answer", CallOutcome.COMPLETE))
        await ledger.close()

    asyncio.run(run())
    assert calls.written == ["m"]
