from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kaynak.caching.redis import connected, faults, reason
from kaynak.limiting.protocol import Demand, LimiterUnavailable, Standing

PREFIX = "kaynak:limit:"
"""Of all our keys: a Redis may have other tenants."""

_MICRO = 1_000_000

# The clock is the server's: those of the machines that ask may differ. All times are whole microseconds.
_TAKE = """\
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local answer, refused = {}, false
for i, key in ipairs(KEYS) do
  local window, cost = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local full = tonumber(redis.call('GET', key) or now) or now
  local missing = math.max(0, full - now)
  local short = missing + cost > window + 1
  refused = refused or short
  answer[2 * i - 1], answer[2 * i] = missing, short and 1 or 0
end
if not refused then
  for i, key in ipairs(KEYS) do
    local missing = answer[2 * i - 1] + tonumber(ARGV[2 * i])
    redis.call('SET', key, string.format('%.0f', now + missing), 'PX', math.ceil(missing / 1000))
    answer[2 * i - 1] = missing
  end
end
return answer
"""


class RedisLimiter:
    """In a Redis, shared by all processes that use it: one call of a script for all buckets. See `Limiter`.

    A bucket is a key that holds the time at which it will be full, and ends then.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.

    Raises:
        Misconfigured: The URL is not one of a Redis, or the client is not installed.
    """

    def __init__(self, url: str) -> None:
        self._redis = connected(url)
        self._faults = faults()
        self._script: Any = self._redis.register_script(_TAKE)

    async def take(self, demands: Sequence[Demand]) -> list[Standing]:
        """See `Limiter`."""
        if not demands:
            return []
        numbers = [
            round(part * _MICRO)
            for demand in demands
            for part in (demand.budget.seconds, demand.budget.seconds / demand.budget.count)
        ]
        try:
            answer = await self._script(keys=[PREFIX + demand.name for demand in demands], args=numbers)
        except self._faults as exc:
            raise LimiterUnavailable(reason(exc)) from exc
        return [
            Standing(demand.budget, missing / _MICRO, refused=bool(short))
            for demand, missing, short in zip(demands, answer[::2], answer[1::2], strict=True)
        ]

    async def close(self) -> None:
        """See `Limiter`."""
        await self._redis.aclose()
