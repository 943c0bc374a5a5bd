"""Every cache against the cache suite; the one in Redis against a real Redis."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaynak.caching import Cache, MemoryCache, PatientCache, SignedCache
from kaynak.testing.cache_suite import ENTRY, CacheSuite

Make = Callable[[], Cache]


class TestMemory(CacheSuite):
    @pytest.fixture
    def cache(self) -> Make:
        return lambda: MemoryCache(10 * ENTRY, entry_bytes=ENTRY)


class TestRedis(CacheSuite):
    @pytest.fixture
    def cache(self, redis_server) -> Make:
        from kaynak.caching.redis import RedisCache

        return lambda: RedisCache(redis_server.url, entry_bytes=ENTRY, seconds=30)


class TestPatient(CacheSuite):
    @pytest.fixture
    def cache(self) -> Make:
        return lambda: PatientCache(MemoryCache(10 * ENTRY, entry_bytes=ENTRY))


class TestSigned(CacheSuite):
    @pytest.fixture
    def cache(self) -> Make:
        return lambda: SignedCache(MemoryCache(10 * ENTRY, entry_bytes=ENTRY + 32), b"s" * 32)
