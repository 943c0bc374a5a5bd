"""The routes over the real services: PostgreSQL, the real model, both engines, a worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.domain import OWNER, GenerationSpec
from kaynak.logs import configure_logs
from kaynak.settings import EmbeddingSettings, LimitSettings, Settings
from kaynak.testing.tiny_model import write_tiny_model

HANDBOOK = """# Leave

Everyone has 26 days of paid leave a year.

# Lunch

Lunch is served at noon in the canteen on the second floor.
"""


LARGE = {"a": "x" * 99_999}


@asynccontextmanager
async def application(database_url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    configure_logs("ERROR", "json")
    settings = Settings(
        data_dir=folder,
        database_url=database_url,
        limits=LimitSettings(upload_mb=1, request_documents=50),
        _env_file=None,
    )
    async with Kaynak.open(settings, worker=True) as kaynak:
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            yield client
        stop.set()
        await working


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Callable[[Callable[[httpx.AsyncClient], Awaitable[None]]], None]:
    def run_scenario(scenario: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
        async def opened() -> None:
            async with application(database_url, tmp_path) as client:
                await scenario(client)

        asyncio.run(opened())

    return run_scenario


async def finished(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """Follows the job of an upload to its end, through its event stream."""
    assert answer.status_code == 202, answer.text
    stream = await client.get(f"/v1/jobs/{answer.json()['job']['id']}/events")
    last = stream.text.strip().split("\n\n")[-1]
    assert last.startswith("event: done\n")
    job = json.loads(last.partition("data: ")[2])
    assert job["state"] == "succeeded", job
    return job


def test_from_upload_to_cited_answer_to_nothing_left(run):
    async def scenario(client: httpx.AsyncClient) -> None:
        ready = await client.get("/ready")
        assert ready.status_code == 200, ready.text
        made = await client.post("/v1/collections", json={"name": "handbook"})
        assert made.status_code == 201, made.text
        files = [("file", ("handbook.md", HANDBOOK.encode())), ("file", ("empty.txt", b""))]
        answer = await client.post(
            "/v1/collections/handbook/documents", files=files, data={"metadata": '{"team": "hr"}'}
        )
        items = {item["external_id"]: item for item in answer.json()["items"]}
        job = await finished(client, answer)
        failed = (await client.get(f"/v1/jobs/{job['id']}/items")).json()["items"]
        assert {item["external_id"]: item["outcome"] for item in failed}["handbook.md"] == "added"
        assert {item["external_id"]: item["error_code"] for item in failed}.get("empty.txt", "empty") == "empty"
        number = items["handbook.md"]["document_id"]

        body = {"query": "days of paid leave", "collections": ["handbook"], "filter": {"team": "hr"}}
        found = await client.post("/v1/search", json=body)
        assert found.status_code == 200, found.text
        hit = found.json()["hits"][0]
        text = (await client.get(f"/v1/documents/{number}/text")).json()
        assert hit["text"] == text["text"][hit["span"]["start"] : hit["span"]["end"]]
        assert "total;dur=" in found.headers["server-timing"]

        asked = await client.post(
            "/v1/ask", json={"question": "How many days of paid leave are there?", "collections": ["handbook"]}
        )
        citation = asked.json()["citations"][0]
        assert citation["quote"] == text["text"][citation["span"]["start"] : citation["span"]["end"]]
        assert "26 days" in citation["quote"]

        original = await client.get(f"/v1/documents/{number}/content")
        assert original.content == HANDBOOK.encode()
        chunks = (await client.get(f"/v1/documents/{number}/chunks")).json()["items"]
        assert all(c["text"] == text["text"][c["span"]["start"] : c["span"]["end"]] for c in chunks)

        changed = await client.patch(f"/v1/documents/{number}", json={"metadata": {"team": "it"}})
        revision = changed.json()["revision"]
        fresh = {**body, "min_revision": {"handbook": revision}}
        assert (await client.post("/v1/search", json=fresh)).json()["hits"] == []

        assert (await client.delete(f"/v1/documents/{number}")).status_code == 204
        body.pop("filter")
        assert (await client.post("/v1/search", json=body)).json()["hits"] == []
        assert (await client.get(f"/v1/documents/{number}/text")).status_code == 404
        assert (await client.delete("/v1/collections/handbook")).status_code == 204

    run(scenario)


def test_another_title_is_found_by_words_at_once_and_a_job_embeds_it(run):
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/v1/collections", json={"name": "handbook"})
        documents = {"documents": [{"external_id": "a", "text": "Everyone has 26 days of it."}]}
        answer = await client.post("/v1/collections/handbook/documents/batch", json=documents)
        await finished(client, answer)
        number = answer.json()["items"][0]["document_id"]
        changed = await client.patch(f"/v1/documents/{number}", json={"title": "Annual leave"})
        assert (changed.status_code, changed.json()["title"]) == (202, "Annual leave")
        job = (await client.get(changed.headers["location"])).json()
        await finished(client, httpx.Response(202, json={"job": job}))
        again = await client.patch(f"/v1/documents/{number}", json={"title": "Annual leave", "metadata": {"year": 1}})
        assert again.status_code == 200
        assert "location" not in again.headers

    run(scenario)


def test_bad_input_is_refused_and_nothing_is_a_500(run):
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/v1/collections", json={"name": "c"})
        added = await client.post(
            "/v1/collections/c/documents", json={"external_id": "a", "text": "Something to find.", "metadata": {"x": 1}}
        )
        await finished(client, added)
        search = {"query": "something", "collections": ["c"]}
        cases = [
            ("POST", "/v1/search", {**search, "collections": ["nowhere"]}, 404),
            ("POST", "/v1/search", {**search, "query": "x" * 100_000}, 422),
            ("POST", "/v1/search", {**search, "query": "  "}, 422),
            ("POST", "/v1/search", {**search, "filter": {"a": {"$where": 1}}}, 422),
            ("POST", "/v1/search", {**search, "filter": {"_title": {"$gt": "a"}, "x.y.z": {"$in": [1, None]}}}, 200),
            ("POST", "/v1/search", {**search, "query": "?!"}, 200),
            ("POST", "/v1/search", {**search, "query": '"unclosed AND (OR* ~ \\'}, 200),
            ("POST", "/v1/search", {**search, "query": "🜁 עברית \u202e"}, 200),
            ("POST", "/v1/search", {**search, "explain": True, "explain_document": "nothing"}, 200),
            ("POST", "/v1/search", {**search, "limit": 200, "offset": 10_000}, 200),
            ("POST", "/v1/search", {**search, "min_revision": {"nowhere": 1}}, None),
            ("POST", "/v1/search", {**search, "min_revision": {"c": -1}}, None),
            ("POST", "/v1/ask", {"question": "?", "collections": ["c"]}, 200),
            ("POST", "/v1/collections", {"name": "c"}, 409),
            ("POST", "/v1/collections", {"name": "d", "embedder": {"name": "unheard-of"}}, None),
            ("POST", "/v1/collections", {"name": "d", "dense": {"name": "unheard-of"}}, None),
            ("POST", "/v1/collections", {"name": "d", "chunker": {"name": "fixed", "params": {"size": "x"}}}, None),
            ("POST", "/v1/collections", {"name": "d", "language": "xx"}, None),
            ("POST", "/v1/collections/c/documents", {"external_id": "\u200b", "text": "x"}, None),
            ("POST", "/v1/collections/c/documents", {"external_id": "a" * 1024, "text": "x"}, None),
            ("POST", "/v1/collections/c/documents", {"external_id": "b", "text": ""}, None),
            ("POST", "/v1/collections/c/documents", {"external_id": "b", "text": "x", "metadata": {"x": 10**30}}, None),
            ("POST", "/v1/collections/c/documents", {"external_id": "b", "text": "x", "metadata": {"a.b$": 1}}, None),
            (
                "POST",
                "/v1/collections/c/documents",
                {"external_id": "b", "text": "x", "metadata": {"a": "x" * 99999}},
                None,
            ),
            ("GET", "/v1/collections/c/documents?after=garbage", None, 422),
            ("GET", "/v1/collections/c/documents?filter={", None, 422),
            ("GET", "/v1/jobs/00000000-0000-7000-8000-000000000000/events", None, 404),
            ("GET", f"/v1/documents/00000000-0000-7000-8000-000000000000/text?version={2**31 - 1}", None, 404),
        ]
        for method, path, body, status in cases:
            answer = await client.request(method, path, json=body)
            assert answer.status_code != 500, (path, body, answer.text)
            assert status is None or answer.status_code == status, (path, body, answer.text)

    run(scenario)


def test_the_same_id_sent_at_once_becomes_one_document(run):
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/v1/collections", json={"name": "c"})
        bodies = [{"external_id": "same", "text": f"Text number {n % 3}."} for n in range(12)]
        answers = await asyncio.gather(*(client.post("/v1/collections/c/documents", json=body) for body in bodies))
        assert {answer.status_code for answer in answers} <= {200, 202}
        for answer in answers:
            if answer.status_code == 202:
                await finished(client, answer)
        documents = (await client.get("/v1/collections/c/documents")).json()["items"]
        assert [document["external_id"] for document in documents] == ["same"]
        assert documents[0]["state"] == "ready"

    run(scenario)


def test_lists_page_through_everything_once(run):
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/v1/collections", json={"name": "c"})
        documents = [{"external_id": f"d{n:02}", "text": f"Text {n}."} for n in range(23)]
        added = await client.post("/v1/collections/c/documents/batch", json={"documents": documents})
        job = await finished(client, added)
        for path in ("/v1/collections/c/documents", f"/v1/jobs/{job['id']}/items"):
            seen, after = [], None
            while True:
                params = {"limit": 5, **({"after": after} if after else {})}
                page = (await client.get(path, params=params)).json()
                seen += [item["external_id"] for item in page["items"]]
                after = page["next"]
                if after is None:
                    break
            assert sorted(seen) == [f"d{n:02}" for n in range(23)], path

    run(scenario)


def test_the_model_of_the_settings_is_that_of_new_collections(database_url: str, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model")
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        embedding=EmbeddingSettings(model=str(model)),
        _env_file=None,
    )

    async def scenario() -> None:
        async with Kaynak.open(settings) as kaynak:
            usual = await kaynak.collections.create(OWNER, "usual")
            other = await kaynak.collections.create(OWNER, "other", spec=GenerationSpec())
        assert (usual.generation.spec.embedder.name, usual.generation.dimensions) == (str(model), 32)
        assert (other.generation.spec.embedder.name, other.generation.dimensions) == ("minilm", 384)

    asyncio.run(scenario())
