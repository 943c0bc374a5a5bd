"""The limiter in Redis beside other tenants, under outages, and with several processes."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from kaynak.limiting import Budget, Demand, LimiterUnavailable, MemoryLimiter, PatientLimiter
from kaynak.limiting.redis import PREFIX, RedisLimiter
from kaynak.testing.redis_server import redis_server as running

pytestmark = pytest.mark.anyio

OTHER = "?db=1"
"""The tests of caches look at all keys of the first database."""


async def test_processes_share_their_buckets_and_nothing_stays_for_ever(redis_server):
    from redis.asyncio import Redis

    one, other = RedisLimiter(redis_server.url + OTHER), RedisLimiter(redis_server.url + OTHER)
    demand = Demand("shared", Budget("processes", 2, 3600))
    assert (await one.take([demand]))[0].remaining == 1
    assert (await other.take([demand]))[0].remaining == 0
    assert (await one.take([demand]))[0].refused
    look = Redis.from_url(redis_server.url + OTHER, protocol=2)
    assert 0 < await look.pttl(PREFIX + demand.name) <= 3_600_000
    await asyncio.gather(one.close(), other.close(), look.aclose())


async def test_one_call_a_decision(redis_server):
    from redis.asyncio import Redis

    limiter = RedisLimiter(redis_server.url + OTHER)
    demands = [Demand(name, Budget("calls", 9, 3600)) for name in "abc"]
    await limiter.take(demands)  # the script is there now
    look = Redis.from_url(redis_server.url + OTHER, protocol=2)
    before = (await look.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await limiter.take(demands)
    after = await look.info("commandstats")
    assert after["cmdstat_evalsha"]["calls"] == before + 1
    await asyncio.gather(limiter.close(), look.aclose())


async def test_what_others_wrote_under_our_name_breaks_nothing(redis_server):
    from redis.asyncio import Redis

    other = Redis.from_url(redis_server.url + OTHER, protocol=2)
    limiter = PatientLimiter(RedisLimiter(redis_server.url + OTHER), MemoryLimiter(), pause=0)
    demand = Demand("odd", Budget("odd", 2, 3600))
    await other.set(PREFIX + demand.name, b"nonsense")
    assert (await limiter.take([demand]))[0].remaining == 1
    await other.delete(PREFIX + demand.name)
    await other.rpush(PREFIX + demand.name, "a")
    assert not (await limiter.take([demand]))[0].refused
    await other.delete(PREFIX + demand.name)
    await asyncio.gather(limiter.close(), other.aclose())


async def test_an_outage_is_one_warning_and_a_count_of_our_own():
    with running() as server:
        limiter = PatientLimiter(RedisLimiter(server.url), MemoryLimiter(), pause=0)
        demand = Demand("outage", Budget("b", 2, 3600))
        assert (await limiter.take([demand]))[0].remaining == 1
        with capture_logs() as logs:
            server.stop()
            assert [(await limiter.take([demand]))[0].refused for _ in range(3)] == [False, False, True]
            server.start()
            assert not (await limiter.take([demand]))[0].refused
        assert [entry["event"] for entry in logs] == ["limiter_away", "limiter_back"]
        await limiter.close()


async def test_while_it_rests_the_first_is_not_asked():
    class Away:
        asked = 0

        async def take(self, demands):
            self.asked += 1
            raise LimiterUnavailable("TimeoutError")

        async def close(self):
            pass

    away = Away()
    limiter = PatientLimiter(away, MemoryLimiter(), pause=60)
    for _ in range(5):
        await limiter.take([Demand("a", Budget("b", 9, 60))])
    assert away.asked == 1
    await limiter.close()
