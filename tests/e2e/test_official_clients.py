"""The official clients of others, against a real server: OpenAI's SDK, LangChain's ChatOpenAI, and MCP's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import openai
import pytest
from mcp import Client as McpClient

from kaynak import Client
from kaynak.testing.folders import quick_folder
from kaynak.testing.models import Fault, ModelServer, ThreadedModelServer

pytestmark = pytest.mark.untraced
KAYNAK = [sys.executable, "-c", "from kaynak.cli.main import main; main()"]
COMPANY = Path(__file__).parents[2] / "examples/company"
QUESTION = "How many days of annual leave do I get from the fifth year on?"
FRESH = {"kaynak": {"fresh": True}}
"""Tests share a server, which remembers answers."""
ANSWER = "30 days from the fifth year on"
WRITTEN = "From the fifth year on there are 30 days of annual leave [1]. Cheese is free on Mondays [1]."


@pytest.fixture(scope="module")
def provider() -> Iterator[ModelServer]:
    """Language models of all providers, on this machine."""
    with ThreadedModelServer(ModelServer(reply=WRITTEN)) as server:
        yield server


@pytest.fixture(scope="module")
def server(provider) -> Iterator[SimpleNamespace]:
    """A server in a process of its own, with a handbook and a policy in it."""
    folder = Path(tempfile.mkdtemp(prefix="ke-", dir=quick_folder()))
    folder.chmod(0o755)  # the database's account passes through
    process = subprocess.Popen(
        [*KAYNAK, "up", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **provider.environment(), "KAYNAK_DATA_DIR": str(folder / "data")},
    )
    line = process.stdout.readline()
    assert line, process.stderr.read()
    url = json.loads(line)["url"]
    with Client(url) as client:
        for name, path in (("handbook", "handbook/employee-handbook.pdf"), ("policies", "policies/purchasing.md")):
            client.create_collection(name, description=f"Our {name}.")
            job = client.wait(client.add_files(name, [COMPANY / path]))
            assert job.state.value == "succeeded"
    yield SimpleNamespace(url=url, v1=f"{url}/v1", mcp=f"{url}/mcp")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    shutil.rmtree(folder, ignore_errors=True)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors, errors


@pytest.fixture
def sdk(server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.v1, api_key="none is needed", max_retries=0) as client:
        yield client


def opened(url: str) -> dict:
    """Follows a citation, as a program and as a browser do."""
    place = httpx.get(url).raise_for_status().json()
    page = httpx.get(url, headers={"Accept": "text/html"}, follow_redirects=True).raise_for_status()
    assert '<mark id="cited">' in page.text
    for one in place["pages"]:
        picture = httpx.get(httpx.URL(url).join(one["picture"])).raise_for_status()
        assert picture.headers["content-type"] == "image/png"
        assert one["boxes"]
    return place


def test_openai_chat(sdk):
    completion = sdk.chat.completions.create(model="kaynak/handbook", messages=[{"role": "user", "content": QUESTION}])
    message = completion.choices[0].message
    assert ANSWER in message.content
    assert completion.choices[0].finish_reason == "stop"
    cited = message.annotations[0].url_citation
    place = opened(cited.url)
    assert ANSWER in place["quote"]
    assert place["quote"] in message.content[cited.start_index : cited.end_index]
    assert place["pages"][0]["number"] == 1
    assert completion.usage.total_tokens == 0


def test_openai_chat_streamed(sdk):
    stream = sdk.chat.completions.create(
        model="kaynak/handbook+policies",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert ANSWER in content
    annotations = [
        one
        for chunk in chunks
        if chunk.choices
        for one in (chunk.choices[0].delta.model_extra or {}).get("annotations", ())
    ]
    assert opened(annotations[0]["url_citation"]["url"])["collection"] == "handbook"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 0


def test_openai_chat_streamed_with_the_helper_of_the_sdk(sdk):
    with sdk.chat.completions.stream(
        model="kaynak/handbook", messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert ANSWER in final.choices[0].message.content


def test_openai_follow_up(sdk):
    first = [{"role": "user", "content": "How many hours are worked a week in Hamburg?"}]
    answer = sdk.chat.completions.create(model="kaynak/handbook", messages=first).choices[0].message
    messages = [*first, answer.model_dump(exclude_none=True), {"role": "user", "content": "And in Marseille?"}]
    again = sdk.chat.completions.create(model="kaynak/handbook", messages=messages).choices[0].message
    assert "Marseille" in again.model_extra["kaynak"]["question"]
    assert "35 hours" in again.content


def test_openai_with_a_language_model(sdk, provider):
    provider.requests.clear()
    completion = sdk.chat.completions.create(
        model="kaynak/handbook@openai:test-model",
        messages=[{"role": "system", "content": "Answer like a pirate."}, {"role": "user", "content": QUESTION}],
        temperature=0.2,
        max_tokens=300,
        extra_body=FRESH,
    )
    message = completion.choices[0].message
    details = message.model_extra["kaynak"]
    assert details["model"] == "openai:test-model"
    assert details["ignored"] == []
    verdicts = [sentence["verdict"] for sentence in details["sentences"]]
    assert verdicts == ["supported", "unsupported"]
    assert ANSWER in opened(message.annotations[0].url_citation.url)["quote"]
    assert completion.usage.prompt_tokens > 0
    chat = provider.chats[-1]
    assert chat.settings["temperature"] == 0.2
    said = {one.role.value: one.content for one in chat.messages}
    assert "pirate" not in said["system"]
    assert any("pirate" in one.content for one in chat.messages if one.role.value == "user")


def test_openai_streamed_with_a_language_model(sdk):
    chunks = list(
        sdk.chat.completions.create(
            model="kaynak/handbook@anthropic:test-model",
            messages=[{"role": "user", "content": QUESTION}],
            extra_body=FRESH,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    places = [
        (one["url_citation"]["start_index"], one["url_citation"]["end_index"])
        for chunk in chunks
        if chunk.choices
        for one in (chunk.choices[0].delta.model_extra or {}).get("annotations", ())
    ]
    assert [re.sub(r"\s*\[\d+\]", "", content[start:end]) for start, end in places] == [
        "From the fifth year on there are 30 days of annual leave.",
        "Cheese is free on Mondays.",
    ]
    assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens > 0


def test_a_model_that_breaks_off_is_an_error_of_the_sdk(sdk, provider):
    provider.faults.append(Fault.CUT_BEFORE_END)
    with (
        pytest.raises(openai.APIError),
        sdk.chat.completions.create(
            model="kaynak/handbook@openai:test-model",
            messages=[{"role": "user", "content": QUESTION}],
            extra_body=FRESH,
            stream=True,
        ) as stream,
    ):
        list(stream)
    with pytest.raises(openai.BadRequestError):
        sdk.chat.completions.create(
            model="kaynak/handbook@nobody:test-model", messages=[{"role": "user", "content": QUESTION}]
        )


def test_openai_errors(sdk):
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.chat.completions.create(model="kaynak/nothing", messages=[{"role": "user", "content": "Hello?"}])
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        sdk.chat.completions.create(
            model="kaynak/nothing", messages=[{"role": "user", "content": "Hello?"}], stream=True
        )
    with pytest.raises(openai.BadRequestError) as refused:
        sdk.chat.completions.create(
            model="kaynak/handbook",
            messages=[{"role": "user", "content": "Hello?"}],
            tools=[{"type": "function", "function": {"name": "f"}}],
        )
    assert refused.value.param == "tools"


def test_openai_embeddings(sdk):
    texts = ["annual leave", "yearly holidays", "diesel engine"]
    found = sdk.embeddings.create(model="kaynak/minilm", input=texts)  # the SDK asks for base64 by itself
    plain = sdk.embeddings.create(model="kaynak/minilm", input=texts, encoding_format="float")
    vectors = np.array([one.embedding for one in found.data])
    assert vectors.shape == (3, 384)
    assert np.allclose(vectors, [one.embedding for one in plain.data], atol=1e-2)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert found.usage.total_tokens > 0
    with pytest.raises(openai.BadRequestError, match="token"):
        sdk.embeddings.create(model="kaynak/minilm", input=[[1, 2, 3]])


def test_openai_models(sdk):
    assert {model.id for model in sdk.models.list()} == {"kaynak/handbook", "kaynak/policies", "kaynak/minilm"}
    assert sdk.models.retrieve("kaynak/handbook").owned_by == "kaynak"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("kaynak/nothing")


def test_langchain_chat_and_stream(server):
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage  # takes seconds, of every process
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(base_url=server.v1, api_key="none is needed", model="kaynak/handbook", max_retries=0)
    said = chat.invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    assert isinstance(said, AIMessage)
    assert ANSWER in said.content
    assert said.response_metadata["finish_reason"] == "stop"
    streamed = "".join(chunk.content for chunk in chat.stream(QUESTION))
    assert ANSWER in streamed
    again = asyncio.run(chat.ainvoke([HumanMessage("Hello."), said, HumanMessage(QUESTION)]))
    assert ANSWER in again.content


def test_langchain_with_a_language_model(server):
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(
        base_url=server.v1,
        api_key="none is needed",
        model="kaynak/handbook@openai:test-model",
        max_retries=0,
        stream_usage=True,
        extra_body=FRESH,
    )
    said = chat.invoke(QUESTION)
    assert "30 days" in said.content
    assert said.usage_metadata["total_tokens"] > 0
    chunks = list(chat.stream(QUESTION))
    assert "".join(chunk.content for chunk in chunks) == said.content
    assert sum((chunk.usage_metadata or {}).get("total_tokens", 0) for chunk in chunks) > 0


def test_langchain_embeddings(server):
    from langchain_openai import OpenAIEmbeddings

    # It would turn text into OpenAI's tokens, with a vocabulary that it downloads; the option makes it send text.
    model = OpenAIEmbeddings(
        base_url=server.v1, api_key="none is needed", model="kaynak/minilm", check_embedding_ctx_length=False
    )
    assert len(model.embed_query("annual leave")) == 384


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_mcp_tools(server, mode):
    async def use() -> None:
        async with McpClient(server.mcp, mode=mode) as client:
            listed = (await client.list_tools()).tools
            assert {tool.name for tool in listed} == {"search", "ask", "read_passage", "list_collections"}
            assert all(tool.annotations.read_only_hint and tool.output_schema for tool in listed)

            there = (await client.call_tool("list_collections", {})).structured_content
            assert [one["name"] for one in there["collections"]] == ["handbook", "policies"]

            found = await client.call_tool("search", {"query": "annual leave", "limit": 3})
            assert not found.is_error
            assert found.structured_content["passages"][0]["collection"] == "handbook"
            assert "annual leave" in found.content[0].text

            told = []

            async def progress(done: float, total: float | None, message: str | None) -> None:
                told.append(message)

            answered = await client.call_tool(
                "ask", {"question": QUESTION, "collections": ["handbook"]}, progress_callback=progress
            )
            answer = answered.structured_content
            assert ANSWER in answer["answer"]
            quote = answer["citations"][0]
            assert opened(quote["url"])["quote"] == quote["quote"]
            assert any(message.startswith("reading: ") for message in told)

            place = {name: quote[name] for name in ("version_id", "start", "end")}
            read = await client.call_tool("read_passage", {**place, "before": 50, "after": 120})
            passage = read.structured_content
            assert (passage["text"], passage["newer"]) == (quote["quote"], False)
            assert passage["after"].startswith(" Leave is requested in the staff portal.")
            assert passage["headings"][-1] == "Leave"

            for name, arguments, part in (
                ("search", {"query": "x", "collections": ["nothing"]}, "nothing"),
                ("search", {"query": "x", "limit": 1000}, "limit"),
                ("search", {"query": "  "}, "empty"),
                ("search", {"quary": "x"}, "query"),
                ("ask", {"question": "Hello?", "filter": {"a": {"$where": 1}}}, "$where"),
                ("read_passage", {**place, "end": 2**31 - 1}, "characters"),
                ("read_passage", {**place, "start": quote["end"]}, "start"),
                ("read_passage", {**place, "version_id": "00000000-0000-7000-8000-000000000000"}, "no such version"),
                ("unheard_of", {}, "no tool"),
            ):
                failed = await client.call_tool(name, arguments)
                assert failed.is_error, name
                assert part in failed.content[0].text, failed.content[0].text

    asyncio.run(use())


def test_mcp_is_not_for_web_pages_of_others(server):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 400)):
        answer = httpx.post(server.mcp, json=body, headers={**accept, **headers})
        assert answer.status_code == status, answer.text
    assert httpx.get(server.mcp, headers=accept).status_code == 405
    assert (
        httpx.post(server.mcp, content=b"{", headers={**accept, "Content-Type": "application/json"}).status_code == 400
    )
    large = httpx.post(server.mcp, content=b" " * 2_000_000, headers={**accept, "Content-Type": "application/json"})
    assert large.status_code == 413
