"""The table of permissions in the documentation is what the routes do: each is tried by everybody.

    KAYNAK_WRITE_DOCS=1 python -m pytest tests/integration/permissions/test_matrix.py

writes the table anew.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from kaynak.api.openai.names import embedding_id
from kaynak.domain import OWNER, GlobalRole, PartSpec, new_id
from kaynak.indexing import Wanted

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[3] / "docs" / "permissions.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"

ROLES = {
    "signed out": "nobody",
    "no role": "nina@example.org",
    "viewer": "vera@example.org",
    "editor": "emre@example.org",
    "owner": "anna@example.org",
    "auditor": "otto@example.org",
    "administrator": "root@example.org",
}
CELLS = {401: "sign in", 403: "no", 404: "not there"}

GOOD = (200, 201, 202, 204, 409)

OWN = ("/v1/auth/", "/v1/me", "/v1/streams/", "/v1/collections/{collection}/documents/url")
"""Signing in is for everybody, accounts and streams are one's own; what is fetched from the web is another table."""
DIALECTS = (
    ("POST", "/v1/chat/completions", "OpenAI: answer"),
    ("POST", "/v1/embeddings", "OpenAI: embed"),
    ("GET", "/v1/models", "OpenAI: list models"),
    ("GET", "/v1/models/{model}", "OpenAI: show a model"),
    ("POST", "/mcp", "MCP: list tools"),
)
QUERIES = {
    "/v1/search": "?q=lunch&collection={collection}",
    "/v1/conversations/search": "?q=lunch",
    "/v1/conversations/{conversation}/export": "?format=json",
    "/v1/citations/{version_id}": "?start=0&end=5",
}
LAST = "/v1/collections/{collection}"
ORDER = ("GET", "POST", "PATCH", "PUT", "DELETE")


_SESSION = "INSERT INTO kaynak.sessions (id, user_id, expires_at) VALUES (:session, :user, now() + interval '1 day')"
_KEY = (
    "INSERT INTO kaynak.api_keys (id, user_id, name, hash, hint, permissions) "
    "VALUES (:key, :user, 'k', :hash, 'kyn_…', '{}')"
)


class Trial:
    """Fresh things of one collection, for one person to try every route on."""

    def __init__(self, company: Any, who: str) -> None:
        self.company, self.who = company, who
        self.names: dict[str, str] = {}

    async def prepare(self) -> None:
        company = self.company
        collection = await company.collection()
        found = await company.document(collection, "shared.txt")
        version = await company.kaynak.documents.text(OWNER, found.id)
        (job,) = await company.kaynak.jobs.list(OWNER, collection=collection)
        email, group = f"{new_id()}@example.org", f"group-{new_id()}"
        await company.hire(email, groups=(group,))
        beside = await company.kaynak.indexes.build(OWNER, collection, Wanted(chunker=PartSpec("sentence")))
        session, key = new_id(), new_id()
        async with company.kaynak.catalog.begin() as unit:
            values = {"user": company.ids[email], "session": session, "key": key, "hash": key.bytes}
            for statement in (_SESSION, _KEY):
                await unit.connection.execute(text(statement), values)
        self.names = {
            "collection": collection,
            "document_id": str(found.id),
            "version_id": str(version.version_id),
            "job_id": str(job.id),
            "number": "1",
            "generation": str(beside.id),
            "model": f"kaynak/{collection}",
            "embedder": embedding_id(company.kaynak.settings.embedding.model),
            "principal": "vera@example.org",
            "provider": "openai",
            "kind": "installation",
            "period": "day",
            "person": str(company.ids[email]),
            "group": str(company.ids[group]),
            "session": str(session),
            "key": str(key),
            "conversation": str(new_id()),
            "message": str(new_id()),
        }
        made = await company.call(self.who, "POST", "/v1/conversations", json={"collections": [collection]})
        if made.status_code == 201:
            self.names["conversation"] = made.json()["id"]
            path = f"/v1/conversations/{made.json()['id']}/messages"
            asked = await company.call(self.who, "POST", path, json={"question": "When is lunch served?"})
            self.names["message"] = asked.json()["id"]

    def body(self, path: str, example: Any) -> Any:
        """Returns what to send: the example of the documentation, about our things."""
        collection = self.names["collection"]
        given = {
            "/v1/search": {"query": "lunch", "collections": [collection]},
            "/v1/ask": {"question": "When is lunch?", "collections": [collection]},
            "/v1/conversations": {"collections": [collection]},
            "/v1/conversations/{conversation}": {"title": "Lunch"},
            "/v1/collections/{collection}": {"description": "Of all."},
            "/v1/collections/{collection}/documents/delete": {"filter": {"_id": "none.txt"}},
            "/v1/collections": {"name": f"made-{new_id()}"},
            "/v1/users": {"email": f"{new_id()}@example.org"},
            "/v1/users/{person}": {"name": "Ada"},
            "/v1/users/{person}/keys": {"name": "k", "permissions": ["documents.read"]},
            "/v1/groups": {"name": f"group-{new_id()}"},
            "/v1/groups/{group}": {"description": "Of all."},
            "/v1/chat/completions": {
                "model": self.names["model"],
                "messages": [{"role": "user", "content": "When is lunch?"}],
            },
            "/v1/embeddings": {"model": self.names["embedder"], "input": "lunch"},
            "/v1/providers/{provider}/key": {"key": "sk-0123456789abcdef"},
            "/mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        }
        return given.get(path, example)

    async def outcome(self, method: str, path: str, example: Any) -> str:
        """Returns what becomes of the request, in a word."""
        address = (path + QUERIES.get(path if method == "GET" else "", "")).format(**self.names)
        more: dict[str, Any] = {}
        if method in {"POST", "PUT", "PATCH"}:
            more["json"] = self.body(path, example)
        if path == "/mcp":
            more["headers"] = {"accept": "application/json, text/event-stream"}
        answer = await self.company.call(self.who, method, address, **more)
        assert answer.status_code < 500, (method, path, answer.text)
        assert answer.status_code in GOOD or answer.status_code in CELLS, (method, path, answer.text)
        missing_page = path.endswith(".png") and "no page" in answer.text
        return "yes" if missing_page else CELLS.get(answer.status_code, "yes")


async def operations(company: Any) -> AsyncIterator[tuple[str, str, str, Any]]:
    """Yields method, path, summary and example of each route, those that take things away last."""
    document = (await company.client.get("/openapi.json")).json()
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            schema = document["components"]["schemas"].get(name, {})
            example = next(iter(schema.get("examples", [])), {})
            found.append((method.upper(), path, operation["summary"], example))
    found += [(method, path, summary, {}) for method, path, summary in DIALECTS]
    wanted = [one for one in found if not one[1].startswith(OWN)]

    # A collection goes after its documents, a person after their keys.
    def turn(one: tuple[str, str, str, Any]) -> tuple[Any, ...]:
        method, path, *_ = one
        return ORDER.index(method), method == "DELETE" and -path.count("/"), path == LAST, path

    for one in sorted(wanted, key=turn):
        yield one


async def table(company: Any) -> str:
    """Returns the table as it is."""
    trials = {role: Trial(company, who) for role, who in ROLES.items()}
    for trial in trials.values():
        await trial.prepare()
    rows = []
    async for method, path, summary, example in operations(company):
        cells = [await trial.outcome(method, path, example) for trial in trials.values()]
        rows.append((path, ORDER.index(method), f"| `{method} {path}` | {summary} | {' | '.join(cells)} |"))
    head = f"| request | what | {' | '.join(ROLES)} |\n|{' --- |' * (len(ROLES) + 2)}"
    return "\n".join([head, *(row for _, _, row in sorted(rows))])


@pytest.mark.slow
@pytest.mark.untraced
async def test_the_table_in_the_documentation_is_what_the_routes_do(company):
    await company.hire("spare@example.org", GlobalRole.ADMINISTRATOR)
    found = await table(company)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get("KAYNAK_WRITE_DOCS"):
        PAGE.write_text(f"{before}{BEGIN}\n\n{found}\n\n{END}{after}", encoding="utf-8")
        return
    assert shown.strip() == found, "write it anew: see the head of this file"
