"""A real Milvus server that is written to by one process, searched by another, and killed meanwhile."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kaynak.catalog import Catalog
from kaynak.domain import OWNER, EngineUnavailable, GenerationState, JobState, PartSpec, SearchRequest
from kaynak.engines import MilvusOptions
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.tantivy import TantivyEngine
from kaynak.indexing import Doctor, Indexes, Wanted, follower, preparing
from kaynak.retrieval import Searcher, Verifier
from kaynak.testing.workshop import MEMORY, Workshop

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus import MilvusEngine
from kaynak.testing.milvus_server import CannotIsolate, MilvusServer, has_milvus, milvus_server

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(60)}


class Power:
    """Starts and kills the server while a test goes on.

    It dies with the thread that started it: that is one of the whole module, and not one of a test's event loop.
    """

    def __init__(self, server: MilvusServer, hand: ThreadPoolExecutor) -> None:
        self.uri = server.uri
        self._server = server
        self._hand = hand

    async def off(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._hand, self._server.stop)

    async def on(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._hand, self._server.start)


@pytest.fixture(scope="module")
def power() -> Iterator[Power]:
    if not has_milvus():
        pytest.skip("the wheel milvus is not installed")
    try:
        with ThreadPoolExecutor(1) as hand, milvus_server() as server:
            yield Power(server, hand)
    except CannotIsolate as exc:
        pytest.skip(str(exc))


@pytest.fixture
async def workshop(
    power: Power, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workshop]:
    # Small portions, so that there is a middle in which it can be killed.
    monkeypatch.setattr(follower, "CHANGES", 4)
    monkeypatch.setattr(preparing, "SLICE", 4)
    milvus = MilvusEngine(MilvusOptions(uri=power.uri, seconds=5.0), tmp_path / "unused")
    dense = {"memory": MemoryDense(), "milvus": milvus}
    made = Workshop(catalog, tmp_path, dense=dense, lexical={"memory": MemoryLexical()})
    yield made
    for one in await Indexes(catalog, made.parts, made.followers).list(OWNER, "handbook"):
        await milvus.drop(one.generation.key)
    await milvus.close()


@pytest.fixture
async def searcher(workshop: Workshop) -> AsyncIterator[Searcher]:
    made = Searcher(workshop.catalog, workshop.parts, workshop.followers)
    yield made
    await made.close()


async def until(true: Callable[[], object], seconds: float = 100.0) -> None:
    """Waits until something, which may be a coroutine, is true."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.05)


async def assert_whole(workshop: Workshop, key: str, chunks: int) -> None:
    assert await workshop.dense["milvus"].count(key) == chunks
    examination = await Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers).examine(OWNER)
    assert examination.findings == ()
    assert not examination.unchecked
    assert f"milvus {key}" in examination.checked


async def test_a_build_waits_for_a_server_that_was_killed_and_goes_on(
    workshop: Workshop, power: Power, searcher: Searcher
) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("milvus")))
    key, milvus = begun.generation.key, workshop.dense["milvus"]
    async with workshop.working():

        async def begins() -> bool:
            return await milvus.count(key) > 0

        await until(begins)
        await power.off()

        async def says_why() -> bool:
            now = await indexes.get(OWNER, "handbook", begun.id)
            assert now.state is GenerationState.BUILDING
            return any("Milvus does not answer" in one.error for one in now.sides if one.error)

        await until(says_why)
        found = await searcher.search(SearchRequest("text of document 7", ("handbook",)), OWNER)
        assert found.hits
        assert found.degraded == ()
        await power.on()

        async def built() -> bool:
            return (await indexes.get(OWNER, "handbook", begun.id)).state is GenerationState.READY

        await until(built)
        # Nothing is left to say once it is there.
        await until(lambda: _quiet(indexes, begun.id))
    verifier = Verifier(workshop.catalog, workshop.parts, workshop.followers, indexes)
    verdict = await verifier.verify(OWNER, "handbook", begun.id, sample=20)
    assert verdict.passed, verdict
    ids = [key async for key, _ in milvus.scan(begun.generation.key)]
    assert len(ids) == len(set(ids)) == len(SOME)
    await assert_whole(workshop, key, len(SOME))


async def _quiet(indexes: Indexes, number: int) -> bool:
    return not any(one.error for one in (await indexes.get(OWNER, "handbook", number)).sides)


async def test_words_answer_for_a_server_that_was_killed_until_it_is_back(
    workshop: Workshop, power: Power, searcher: Searcher
) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    begun = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("milvus")))
    key = begun.generation.key
    request = SearchRequest("text of document 7", ("handbook",))
    async with workshop.working():
        await until(lambda: _ready(indexes, begun.id))
        await indexes.switch(OWNER, "handbook", begun.id, force=True)
        found = await searcher.search(request, OWNER)
        assert found.hits
        assert found.degraded == ()
        await power.off()
        found = await searcher.search(request, OWNER)
        assert found.hits
        (sentence,) = found.degraded
        assert "Milvus does not answer" in sentence
        job = await workshop.done(await workshop.send({"new": "Badgers dig.\n\nThey dig at night."}))
        assert job.state is JobState.SUCCEEDED
        found = await searcher.search(SearchRequest("badgers", ("handbook",)), OWNER)
        assert found.hits[0].external_id == "new"
        assert found.degraded
        await power.on()

        async def caught_up() -> bool:
            try:
                latest = (await workshop.collections.get(OWNER, "handbook")).revision
                return await workshop.dense["milvus"].revision(key) >= latest
            except EngineUnavailable:
                return False

        await until(caught_up)
        found = await searcher.search(request, OWNER)
        assert found.degraded == ()
    await assert_whole(workshop, key, len(SOME) + 1)


async def _ready(indexes: Indexes, number: int) -> bool:
    return (await indexes.get(OWNER, "handbook", number)).state is GenerationState.READY


SEARCHING = """
import asyncio, sys
from pathlib import Path
from kaynak.catalog import Catalog
from kaynak.domain import OWNER, SearchMode, SearchRequest
from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusEngine
from kaynak.engines.tantivy import TantivyEngine
from kaynak.retrieval import Searcher
from kaynak.testing.workshop import Workshop

async def main(url, uri, folder):
    catalog = await Catalog.open(url, pool_size=3)
    dense, lexical = MilvusEngine(MilvusOptions(uri=uri), folder), TantivyEngine(folder / "tantivy")
    shop = Workshop(catalog, folder, dense={"milvus": dense}, lexical={"tantivy": lexical})
    searcher = Searcher(catalog, shop.parts, shop.followers)
    for line in sys.stdin:
        revision, text = line.rstrip().split(" ", 1)
        least = {"handbook": int(revision)}
        request = SearchRequest(text, ("handbook",), mode=SearchMode.DENSE, min_revision=least, limit=3)
        found = await searcher.search(request, OWNER)
        print(*[hit.external_id for hit in found.hits], *found.degraded, flush=True)
    await searcher.close()
    for engine in (dense, lexical):
        await engine.close()
    await catalog.close()

asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
"""


async def test_a_search_elsewhere_that_names_a_revision_finds_what_was_written(
    power: Power, catalog: Catalog, database_url: str, tmp_path: Path
) -> None:
    """Also where another process, with a connection of its own, has written it a moment ago."""
    milvus, tantivy = MilvusEngine(MilvusOptions(uri=power.uri), tmp_path), TantivyEngine(tmp_path / "tantivy")
    spec = replace(MEMORY, dense=PartSpec("milvus"), lexical=PartSpec("tantivy"))
    workshop = Workshop(catalog, tmp_path, dense={"milvus": milvus}, lexical={"tantivy": tantivy}, spec=spec)
    made = await workshop.collection()
    command = [sys.executable, "-c", SEARCHING, database_url, power.uri, str(tmp_path)]
    elsewhere = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert elsewhere.stdin is not None
    assert elsewhere.stdout is not None
    try:
        for number in range(12):
            text = f"Number {number} is written once."
            await workshop.bring({f"n{number}": text})
            revision = (await workshop.collections.get(OWNER, "handbook")).revision
            elsewhere.stdin.write(f"{revision} {text}\n".encode())
            async with asyncio.timeout(30):
                found = (await elsewhere.stdout.readline()).decode().split()
            assert found[0] == f"n{number}"
            assert len(found) == min(3, number + 1)
    finally:
        elsewhere.stdin.close()
        await elsewhere.wait()
        await milvus.drop(made.generation.key)
        for engine in (milvus, tantivy):
            await engine.close()
