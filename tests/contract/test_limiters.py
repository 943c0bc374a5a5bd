"""Every limiter against the limiter suite; the one in Redis against a real Redis."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaynak.limiting import Limiter, MemoryLimiter, PatientLimiter
from kaynak.testing.limiter_suite import LimiterSuite

Make = Callable[[], Limiter]


class TestMemory(LimiterSuite):
    @pytest.fixture
    def limiter(self) -> Make:
        return MemoryLimiter


class TestRedis(LimiterSuite):
    @pytest.fixture
    def limiter(self, redis_server) -> Make:
        from redis import Redis

        from kaynak.limiting.redis import PREFIX, RedisLimiter

        with Redis.from_url(redis_server.url + "?db=1", protocol=2) as other:
            for name in other.scan_iter(PREFIX + "*"):
                other.delete(name)
        return lambda: RedisLimiter(redis_server.url + "?db=1")


class TestPatient(LimiterSuite):
    @pytest.fixture
    def limiter(self) -> Make:
        return lambda: PatientLimiter(MemoryLimiter(), MemoryLimiter())
