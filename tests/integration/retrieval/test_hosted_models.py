"""The real application with an embedding model and a re-ranker of providers, on a local server."""

from __future__ import annotations

import asyncio

import pytest

from kaynak.app import Kaynak
from kaynak.domain import OWNER, JobState, PartSpec, SearchRequest
from kaynak.indexing import Wanted
from kaynak.ingestion import Upload
from kaynak.settings import Settings
from kaynak.testing.services import KEY, ServiceFault, ServiceServer

pytestmark = pytest.mark.anyio

PAGES = {
    "leave": "Everyone has 26 days of paid leave a year.",
    "lunch": "Lunch is served at noon on the second floor.",
    "boats": "Boats sail on the sea in spring.",
}


@pytest.fixture
def server():
    with ServiceServer() as running:
        yield running


@pytest.fixture
async def kaynak(server, database_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url=database_url,
        embedding={"model": "openai:text-embedding-3-small@48"},
        search={"reranker": "cohere:rerank-v3.5"},
        models={"providers": {"cohere": {"url": server.url("cohere"), "key_env": ["COHERE_API_KEY"]}}},
        _env_file=None,
    )
    async with Kaynak.open(settings, worker=True) as opened:
        stop = asyncio.Event()
        working = asyncio.create_task(opened.worker.run(stop))
        yield opened
        stop.set()
        await working


async def bring(kaynak):
    await kaynak.collections.create(OWNER, "handbook")
    uploads = [Upload(name, f"{name}.txt", text.encode()) for name, text in PAGES.items()]
    submission = await kaynak.intake.submit(OWNER, "handbook", uploads)
    async with asyncio.timeout(60):
        ends = [job async for job in kaynak.jobs.watch(OWNER, submission.job.id)]
    assert ends[-1].state is JobState.SUCCEEDED, ends[-1].error


async def test_from_documents_to_passages_and_what_is_left_when_all_are_away(kaynak, server):
    await bring(kaynak)
    collection = await kaynak.collections.get(OWNER, "handbook")
    assert collection.generation.dimensions == 48
    assert all(one.dimensions == 48 for one in server.asked)
    asked = SearchRequest("days of paid leave", ("handbook",), explain=True)
    result = await kaynak.searcher.search(asked, OWNER)
    assert result.degraded == ()
    assert result.hits[0].external_id == "leave"
    assert {"embed", "dense", "rerank"} <= result.trace.stages.keys()
    signals = result.trace.collections["handbook"]["signals"]
    assert signals["foreign"] == 0  # nothing is known of languages: the side keeps its weight

    server.fault = ServiceFault.OVERLOADED
    result = await kaynak.searcher.search(SearchRequest("lunch at noon", ("handbook",)), OWNER)
    assert result.hits[0].external_id == "lunch"
    assert len(result.degraded) == 1  # one passage needs no order
    assert "by meaning" in result.degraded[0]
    result = await kaynak.searcher.search(SearchRequest("is leave on the sea", ("handbook",)), OWNER)
    assert result.hits
    assert "not re-ranked" in result.degraded[-1]


async def test_an_estimate_sends_no_document(kaynak, server):
    await bring(kaynak)
    server.requests.clear()
    wanted = Wanted(embedder=PartSpec("openai:text-embedding-3-large"))
    estimate = await kaynak.estimating.estimate(OWNER, "handbook", wanted)
    assert estimate.texts == 3
    assert estimate.seconds is None
    assert estimate.price == pytest.approx(0.13 * estimate.tokens / 1_000_000)
    sent = [text for one in server.asked for text in one.texts]
    assert len(sent) == 1
    assert "number of dimensions" in sent[0]
