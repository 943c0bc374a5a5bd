"""Each thing that the log knows is done once through the real routes, and is in the log."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.domain import OWNER, Action
from kaynak.logs import configure_logs
from kaynak.settings import Settings
from kaynak.testing.tiny_model import write_tiny_model

PDF_PARTS = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F 5 0 R >> >> >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
    b"<< /Length 53 >>\nstream\nBT /F 12 Tf 72 700 Td (Leave is granted in May.) Tj ET\nendstream",
    b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
)
PDF = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % part for part in enumerate(PDF_PARTS, 1))
PDF += b"trailer << /Root 1 0 R /Size 6 >>\n%%EOF\n"
PASSWORD = "correct horse battery staple"
HANDBOOK = b"# Leave\n\nEveryone has 26 days of paid leave a year.\n"
ELSEWHERE = {
    Action.SECRETS_ROTATED: "tests/integration/catalog/test_secrets.py",
}
"""What another test does, and looks for."""


class Doors:
    """A client that says what it did not expect."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.token: str | None = None

    async def __call__(self, method: str, path: str, expect: int = 200, **options: Any) -> Any:
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        answer = await self.client.request(method, path, headers=headers, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.headers.get("content-type") == "application/json" else answer


async def documents(do: Doors) -> str:
    """Does what there is to do with documents, as the owner of a laptop; returns the address of one that is left."""
    await do("POST", "/v1/collections", 201, json={"name": "handbook"})
    await do("PATCH", "/v1/collections/handbook", json={"description": "All of it."})
    files = [("file", ("a.md", HANDBOOK)), ("file", ("b.pdf", PDF))]
    sent = await do("POST", "/v1/collections/handbook/documents", 202, files=files)
    job = f"/v1/jobs/{sent['job']['id']}"
    while not (await do("GET", job))["finished_at"]:
        await asyncio.sleep(0.05)
    first, second = (f"/v1/documents/{item['document_id']}" for item in sent["items"])
    await do("PATCH", first, json={"metadata": {"team": "hr"}})
    await do("POST", "/v1/search", json={"query": "leave", "collections": ["handbook"]})
    await do("POST", "/v1/ask", json={"question": "How many days of leave?", "collections": ["handbook"]})
    for path in ("text", "chunks", "content", "view"):
        await do("GET", f"{first}/{path}")
    await do("GET", f"{second}/pages/1.png")
    talk = await do("POST", "/v1/conversations", 201, json={"collections": ["handbook"]})
    await do("GET", f"/v1/conversations/{talk['id']}/export")
    await do("DELETE", f"/v1/conversations/{talk['id']}", 204)
    await do("DELETE", first, 204)
    return second


async def indexes(do: Doors, blobs: Path) -> None:
    """Does what there is to do with what the collection is searched through."""
    path = "/v1/collections/handbook/indexes"
    wanted = {"chunker": {"name": "sentence", "params": {"target_tokens": 20}}}
    made = f"{path}/{(await do('POST', path, 202, json=wanted))['id']}"
    while (await do("GET", made))["state"] != "ready":
        await asyncio.sleep(0.05)
    await do("POST", f"{made}/verify", json={})
    await do("POST", f"{made}/switch", json={"force": True})  # whatever the tiny model makes of it
    await do("POST", f"{path}/rollback")
    await do("DELETE", made, 204)
    next(path for path in blobs.rglob("*") if path.is_file()).unlink()  # something to be mended
    await do("POST", "/v1/doctor/repair")


async def settings(do: Doors) -> None:
    await do("PUT", "/v1/providers/openai/key", json={"key": "sk-something"})
    await do("DELETE", "/v1/providers/openai/key", 204)
    await do("PUT", "/v1/budgets/installation/day", json={"limit": 1})
    await do("DELETE", "/v1/budgets/installation/day", 204)
    await do("PUT", "/v1/audit/policy", json={"query_text": "off"})


async def people(do: Doors, token: str, document: str) -> None:
    """Does what there is to do with people; an administrator is signed in then."""
    root = {"email": "root@example.org", "password": PASSWORD}
    await do("POST", "/v1/auth/setup", json={**root, "token": token})
    signed = await do("POST", "/v1/auth/sign-in", json={"email": root["email"], "password": PASSWORD})
    await do("POST", "/v1/auth/sign-in", 401, json={"email": root["email"], "password": "something else"})
    spare = await do("POST", "/v1/auth/sign-in", json={"email": root["email"], "password": PASSWORD})
    do.token = signed["access_token"]
    await do("POST", "/v1/auth/refresh", json={"refresh_token": spare["refresh_token"]})
    await do("POST", "/v1/auth/refresh", 401, json={"refresh_token": spare["refresh_token"]})
    await do("DELETE", "/v1/me/sessions", 204)
    ada = (await do("POST", "/v1/users", 201, json={"email": "ada@example.org", "password": PASSWORD}))["id"]
    bob = (await do("POST", "/v1/users", 201, json={"email": "bob@example.org", "password": PASSWORD}))["id"]
    await do("PATCH", f"/v1/users/{ada}", json={"name": "Ada", "password": PASSWORD + "!"})
    group = (await do("POST", "/v1/groups", 201, json={"name": "hr"}))["id"]
    await do("PATCH", f"/v1/groups/{group}", json={"description": "Human resources"})
    await do("PUT", f"/v1/groups/{group}/members/{ada}", 204)
    await do("DELETE", f"/v1/groups/{group}/members/{ada}", 204)
    await do("DELETE", f"/v1/groups/{group}", 204)
    await do("PUT", "/v1/collections/handbook/grants/ada@example.org", json={"role": "viewer"})
    await do("PATCH", document, json={"readers": ["ada@example.org"]})
    await do("DELETE", "/v1/collections/handbook/grants/ada@example.org", 204)
    await do("DELETE", "/v1/collections/handbook", 204)
    key = await do("POST", "/v1/me/keys", 201, json={"name": "ci"})
    await do("DELETE", f"/v1/me/keys/{key['key']['id']}", 204)
    await do("GET", "/v1/me/export")
    await do("GET", f"/v1/users/{ada}/export")
    await do("DELETE", f"/v1/users/{ada}?erase=true", 204)
    await do("DELETE", f"/v1/users/{bob}", 204)


async def auditing(do: Doors) -> None:
    await do("GET", "/v1/audit?action=search")
    exported = await do("GET", "/v1/audit/export")
    assert all(json.loads(line)["sequence"] for line in exported.text.splitlines())
    found = await do("POST", "/v1/audit/verify", json={})
    assert found["ok"], found
    again = await do("POST", "/v1/audit/verify", json={"sequence": found["sequence"], "hash": found["hash"]})
    assert again["ok"], again
    assert await do("POST", "/v1/audit/seal", json={"before": "2020-01-01T00:00:00Z"}) == {"segment": None}
    sealed = await do("POST", "/v1/audit/seal", json={"before": "2100-01-01T00:00:00Z"})
    assert (sealed["segment"]["first"], sealed["segment"]["last"] > found["sequence"]) == (1, True)
    await do("POST", "/v1/audit/verify", 422, json={"sequence": 3})
    await do("GET", "/v1/audit?subject=%00", 422)
    await do("POST", "/v1/audit/verify", json={})


def test_each_action_is_written_by_its_door(database_url: str, tmp_path) -> None:
    configure_logs("ERROR", "json")
    write_tiny_model(tmp_path / "model")
    chosen = Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        embedding={"model": str(tmp_path / "model")},
        rates={"sign_in": 5, "general": 0, "ask": 0, "upload": 0, "address": 0},
        _env_file=None,
    )

    async def run() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with Kaynak.open(chosen, worker=True) as kaynak:
            stop = asyncio.Event()
            working = asyncio.create_task(kaynak.worker.run(stop))
            transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
                do = Doors(client)
                document = await documents(do)
                await indexes(do, tmp_path / "data" / "blobs")
                await settings(do)
                await kaynak.identity.oidc_secret.put(OWNER, "hush")  # by a command only
                await kaynak.identity.oidc_secret.remove(OWNER)
                await people(do, await kaynak.identity.setup.open(), document)
                await auditing(do)
                await do("POST", "/v1/auth/sign-out", 204)
                wrong = {"email": "root@example.org", "password": "guess"}
                refused = [await client.post("/v1/auth/sign-in", json=wrong) for _ in range(6)]
                assert 429 in {answer.status_code for answer in refused}
            async for lines in await kaynak.audit.export(OWNER):
                found.extend(json.loads(line) for line in lines.splitlines())
            verified = await kaynak.audit.verify(OWNER)
            assert verified.ok, verified.findings
            stop.set()
            await working
            for file in (tmp_path / "data" / "audit").glob("events-*.jsonl"):
                found.extend(json.loads(line) for line in file.read_text().splitlines())
            return found

    events = asyncio.run(run())
    seen = Counter(event["action"] for event in events)
    assert [action for action in Action if action not in seen and action not in ELSEWHERE] == []
    assert seen[Action.DOCUMENT_UPLOADED] == 2
    assert seen[Action.SEARCHED] == 1
    assert seen[Action.DOCUMENT_READ] == 3
    told = "\n".join(event["details"] or "" for event in events)
    assert PASSWORD not in told
    assert "ada@example.org" not in told
    assert all("@" not in event["subject"] + event["object"] for event in events)
