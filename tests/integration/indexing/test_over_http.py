"""Index generations and the doctor, as a client reaches them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from kaynak.api import create_app
from kaynak.testing.proof.company import opened

pytestmark = pytest.mark.anyio
INDEXES = "/v1/collections/handbook/indexes"


@asynccontextmanager
async def served(database_url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Serves an installation with a worker, in which somebody has put a few texts."""
    async with opened(folder, database_url) as kaynak:
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
                await client.post("/v1/collections", json={"name": "handbook"})
                texts = [
                    ("file", (f"{n}.txt", f"Rule {n} is about lunch, and rule {n} is good.".encode())) for n in range(9)
                ]
                sent = await client.post("/v1/collections/handbook/documents", files=texts)
                await settled(client, f"/v1/jobs/{sent.json()['job']['id']}", "state", "succeeded")
                yield client
        finally:
            stop.set()
            await working


async def settled(client: httpx.AsyncClient, path: str, field: str, value: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (found := (await client.get(path)).json())[field] != value:
            await asyncio.sleep(0.05)
    return found


async def test_another_index_from_estimate_to_removal(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as client:
        (first,) = (await client.get(INDEXES)).json()["items"]
        assert (first["active"], first["state"], first["lag"]) == (True, "ready", 0)
        wanted = {"chunker": {"name": "sentence", "params": {"target_tokens": 20}}}
        estimate = (await client.post(f"{INDEXES}/estimate", json=wanted)).json()
        assert estimate["passages"] == estimate["texts"] == 9
        assert (estimate["price"], estimate["tokens"] > 50, estimate["seconds"] > 0) == (0, True, True)
        begun = await client.post(INDEXES, json=wanted)
        assert begun.status_code == 202
        path = begun.headers["location"]
        assert begun.json()["spec"]["dense"] == first["spec"]["dense"]
        assert (await client.post(INDEXES, json=wanted)).status_code == 409
        built = await settled(client, path, "state", "ready")
        assert (built["chunks"], built["faults"], built["verdict"]) == (9, 0, None)
        assert {one["side"]: one["error"] for one in built["sides"]} == {"dense": None, "lexical": None}
        assert (await client.post(f"{path}/switch", json={})).status_code == 409
        questions = [{"text": f"rule {n} lunch", "documents": [f"{n}.txt"]} for n in range(3)]
        verdict = (await client.post(f"{path}/verify", json={"questions": questions})).json()
        assert verdict["passed"], verdict
        assert [one["name"] for one in verdict["checks"]][-1] == "questions"
        switched = (await client.post(f"{path}/switch", json={})).json()
        assert switched["generation"]["id"] == built["id"]
        found = (await client.post("/v1/search", json={"query": "rule 3", "collections": ["handbook"]})).json()
        assert found["hits"]
        assert not found["degraded"]
        back = (await client.post(f"{INDEXES}/rollback")).json()
        assert back["generation"]["id"] == first["id"]
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404
        assert (await client.post(f"{INDEXES}/rollback")).status_code == 409
        refused = await client.delete(f"{INDEXES}/{first['id']}")
        assert (refused.status_code, "go through" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"dense": {"name": "nothing"}}, 422),
        ({"chunker": {"name": "sentence", "params": {"target": -1}}}, 422),
        ({"embeder": {"name": "minilm"}}, 422),
        ({}, 409),
    ],
)
async def test_what_cannot_be_built_is_refused(
    database_url: str, tmp_path: Path, body: dict[str, Any], status: int
) -> None:
    async with opened(tmp_path, database_url) as kaynak:
        transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            await client.post("/v1/collections", json={"name": "handbook"})
            for path in (INDEXES, f"{INDEXES}/estimate"):
                answer = await client.post(path, json=body)
                assert answer.status_code == (200 if status == 409 and path.endswith("estimate") else status)
            assert (await client.get(f"{INDEXES}/99")).status_code == 404
            assert len((await client.get(INDEXES)).json()["items"]) == 1


async def test_the_doctor_over_http(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as client:
        found = (await client.get("/v1/doctor")).json()
        assert (found["healthy"], found["findings"]) == (True, [])
        assert "pgvector g1" in found["checked"]
        originals = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
        originals[0].unlink()
        found = (await client.post("/v1/doctor/repair")).json()
        assert not found["healthy"]
        assert [(one["where"], one["ailment"]) for one in found["findings"]] == [("originals", "missing")]
