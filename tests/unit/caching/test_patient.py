from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from kaynak.caching import CacheUnavailable, MemoryCache, PatientCache


class Flaky(MemoryCache):
    def __init__(self):
        super().__init__(10_000)
        self.away = False
        self.asked = 0

    async def get(self, key):
        self._check()
        return await super().get(key)

    async def set(self, key, value, seconds):
        self._check()
        await super().set(key, value, seconds)

    def _check(self):
        self.asked += 1
        if self.away:
            raise CacheUnavailable("gone")


def test_an_outage_is_one_warning_and_no_error():
    now = 0.0
    flaky = Flaky()
    cache = PatientCache(flaky, pause=5, clock=lambda: now)

    async def run():
        nonlocal now
        await cache.set("a", b"1", 60)
        flaky.away = True
        asked = flaky.asked
        for _ in range(10):
            assert await cache.get("a") is None
            await cache.set("b", b"2", 60)
        assert flaky.asked == asked + 1  # then it is left alone
        now += 6
        assert await cache.get("a") is None
        assert flaky.asked == asked + 2
        flaky.away = False
        now += 6
        assert await cache.get("a") == b"1"
        flaky.away = True
        assert await cache.get("a") is None

    with capture_logs() as logs:
        asyncio.run(run())
    assert [entry["event"] for entry in logs] == ["cache_away", "cache_back", "cache_away"]
    assert [entry["log_level"] for entry in logs] == ["warning", "info", "warning"]
