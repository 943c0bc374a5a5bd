from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from kaynak.limiting.protocol import Demand, Limiter, LimiterUnavailable, Standing

PAUSE = 5.0
"""Seconds that a limiter is left alone after it did not answer."""

_log = structlog.get_logger(__name__)


class PatientLimiter:
    """Lets another limiter stand in while the first is away. One warning an outage.

    Args:
        inner: The one that is meant.
        instead: The one that stands in.
        pause: Seconds before the first is asked again.
        clock: Seconds that only rise.
    """

    def __init__(
        self,
        inner: Limiter,
        instead: Limiter,
        *,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._instead = instead
        self._pause = pause
        self._clock = clock
        self._away = False
        self._again = 0.0

    async def take(self, demands: Sequence[Demand]) -> list[Standing]:
        """See `Limiter`; never raises."""
        if self._away and self._clock() < self._again:
            return await self._instead.take(demands)
        try:
            standings = await self._inner.take(demands)
        except LimiterUnavailable as error:
            self._again = self._clock() + self._pause
            if not self._away:
                self._away = True
                _log.warning(
                    "limiter_away", reason=str(error), hint="Each process counts requests by itself until it is back."
                )
            return await self._instead.take(demands)
        if self._away:
            self._away = False
            _log.info("limiter_back")
        return standings

    async def close(self) -> None:
        """See `Limiter`."""
        await self._inner.close()
        await self._instead.close()
