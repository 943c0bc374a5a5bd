"""The local server of wire formats, read without any code of ours: what it sends is what providers document."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from kaynak.testing.models import KEY, PROVIDERS, Fault, ModelServer, ThreadedModelServer
from kaynak.testing.models.listing import vector_of

BEARER = {"authorization": f"Bearer {KEY}"}
USER = [{"role": "user", "content": "How many days?"}]
REPLY = "Yılda yirmi altı gün 😀 [1]."

REQUESTS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "openai": ("/chat/completions", BEARER, {"model": "m", "messages": USER}),
    "azure": (
        "/openai/deployments/m/chat/completions?api-version=2024-10-21",
        {"api-key": KEY},
        {"messages": USER},
    ),
    "openrouter": ("/chat/completions", BEARER, {"model": "m", "messages": USER}),
    "huggingface": ("/chat/completions", BEARER, {"model": "m", "messages": USER}),
    "anthropic": (
        "/v1/messages",
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        {"model": "m", "max_tokens": 9, "messages": USER},
    ),
    "gemini": (
        "/v1beta/models/m:{verb}",
        {"x-goog-api-key": KEY},
        {"contents": [{"role": "user", "parts": [{"text": "How many days?"}]}]},
    ),
    "ollama": ("/api/chat", {}, {"model": "m", "messages": USER}),
}


def _request(server: ModelServer, provider: str, *, stream: bool) -> dict[str, Any]:
    path, headers, body = REQUESTS[provider]
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    body = body if provider == "gemini" else {**body, "stream": stream}
    return {"url": server.url(provider) + path.format(verb=verb), "headers": headers, "json": body}


def _text_of(provider: str, document: dict[str, Any]) -> str:
    if provider == "anthropic":
        return document["content"][0]["text"]
    if provider == "gemini":
        return document["candidates"][0]["content"]["parts"][0]["text"]
    if provider == "ollama":
        return document["message"]["content"]
    return document["choices"][0]["message"]["content"]


@pytest.fixture
def server():
    with ThreadedModelServer(ModelServer(reply=REPLY)) as running:
        yield running


@pytest.mark.parametrize("provider", PROVIDERS)
def test_plain_answers_carry_the_reply(server, provider):
    answer = httpx.post(**_request(server, provider, stream=False))
    assert answer.status_code == 200
    assert _text_of(provider, answer.json()) == REPLY
    (chat,) = server.chats
    assert (chat.model, chat.streamed) == ("m", False)
    assert [message.content for message in chat.messages] == ["How many days?"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_streams_end_with_the_mark_of_the_provider(server, provider):
    text = httpx.post(**_request(server, provider, stream=True)).text
    ends = {"anthropic": '"message_stop"}\n\n', "gemini": "}\n\n", "ollama": "}\n"}
    assert text.endswith(ends.get(provider, "data: [DONE]\n\n"))
    cut = server.faults
    cut.append(Fault.CUT_BEFORE_END)
    shorter = httpx.post(**_request(server, provider, stream=True)).text
    assert text.startswith(shorter)
    assert len(shorter) < len(text)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_keys_are_checked_and_errors_have_the_form_of_the_provider(server, provider):
    request = _request(server, provider, stream=True)
    if provider != "ollama":
        refused = httpx.post(**{**request, "headers": {}})
        assert refused.status_code == 401
        assert "error" in refused.json()
    server.faults.append(Fault.RATE_LIMITED)
    assert httpx.post(**request).status_code == 429
    assert httpx.post(**request).status_code == 200


def test_a_strange_field_is_refused_as_providers_do(server):
    request = _request(server, "openai", stream=False)
    request["json"]["unheard_of"] = 1
    answer = httpx.post(**request)
    assert answer.status_code == 400
    assert "unheard_of" in answer.json()["error"]["message"]


def test_ollama_cuts_a_prompt_that_does_not_fit():
    words = " ".join(f"w{number}" for number in range(5000))

    with ThreadedModelServer(ModelServer(reply=lambda messages: messages[-1].content[:20])) as server:
        url = server.url("ollama") + "/api/chat"
        for options, first in (({}, "w904"), ({"num_ctx": 8192}, "w0")):
            body = {"model": "m", "stream": False, "options": options, "messages": [{"role": "user", "content": words}]}
            assert httpx.post(url, json=body).json()["message"]["content"].split()[0] == first


def test_embeddings_depend_on_the_text_alone(server):
    url = server.url("openai") + "/embeddings"
    answer = httpx.post(url, headers=BEARER, json={"model": "e", "input": ["a", "b", "a"], "dimensions": 8})
    rows = [item["embedding"] for item in answer.json()["data"]]
    assert rows[0] == rows[2] == vector_of("a", 8).tolist()
    assert rows[0] != rows[1]


def test_a_caller_that_leaves_is_noticed():
    async def run() -> None:
        async with ModelServer(fault=Fault.STALL) as server, httpx.AsyncClient() as client:
            async with client.stream("POST", **_request(server, "openai", stream=True)) as answer:
                async for line in answer.aiter_lines():
                    if "content" in line:
                        break
            received = server.requests[0]
            await received.ended.wait()
            assert received.abandoned

    asyncio.run(run())


@pytest.mark.untraced
def test_many_streams_at_once_are_not_mixed_up():
    async def ask(client: httpx.AsyncClient, server: ModelServer, number: int) -> None:
        request = _request(server, "ollama", stream=True)
        request["json"]["messages"] = [{"role": "user", "content": f"number {number}"}]
        lines = (await client.post(**request)).text.splitlines()
        assert "".join(json.loads(line)["message"]["content"] for line in lines) == f"about number {number}"

    async def run() -> None:
        async with (
            ModelServer(reply=lambda messages: f"about {messages[-1].content}", delay=0.001) as server,
            httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=60) as client,
        ):
            await asyncio.gather(*(ask(client, server, number) for number in range(200)))
            assert len(server.chats) == 200
            assert server.streaming == 0

    asyncio.run(run())
