from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from kaynak.caching.protocol import Cache, CacheUnavailable

PAUSE = 5.0
"""Seconds that a cache is left alone after it did not answer."""

_log = structlog.get_logger(__name__)


class PatientCache:
    """Does without a cache that is away: what it would have known is not there. One warning an outage.

    Args:
        inner: The cache.
        pause: Seconds before it is asked again.
        clock: Seconds that only rise.
    """

    def __init__(self, inner: Cache, *, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._pause = pause
        self._clock = clock
        self._away = False
        self._again = 0.0

    async def get(self, key: str) -> bytes | None:
        """See `Cache`; never raises."""
        if self._resting():
            return None
        try:
            value = await self._inner.get(key)
        except CacheUnavailable as error:
            self._lost(error)
            return None
        self._back()
        return value

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """See `Cache`; never raises."""
        if self._resting():
            return
        try:
            await self._inner.set(key, value, seconds)
        except CacheUnavailable as error:
            self._lost(error)
        else:
            self._back()

    async def close(self) -> None:
        """See `Cache`."""
        await self._inner.close()

    def _resting(self) -> bool:
        return self._away and self._clock() < self._again

    def _lost(self, error: CacheUnavailable) -> None:
        self._again = self._clock() + self._pause
        if not self._away:
            self._away = True
            _log.warning("cache_away", reason=str(error), hint="Answers are computed anew until it is back.")

    def _back(self) -> None:
        if self._away:
            self._away = False
            _log.info("cache_back")
