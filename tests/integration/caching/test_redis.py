"""The cache in Redis beside other tenants, under outages, and against what others wrote."""

from __future__ import annotations

import asyncio
import sys

import pytest
from structlog.testing import capture_logs

from kaynak.caching import CacheUnavailable, PatientCache
from kaynak.caching.redis import PREFIX, RedisCache
from kaynak.domain import Misconfigured
from kaynak.testing.redis_server import redis_server as running

pytestmark = pytest.mark.anyio


async def test_other_tenants_are_neither_read_nor_written(redis_server):
    from redis.asyncio import Redis

    other = Redis.from_url(redis_server.url, protocol=2)
    cache = RedisCache(redis_server.url)
    await other.set("tenant", b"theirs")
    assert await cache.get("tenant") is None
    await cache.set("tenant", b"ours", 60)
    assert await other.get("tenant") == b"theirs"
    names = [key async for key in other.scan_iter()]
    assert all(key == b"tenant" or key.startswith(PREFIX.encode()) for key in names)
    assert 0 < await other.pttl(f"{PREFIX}tenant") <= 60_000  # nothing stays for ever
    await cache.close()
    await other.aclose()


async def test_what_is_no_value_of_ours_is_not_there(redis_server):
    from redis.asyncio import Redis

    other = Redis.from_url(redis_server.url, protocol=2)
    cache = RedisCache(redis_server.url, entry_bytes=100)
    await other.set(f"{PREFIX}huge", b"x" * 101)
    await other.rpush(f"{PREFIX}list", "a", "b")
    assert await cache.get("huge") is None
    assert await PatientCache(cache).get("list") is None
    await cache.close()
    await other.aclose()


async def test_an_outage_and_the_return(redis_server):
    with running() as server:
        cache = PatientCache(RedisCache(server.url), pause=0)
        await cache.set("a", b"1", 60)
        assert await cache.get("a") == b"1"
        with capture_logs() as logs:
            server.stop()
            for _ in range(3):
                assert await cache.get("a") is None
                await cache.set("a", b"2", 60)
            server.start()
            assert await cache.get("a") is None  # it forgot
            await cache.set("a", b"3", 60)
            assert await cache.get("a") == b"3"
        assert [entry["event"] for entry in logs] == ["cache_away", "cache_back"]
        await cache.close()


async def test_a_server_that_says_nothing_is_away_after_a_second():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = RedisCache(f"redis://127.0.0.1:{port}/0")
    with pytest.raises(CacheUnavailable) as caught:
        await cache.get("a")
    assert "127.0.0.1" not in str(caught.value)
    await cache.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "localhost:6379", "redis://127.0.0.1:notaport/0"])
def test_urls_that_are_none(redis_server, url):
    with pytest.raises(Misconfigured) as caught:
        RedisCache(url)
    assert "redis://" in caught.value.hint


def test_without_the_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(Misconfigured) as caught:
        RedisCache("redis://127.0.0.1:1/0")
    assert "kaynak[redis]" in caught.value.hint
