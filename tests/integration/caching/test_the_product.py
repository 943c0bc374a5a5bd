"""The caches and the depths as they are put together: what one process has answered, the next one remembers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from kaynak.app import Kaynak
from kaynak.domain import OWNER, AskRequest, Depth, SearchRequest
from kaynak.ingestion import Upload
from kaynak.logs import configure_logs
from kaynak.settings import CacheSettings, Settings

pytestmark = pytest.mark.anyio

LEAVE = b"Everyone has 26 days of annual leave. It is requested in the portal."


@pytest.fixture
def opened(database_url, tmp_path):
    configure_logs("ERROR", "json")

    @asynccontextmanager
    async def open_(**more):
        settings = Settings(data_dir=tmp_path, database_url=database_url, _env_file=None, **more)
        async with Kaynak.open(settings, worker=True) as kaynak:
            stop = asyncio.Event()
            working = asyncio.create_task(kaynak.worker.run(stop))
            yield kaynak
            stop.set()
            await working

    return open_


async def bring(kaynak, name, text):
    submitted = await kaynak.intake.submit(OWNER, "handbook", [Upload(name, f"{name}.txt", text)])
    async for _ in kaynak.jobs.watch(OWNER, submitted.job.id):
        pass
    state = await kaynak.collections.get(OWNER, "handbook")
    await kaynak.followers.catch_up(state.id, state.revision, 60)


def ask(**more):
    return AskRequest(SearchRequest("How many days of annual leave are there?", ("handbook",)), **more)


async def test_what_one_process_answered_the_next_one_remembers_until_something_changes(opened, redis_server):
    async with opened(redis_url=redis_server.url, cache=CacheSettings(searches=True)) as kaynak:
        await kaynak.collections.create(OWNER, "handbook")
        await bring(kaynak, "leave", LEAVE)
        first = await kaynak.asker.ask(ask(), OWNER)
        deep = await kaynak.asker.ask(ask(depth=Depth.DEEP), OWNER)
    assert (first.found, first.cached, deep.cached) == (True, None, None)
    async with opened(redis_url=redis_server.url, cache=CacheSettings(searches=True)) as kaynak:
        known = await kaynak.asker.ask(ask(), OWNER)
        assert (known.cached, known.text, known.citations) == ("exact", first.text, first.citations)
        search = await kaynak.searcher.search(ask().search, OWNER)
        assert list(search.trace.stages) == ["cache"]
        await bring(kaynak, "leave", LEAVE.replace(b"26", b"30"))
        now = await kaynak.asker.ask(ask(), OWNER)
        assert now.cached is None
        assert "30 days" in now.text


async def test_an_answer_that_someone_planted_in_the_redis_is_not_given(opened, redis_server):
    from redis.asyncio import Redis

    async with opened(redis_url=redis_server.url) as kaynak, Redis.from_url(redis_server.url, protocol=2) as other:
        await kaynak.collections.create(OWNER, "handbook")
        await bring(kaynak, "leave", LEAVE)
        first = await kaynak.asker.ask(ask(), OWNER)
        assert (await kaynak.asker.ask(ask(), OWNER)).cached == "exact"
        changed = 0
        async for name in other.scan_iter(match="kaynak:cache:answer:*"):
            stored = await other.get(name)
            if first.sentences[0].text.encode() in stored:
                changed += 1
                await other.set(name, stored.replace(b'"degraded":[]', b'"degraded": []'))
        assert changed >= 1
        again = await kaynak.asker.ask(ask(), OWNER)
        assert (again.cached, again.text) == (None, first.text)


async def test_a_redis_that_is_away_is_done_without(opened):
    async with opened(redis_url="redis://127.0.0.1:1/0") as kaynak:
        await kaynak.collections.create(OWNER, "handbook")
        await bring(kaynak, "leave", LEAVE)
        for _ in range(2):
            answer = await kaynak.asker.ask(ask(), OWNER)
            assert (answer.found, answer.cached, answer.degraded) == (True, None, ())


async def test_without_caches_nothing_is_remembered(opened):
    async with opened(cache=CacheSettings(answers=False, searches=False)) as kaynak:
        await kaynak.collections.create(OWNER, "handbook")
        await bring(kaynak, "leave", LEAVE)
        for _ in range(2):
            assert (await kaynak.asker.ask(ask(), OWNER)).cached is None
