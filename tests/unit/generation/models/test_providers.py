"""The table of providers, names of models, prices, and what is decided before anything is asked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from kaynak.domain import (
    OWNER,
    InvalidRequest,
    Message,
    Misconfigured,
    ModelRefused,
    ModelSettings,
    ModelWarning,
    Role,
    TokenUsage,
)
from kaynak.generation.models import ModelsConfig, Price
from kaynak.generation.models.prices import Prices
from kaynak.generation.models.providers import BUILT_IN, ModelName, WireName, parse_model, provider_table
from kaynak.testing.model_suite import REPLY, listen
from kaynak.testing.models import KEY, Fault, ModelServer
from kaynak.testing.models.room import model_room

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        ("openai:gpt-5.2", "openai", "gpt-5.2"),
        ("ollama:qwen3:8b", "ollama", "qwen3:8b"),
        ("huggingface:openai/gpt-oss-120b:cerebras", "huggingface", "openai/gpt-oss-120b:cerebras"),
    ],
)
def test_names_of_models_have_two_parts(text, provider, model):
    assert parse_model(text) == ModelName(provider, model)
    assert str(parse_model(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "gpt-5.2", ":x", "openai:", "Open AI:x", "openai:a b", "openai:a\nb", "openai:" + "x" * 300, "p:../../x"],
)
def test_what_names_no_model_is_refused(text):
    with pytest.raises(InvalidRequest) as refused:
        parse_model(text)
    assert "provider:model" in refused.value.hint


def test_every_provider_has_its_page_and_says_where_its_key_is():
    for provider in BUILT_IN:
        page = (ROOT / provider.page).read_text()
        for variable in (*provider.key_env[:1], *provider.url_env[:1]):
            assert variable in page, (provider.name, variable)
        assert f"{provider.name}:" in page


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("box", "http://box:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://box", "http://box"),
        ("https://box:443/ollama/", "https://box:443/ollama"),
        ("[::]:11434", "http://[::1]:11434"),
    ],
)
def test_ollama_hosts_mean_what_they_mean_to_ollama(host, url):
    assert provider_table({}, {"OLLAMA_HOST": host})["ollama"].url == url


def test_settings_go_before_the_environment_and_new_names_are_new_providers():
    environment = {"OPENAI_BASE_URL": "https://proxy.example.org/v1", "AZURE_OPENAI_ENDPOINT": "https://a.example.org"}
    table = provider_table(
        {"openai": {"url": "https://other.example.org/v1"}, "vllm": {"url": "http://gpu:8000/v1"}}, environment
    )
    assert table["openai"].url == "https://other.example.org/v1"
    assert table["openai"].price_list == "openai"
    assert table["azure"].url == "https://a.example.org"
    assert (table["vllm"].wire, table["vllm"].needs_key) == (WireName.OPENAI, False)
    assert provider_table({}, environment)["openai"].url == "https://proxy.example.org/v1"


@pytest.mark.parametrize(
    ("overrides", "environment"),
    [
        ({"with space": {"url": "http://x"}}, {}),
        ({"extractive": {"url": "http://x"}}, {}),
        ({"vllm": {"url": "ftp://x"}}, {}),
        ({"vllm": {"url": "http://"}}, {}),
        ({"vllm": {"url": "http://x:99999"}}, {}),
        ({}, {"OPENAI_BASE_URL": "api.openai.com"}),
        ({}, {"OLLAMA_HOST": "box:port"}),
    ],
)
def test_addresses_and_names_that_cannot_work_are_found_at_the_start(overrides, environment):
    with pytest.raises(Misconfigured) as wrong:
        provider_table(overrides, environment)
    assert wrong.value.hint


@pytest.fixture(scope="module")
def prices() -> Prices:
    found = Prices()
    asyncio.run(found.load())
    return found


def test_known_models_have_a_price_and_a_length(prices):
    table = provider_table({}, {})
    price = prices.of(table["anthropic"], "claude-sonnet-4-5")
    assert price == Price(3, 15, pytest.approx(0.3))
    usage = TokenUsage(1_000, 100, 500)
    expected = (500 * 3 + 500 * 0.3 + 100 * 15) / 1e6
    assert float(prices.cost(table["anthropic"], "claude-sonnet-4-5", usage)) == pytest.approx(expected)
    assert prices.context_tokens(table["openai"], "gpt-5.2") == 400_000
    assert prices.of(table["azure"], "gpt-4o") is not None
    assert prices.of(table["huggingface"], "openai/gpt-oss-120b:cerebras") is not None


def test_unknown_models_have_none(prices):
    table = provider_table({}, {})
    for _ in range(2):
        assert prices.of(table["openai"], "unheard-of") is None
        assert prices.cost(table["openai"], "unheard-of", TokenUsage(1, 1)) is None
        assert prices.context_tokens(table["openai"], "unheard-of") is None
    assert prices.of(provider_table({"vllm": {"url": "http://x"}}, {})["vllm"], "gpt-4o") is None


def test_a_price_of_the_settings_goes_before_the_list(prices):
    table = provider_table({"openai": {"price": Price(1, 2)}}, {})
    assert prices.cost(table["openai"], "gpt-5.2", TokenUsage(10, 10, 5)) == Decimal("0.00003")
    assert prices.cost(table["ollama"], "any", TokenUsage(10, 10)) == 0


def test_what_cannot_be_asked_is_said_at_once():
    async def run() -> None:
        config = ModelsConfig(environment={"OPENAI_API_KEY": "", "AZURE_OPENAI_ENDPOINT": ""})
        async with model_room(ModelServer(), config) as room:
            with pytest.raises(ModelRefused) as no_key:
                await room.model("openai")
            assert "OPENAI_API_KEY" in no_key.value.hint
            with pytest.raises(ModelRefused) as no_address:
                await room.model("azure")
            assert "AZURE_OPENAI_ENDPOINT" in no_address.value.hint
            with pytest.raises(InvalidRequest, match="nobody"):
                await room.model("nobody:x")
            with pytest.raises(InvalidRequest):
                await room.models.get(["extractive"], owner="o", collection=None, purpose="answer")
            with pytest.raises(InvalidRequest):
                await room.models.get([], owner="o", collection=None, purpose="answer")

    asyncio.run(run())


def test_one_that_cannot_be_asked_is_stood_in_for():
    async def run() -> None:
        config = ModelsConfig(environment={"OPENAI_API_KEY": ""})
        async with model_room(ModelServer(reply=REPLY), config) as room:
            heard = await listen(await room.model("openai", "ollama"))
            assert heard.text == REPLY
            (warning,) = heard.of(ModelWarning)
            assert "no key" in warning.message
            assert heard.finished.model == "ollama:test-model"

    asyncio.run(run())


def test_any_compatible_address_is_a_provider():
    async def run() -> None:
        async with ModelServer(reply=REPLY) as compatible:
            config = ModelsConfig(
                providers={"vllm": {"url": compatible.url("huggingface"), "key_env": ("VLLM",), "price": Price(1, 1)}},
                environment={"VLLM": KEY},
            )
            async with model_room(ModelServer(), config) as room:
                heard = await listen(await room.model("vllm"))
                assert heard.text == REPLY
                assert heard.finished.cost > 0
                assert compatible.chats[0].model == "test-model"

    asyncio.run(run())


def test_ollama_is_asked_what_its_model_can_do():
    async def run() -> None:
        prompt = "word " * 5000
        async with model_room(ModelServer(reply=lambda messages: messages[-1].content[:9])) as room:
            model = await room.model("ollama")
            assert model.context_tokens == 16384
            async for _ in model.stream([Message(Role.USER, prompt)], ModelSettings()):
                pass
            request = room.server.requests[-1]
            assert request.body["options"]["num_ctx"] == 16384
            assert request.chat.messages[-1].content == prompt, "it was cut"

    asyncio.run(run())


def test_a_failing_provider_is_left_alone_by_all_of_its_models():
    async def run() -> None:
        config = ModelsConfig(retries=0, breaker_failures=2, breaker_seconds=60)
        async with model_room(ModelServer(fault=Fault.OVERLOADED), config) as room:
            for _ in range(2):
                await listen(await room.model("openai:one"))
            heard = await listen(await room.model("openai:two"))
            assert "left alone" in heard.error.message
            assert len(room.server.chats) == 2
            (status,) = await room.models.statuses(OWNER, only="openai")
            assert status.circuit == "open"
            assert (await listen(await room.model("gemini"))).error is not None
            assert len(room.server.chats) == 3

    asyncio.run(run())
