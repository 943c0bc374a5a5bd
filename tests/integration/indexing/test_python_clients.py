"""Index generations and the doctor, by the Python clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.client import AsyncClient, Client, indexes
from kaynak.domain import (
    OWNER,
    Ailment,
    Conflict,
    EngineUnavailable,
    GenerationNotFound,
    GenerationState,
    IndexGeneration,
    InvalidRequest,
    KaynakError,
    Making,
    PartSpec,
)
from kaynak.ingestion import Upload
from kaynak.testing.proof.company import opened

pytestmark = pytest.mark.anyio
SENTENCES = PartSpec("sentence", {"target_tokens": 20})


@pytest.fixture
async def kaynak(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kaynak]:
    monkeypatch.setattr(indexes, "LOOK_SECONDS", 0.05)
    async with opened(tmp_path, database_url) as made:
        stop = asyncio.Event()
        working = asyncio.create_task(made.worker.run(stop))
        await made.collections.create(OWNER, "handbook")
        uploads = [Upload(f"{n}.txt", f"{n}.txt", f"Rule {n} is about lunch, and is good.".encode()) for n in range(9)]
        sent = await made.intake.submit(OWNER, "handbook", uploads)
        assert sent.job is not None
        async for _ in made.jobs.watch(OWNER, sent.job.id):
            pass
        yield made
        stop.set()
        await working


async def test_a_generation_from_estimate_to_removal(kaynak: Kaynak, tmp_path: Path) -> None:
    transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
    async with AsyncClient("http://127.0.0.1", transport=transport) as client:
        (first,) = await client.indexes("handbook")
        (known,) = await kaynak.indexes.list(OWNER, "handbook")
        assert first.generation == known.generation
        estimate = await client.estimate_index("handbook", chunker=SENTENCES)
        assert (estimate.passages, estimate.price) == (9, 0)
        begun = await client.build_index("handbook", chunker=SENTENCES)
        assert begun.generation.spec.chunker == SENTENCES
        with pytest.raises(Conflict):
            await client.build_index("handbook", chunker=SENTENCES)
        with pytest.raises(InvalidRequest):
            await client.build_index("handbook", dense=PartSpec("nothing"))
        seen: list[IndexGeneration] = []
        built = await client.wait_index("handbook", begun.id, progress=seen.append)
        assert (built.state, built.chunks, built.lag, built.faults) == (GenerationState.READY, 9, 0, 0)
        assert seen[-1] == built
        assert {one.side for one in built.sides} == {"dense", "lexical"}
        with pytest.raises(Conflict):
            await client.switch_index("handbook", built.id)
        questions = {f"rule {n} lunch": [f"{n}.txt"] for n in range(3)}
        verdict = await client.verify_index("handbook", built.id, questions=questions)
        assert verdict.passed
        assert verdict.checks[-1].name == "questions"
        assert (await client.index("handbook", built.id)).verdict == verdict
        assert (await client.switch_index("handbook", built.id)).generation.id == built.id
        assert (await client.rollback_index("handbook")).generation.id == first.id
        await client.delete_index("handbook", built.id)
        with pytest.raises(GenerationNotFound):
            await client.index("handbook", built.id)
        assert (await client.doctor()).healthy
        originals = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
        originals[0].unlink()
        found = await client.repair()
        assert not found.healthy
        assert [(one.where, one.ailment) for one in found.findings] == [("originals", Ailment.MISSING)]


async def test_what_is_being_made_is_told_as_it_is_at_that_moment(
    kaynak: Kaynak, monkeypatch: pytest.MonkeyPatch
) -> None:
    making: list[Making | KaynakError] = [
        Making("building the graph", 0.5),
        EngineUnavailable("It is away."),
        Making("…"),
    ]

    async def unfinished(name: str) -> Making:
        told = making.pop(0)
        if isinstance(told, KaynakError):
            raise told
        return told

    (only,) = await kaynak.indexes.list(OWNER, "handbook")
    engine = kaynak.indexes._parts.dense_of(only.generation)
    monkeypatch.setattr(engine, "unfinished", unfinished, raising=False)
    monkeypatch.setattr(engine, "capabilities", replace(engine.capabilities, finishes=True))
    transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
    async with AsyncClient("http://127.0.0.1", transport=transport) as client:
        for wanted in (Making("building the graph", 0.5), None, Making("…")):
            (found,) = await client.indexes("handbook")
            assert [one.making for one in found.sides] == [wanted, None]


async def test_without_await(kaynak: Kaynak) -> None:
    loop = asyncio.get_running_loop()
    transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
    patience: list[float] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        async with httpx.AsyncClient(transport=transport) as inner:
            given = await inner.request(
                request.method, request.url, headers=dict(request.headers), content=request.content
            )
        return httpx.Response(given.status_code, content=given.content, headers={"content-type": "application/json"})

    def forward(request: httpx.Request) -> httpx.Response:
        patience.append(request.extensions["timeout"]["read"])
        return asyncio.run_coroutine_threadsafe(answer(request), loop).result()

    def use() -> None:
        with Client("http://127.0.0.1", transport=httpx.MockTransport(forward)) as client:
            begun = client.build_index("handbook", chunker=SENTENCES)
            built = client.wait_index("handbook", begun.id)
            assert built.state is GenerationState.READY
            assert client.indexes("handbook")[0].id == built.id
            assert client.verify_index("handbook", built.id, sample=5).passed
            assert client.switch_index("handbook", built.id).generation.id == built.id
            assert client.rollback_index("handbook").generation.id < built.id
            assert client.delete_index("handbook", built.id) is None
            assert client.doctor().healthy

    await asyncio.to_thread(use)
    # Comparing everything takes as long as there is much of it.
    assert set(patience) == {60.0, 3600.0}
