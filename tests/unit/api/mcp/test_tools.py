"""What the tools make of services in memory: whose scope they act under, and what they say when something fails."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.api.deps import _current_scope
from kaynak.api.mcp.tools import TOOLS
from kaynak.domain import (
    CitedPlace,
    Collection,
    DocumentNotFound,
    Generation,
    GenerationSpec,
    Hit,
    Scope,
    SearchResult,
    Span,
    new_id,
)
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.observability import Metrics
from kaynak.settings import Settings
from kaynak.testing.callers import OnlyTheOwner

STRANGER = Scope("a stranger", frozenset())
VERSION = new_id()
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Services:
    """Notes under which scope it was used; fails if it is told to."""

    def __init__(self, folder) -> None:
        self.settings = Settings(data_dir=folder, _env_file=None)
        self.rates = Rates(MemoryLimiter(), {})
        self.collections = self.searcher = self.places = self
        self.identity = SimpleNamespace(callers=OnlyTheOwner())
        self.metrics = Metrics()
        self.scopes: list[Scope] = []
        self.names = ["handbook", "policies"]
        self.searched: list[Any] = []
        self.failure: Exception | None = None

    async def list(self, scope: Scope, *, after: str | None, limit: int) -> list[Collection]:
        self.scopes.append(scope)
        generation = Generation(1, new_id(), GenerationSpec(), "c", "e", 16, True)
        names = [name for name in self.names if after is None or name > after][:limit]
        return [Collection(new_id(), name, "", None, 0, generation, 3, 9, NOW, NOW) for name in names]

    async def search(self, request, scope: Scope) -> SearchResult:
        self.scopes.append(scope)
        self.searched.append(request)
        if self.failure is not None:
            raise self.failure
        hit = Hit(0.5, "handbook", new_id(), "leave.pdf", "Leave", VERSION, 2, (1,), Span(10, 24), "It is 26 days.",
                  ("Leave",), (3, 3), "en", "application/pdf", {})  # fmt: skip
        return SearchResult((hit,), False, {}, ("One side is away.",), 1.0)

    async def resolve(self, scope: Scope, version_id, span, **asked) -> CitedPlace:
        self.scopes.append(scope)
        if version_id != VERSION:
            raise DocumentNotFound("There is no such version.", hint="List them.")
        return CitedPlace(new_id(), "leave.pdf", "handbook", "Leave", None, "en", VERSION, 2, new_id(), 3, span,
                          "It is 26 days.", "Before. ", " After.", ("Rules", "Leave"), ())  # fmt: skip


@pytest.fixture
def services(tmp_path) -> Services:
    return Services(tmp_path)


@pytest.fixture
def call(services):
    app = create_app(services)
    app.dependency_overrides[_current_scope] = lambda: STRANGER

    async def send(method: str, params: dict[str, Any]) -> dict[str, Any]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            answer = await client.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
                headers={"Accept": "application/json, text/event-stream"},
            )
        assert answer.status_code == 200, answer.text
        data = next(line for line in answer.text.splitlines() if line.startswith("data: {"))
        return json.loads(data.removeprefix("data: "))["result"]

    def tool(name: str, **arguments: Any) -> dict[str, Any]:
        return asyncio.run(send("tools/call", {"name": name, "arguments": arguments}))

    tool.listed = lambda: asyncio.run(send("tools/list", {}))["tools"]
    return tool


def test_every_argument_and_every_tool_says_what_it_is_for(call):
    listed = call.listed()
    assert [tool["name"] for tool in listed] == [tool.name for tool in TOOLS]
    for tool in listed:
        assert tool["description"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        assert all(field.get("description") for field in tool["inputSchema"]["properties"].values()), tool["name"]


def test_tools_act_under_the_scope_of_the_caller(call, services):
    call("list_collections")
    call("search", query="leave")
    call("read_passage", version_id=str(VERSION), start=10, end=24)
    assert len(services.scopes) == 4
    assert set(services.scopes) == {STRANGER}


def test_a_passage_has_its_place_and_an_address(call, services):
    found = call("search", query="leave", collections=["handbook", "handbook"], filter={"team": "hr"})
    (passage,) = found["structuredContent"]["passages"]
    assert (passage["start"], passage["end"], passage["page"]) == (10, 24, 3)
    assert passage["url"] == f"http://127.0.0.1:8000/v1/citations/{VERSION}?start=10&end=24"
    assert found["structuredContent"]["degraded"] == ["One side is away."]
    assert "It is 26 days." in found["content"][0]["text"]
    assert services.searched[0].collections == ("handbook",)
    assert services.searched[0].filter is not None


def test_without_names_all_collections_are_searched(call, services):
    call("search", query="leave")
    assert services.searched[0].collections == ("handbook", "policies")
    services.names = [f"c{number:03}" for number in range(101)]
    assert "too many" in call("search", query="leave")["content"][0]["text"]
    services.names = []
    assert "no collections" in call("search", query="leave")["content"][0]["text"]


def test_what_was_read_says_that_it_changed(call):
    read = call("read_passage", version_id=str(VERSION), start=10, end=24)
    assert read["structuredContent"]["newer"] is True
    assert "Before. It is 26 days. After." in read["content"][0]["text"]
    assert "has changed" in read["content"][0]["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("read_passage", {"version_id": str(new_id()), "start": 0, "end": 5}, "There is no such version. List them."),
        ("read_passage", {"version_id": "x", "start": 0, "end": 5}, "version_id"),
        ("read_passage", {"version_id": str(VERSION), "start": 0, "end": 2**40}, "end"),
        ("read_passage", {"version_id": str(VERSION), "start": 0, "end": 5, "after": 10**9}, "after"),
        ("search", {"query": "x" * 100_000}, "at most"),
        ("search", {"query": "x", "filter": {"a": {"$where": 1}}}, "$where"),
        ("search", {"query": "x", "collections": []}, "collections"),
        ("list_collections", {"surprise": 1}, "surprise"),
        ("drop_tables", {}, "There is no tool"),
    ],
)
def test_errors_are_errors_of_the_tool_and_say_what_to_do(call, name, arguments, part):
    failed = call(name, **arguments)
    assert failed["isError"] is True
    assert part in failed["content"][0]["text"]


def test_what_nobody_foresaw_is_not_told(call, services):
    services.failure = RuntimeError("a secret")
    failed = call("search", query="leave")
    assert failed["isError"] is True
    assert "secret" not in json.dumps(failed)


@pytest.mark.untraced
def test_the_library_is_imported_with_the_first_request_only():
    program = (
        "import sys\nfrom kaynak.api.application import build\n"
        "print(sorted(name for name in ('mcp', 'mcp_types', 'openai', 'sse_starlette') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
