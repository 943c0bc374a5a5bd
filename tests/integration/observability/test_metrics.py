"""What an operator's Prometheus is told, and who may ask for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.catalog import Catalog
from kaynak.domain import OWNER, CatalogUnavailable, EngineUnavailable, GlobalRole, PartSpec, SearchRequest, new_id
from kaynak.indexing import Parts, Wanted
from kaynak.ingestion import Upload
from kaynak.observability import Exposition, Metrics, exposition
from kaynak.testing.proof.company import Company, opened

pytestmark = pytest.mark.anyio
TOKEN = "a token of twenty characters"

WAITING = frozenset({("collection", "handbook"), ("state", "pending")})

Told = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(page: str | bytes) -> Told:
    lines = page.decode() if isinstance(page, bytes) else page
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(lines)
        for sample in family.samples
    }


def value(told: Told, name: str, **labels: str) -> float:
    """Returns the one value that has these labels, among others."""
    wanted = set(labels.items())
    (found,) = [number for (one, its), number in told.items() if one == name and wanted <= its]
    return found


@asynccontextmanager
async def client_of(kaynak: Kaynak) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
        yield client


async def bring(kaynak: Kaynak, *names: str) -> None:
    uploads = [Upload(name, name, f"What {name} says of lunch.".encode()) for name in names]
    sent = await kaynak.intake.submit(OWNER, "handbook", uploads)
    assert sent.job is not None
    async for _ in kaynak.jobs.watch(OWNER, sent.job.id):
        pass


@pytest.fixture
async def kaynak(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kaynak]:
    """An installation with a worker and three documents, whose page is made anew each time."""
    monkeypatch.setattr(exposition, "FRESH_SECONDS", 0.0)
    async with opened(tmp_path, database_url) as made:
        stop = asyncio.Event()
        working = asyncio.create_task(made.worker.run(stop))
        await made.collections.create(OWNER, "handbook")
        await bring(made, "falcon", "heron", "swift")
        yield made
        stop.set()
        await working


async def told_by(kaynak: Kaynak, *, until: Any = lambda told: True) -> Told:
    async with asyncio.timeout(30):
        while not until(found := read(await kaynak.exposition.page())):
            await asyncio.sleep(0.05)
    return found


async def test_indexes_documents_and_jobs(kaynak: Kaynak) -> None:
    told = await told_by(kaynak, until=lambda told: value(told, "kaynak_index_lag_changes", side="lexical") == 0)
    for side, engine in (("dense", "pgvector"), ("lexical", "tantivy")):
        where = {"collection": "handbook", "side": side, "engine": engine}
        assert value(told, "kaynak_index_lag_changes", **where) == 0
        assert value(told, "kaynak_index_waiting", **where) == 0
        assert value(told, "kaynak_index_dead_letters", **where) == 0
        assert value(told, "kaynak_engine_up", side=side, engine=engine) == 1
    assert value(told, "kaynak_documents", collection="handbook", state="ready") == 3
    assert (value(told, "kaynak_jobs", state="succeeded"), value(told, "kaynak_jobs", state="queued")) == (1, 0)
    assert value(told, "kaynak_generation_active") == value(told, "kaynak_generation_state", state="ready") == 1
    assert value(told, "kaynak_build_info") == 1
    assert value(told, "kaynak_generations_left_out") == 0
    assert not any(number for (name, _), number in told.items() if name == "kaynak_scrape_failed")
    beside = await kaynak.indexes.build(OWNER, "handbook", Wanted(chunker=PartSpec("sentence")))
    names = {"generation": str(beside.id), "side": "dense"}
    told = await told_by(kaynak, until=lambda told: value(told, "kaynak_index_lag_changes", **names) == 0)
    assert value(told, "kaynak_generation_active", generation=str(beside.id)) == 0


async def test_an_engine_that_is_away_and_a_document_that_it_cannot_take(
    kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = kaynak.exposition._parts.dense["pgvector"]

    async def away(*_: object) -> None:
        raise EngineUnavailable("The words of an error are in no label.")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "health", away)
        patched.setattr(engine, "apply", away)
        uploads = [Upload("kite", "kite", b"More of lunch.")]
        await kaynak.intake.submit(OWNER, "handbook", uploads)
        told = await told_by(kaynak, until=lambda told: value(told, "kaynak_index_waiting", side="dense") == 1)
        assert value(told, "kaynak_index_lag_changes", side="dense") >= 1
        assert value(told, "kaynak_engine_up", side="dense") == 0
        assert value(told, "kaynak_engine_up", side="lexical") == 1
        errors = {"engine": "pgvector", "side": "dense", "error": EngineUnavailable.type}
        assert value(told, "kaynak_follower_errors_total", **errors) >= 1
    told = await told_by(kaynak, until=lambda told: value(told, "kaynak_index_lag_changes", side="dense") == 0)
    assert value(told, "kaynak_index_waiting", side="dense") == 0
    (document,) = [one.id for one in await kaynak.documents.list(OWNER, "handbook") if one.external_id == "heron"]
    generation = (await kaynak.collections.get(OWNER, "handbook")).generation.id
    async with kaynak.catalog.begin() as unit:
        await unit.index_states.fault(generation, "dense", document, "NaN")
    told = await told_by(kaynak)
    assert value(told, "kaynak_index_dead_letters", side="dense") == 1
    assert value(told, "kaynak_index_dead_letters", side="lexical") == 0


async def test_documents_by_the_state_of_their_newest_version(kaynak: Kaynak) -> None:
    """One is read in its first version and failed in its second; one waits; of one both versions can be read."""
    newer = text(
        "INSERT INTO kaynak.document_versions (id, document_id, number, state, content_hash, filename, size) "
        "VALUES (:id, :document, :number, :state, '', 'f', 1)"
    )
    handbook = await kaynak.collections.get(OWNER, "handbook")
    async with kaynak.catalog.begin() as unit:
        ids = {one.external_id: one.id for one in await unit.documents.list(OWNER, "handbook")}
        waiting, _ = await unit.documents.ensure(handbook.id, "waiting")
        for document, number, state in (
            (ids["heron"], 2, "failed"),
            (waiting, 1, "pending"),
            (ids["swift"], 2, "pending"),
            (ids["swift"], 3, "ready"),
        ):
            values = {"id": new_id(), "document": document, "number": number, "state": state}
            await unit.connection.execute(newer, values)
    listed = Counter(one.state.value for one in await kaynak.documents.list(OWNER, "handbook"))
    told = await told_by(kaynak, until=lambda told: ("kaynak_documents", WAITING) in told)
    assert {dict(labels)["state"]: n for (name, labels), n in told.items() if name == "kaynak_documents"} == listed
    assert listed == {"ready": 2, "failed": 1, "pending": 1}


async def test_searches_and_requests_and_nothing_of_people_or_documents(
    kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(kaynak) as client:
        (document,) = [one.id for one in await kaynak.documents.list(OWNER, "handbook") if one.external_id == "heron"]
        await client.get(f"/v1/documents/{document}/text?version=1")
        await client.post("/v1/search", json={"query": "moonstones", "collections": ["handbook"]})
        await client.post("/v1/search", json={"query": "moonstones", "collections": ["elsewhere"]})
        await client.get("/v1/nothing/moonstones")
        await client.request("BREW", "/v1/search")
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    told = read(answer.text)
    for outcome, count in (("ok", 1), ("degraded", 0), ("refused", 1), ("failed", 0)):
        assert value(told, "kaynak_search_seconds_count", outcome=outcome) == count
    counted = {
        ("GET", "/v1/documents/{document_id}/text", "2xx"): 1,
        ("POST", "/v1/search", "2xx"): 1,
        ("POST", "/v1/search", "4xx"): 1,
        ("GET", "none", "4xx"): 1,
    }
    for (method, route, status), count in counted.items():
        assert value(told, "kaynak_http_requests_total", method=method, route=route, status=status) == count
    assert any(("method", "other") in labels for _, labels in told)
    assert value(told, "kaynak_http_request_seconds_count", method="POST", route="/v1/search") == 2
    for secret in ("heron", "moonstones", str(document), "elsewhere", "lunch"):
        assert secret not in answer.text
    assert "_created" not in answer.text


async def test_a_degraded_search_and_one_that_fails(kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> None:
        raise EngineUnavailable("It is away.")

    request = SearchRequest("lunch at noon", ("handbook",))
    parts = kaynak.exposition._parts
    monkeypatch.setattr(parts.dense["pgvector"], "search", away)
    assert (await kaynak.searcher.search(request, OWNER)).degraded
    monkeypatch.setattr(parts.lexical["tantivy"], "search", away)
    with pytest.raises(EngineUnavailable):
        await kaynak.searcher.search(replace(request, query="another"), OWNER)
    told = await told_by(kaynak)
    assert value(told, "kaynak_search_seconds_count", outcome="degraded") == 1
    assert value(told, "kaynak_search_seconds_count", outcome="failed") == 1


async def test_a_storm_of_scrapes_costs_what_one_does(database_url: str, tmp_path: Path) -> None:
    async with opened(tmp_path, database_url) as kaynak:
        await kaynak.collections.create(OWNER, "handbook")
        times, now = 0, 0.0

        class Counting:
            def read(self) -> Any:
                nonlocal times
                times += 1
                return kaynak.catalog.read()

        catalog: Any = Counting()
        page = Exposition(Metrics(), catalog, kaynak.exposition._parts, clock=lambda: now)
        pages = await asyncio.gather(*(page.page() for _ in range(200)))
        assert len(set(pages)) == 1
        assert times == 3
        now = exposition.FRESH_SECONDS
        await page.page()
        assert times == 6


async def test_counting_documents_takes_a_hundredth_of_the_time(database_url: str, tmp_path: Path) -> None:
    async with opened(tmp_path, database_url) as kaynak:
        counted, now = 0, 0.0

        class Slow:
            async def documents(self, limit: int) -> dict[tuple[str, str], int]:
                nonlocal counted, now
                counted, now = counted + 1, now + 1.5
                return {("handbook", "ready"): counted}

        slow = Exposition(Metrics(), kaynak.catalog, kaynak.exposition._parts, clock=lambda: now)

        class Unit:
            figures = Slow()

        @asynccontextmanager
        async def opens() -> AsyncIterator[Any]:
            yield Unit()

        async def documents() -> float:
            snapshot = exposition.Snapshot("1", "3")
            await slow._counted(snapshot)
            assert snapshot.documents is not None
            return snapshot.documents["handbook", "ready"]

        slow._catalog = type("Slowly", (), {"read": staticmethod(opens)})()  # type: ignore[assignment]
        assert await documents() == 1
        now += 149
        assert await documents() == 1
        now += 2
        assert await documents() == 2


async def test_what_cannot_be_asked_is_left_out_and_named(database_url: str, tmp_path: Path) -> None:
    class Away:
        def read(self) -> Any:
            raise CatalogUnavailable("The database does not answer.")

    async with opened(tmp_path, database_url) as kaynak:
        catalog: Any = Away()
        told = read(await Exposition(Metrics(), catalog, kaynak.exposition._parts).page())
    for part in ("indexes", "jobs", "documents"):
        assert value(told, "kaynak_scrape_failed", part=part) == 1
    assert not any(name in {"kaynak_jobs", "kaynak_documents"} for name, _ in told)
    assert value(told, "kaynak_search_seconds_count", outcome="ok") == 0


async def test_an_engine_that_hangs_does_not_hold_up_the_page(
    catalog: Catalog, kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(exposition, "_PATIENCE_SECONDS", 0.1)
    parts: Parts = kaynak.exposition._parts
    monkeypatch.setattr(parts.dense["pgvector"], "health", hangs)
    async with asyncio.timeout(30):
        told = await told_by(kaynak)
    assert value(told, "kaynak_engine_up", side="dense") == 0


async def test_who_may_scrape(database_url: str, tmp_path: Path) -> None:
    async with opened(tmp_path, database_url) as plain:
        kaynak = replace(plain, settings=plain.settings.model_copy(update={"metrics_token": SecretStr(TOKEN)}))
        async with client_of(kaynak) as client:
            assert (await client.get("/metrics")).status_code == 200  # a laptop without accounts: its owner
        async with Company.of(kaynak) as house:
            auditor, member = await house.hire(role=GlobalRole.AUDITOR.value), await house.hire()
            await house.call(house.admin, "GET", "/metrics", expect=200)
            await house.call(auditor, "GET", "/metrics", expect=200)
            await house.call(member, "GET", "/metrics", expect=403)
            await house.call(house.nobody, "GET", "/metrics")
            key = await house.key(auditor, ["audit.read"], None)
            assert key is not None
            await house.call(key, "GET", "/metrics", expect=200)
            shown = {"Authorization": f"Bearer {TOKEN}"}
            assert (await house.client.get("/metrics", headers=shown)).status_code == 200
            assert (await house.client.get("/metrics", headers={"X-API-Key": TOKEN})).status_code == 200
            for path in ("/v1/collections", "/v1/audit", "/v1/me"):
                assert (await house.client.get(path, headers=shown)).status_code == 401
            for wrong in ("", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ü"):
                given = {"Authorization": wrong.encode("latin-1")}
                assert (await house.client.get("/metrics", headers=given)).status_code == 401
