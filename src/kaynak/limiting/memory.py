from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from kaynak.limiting.protocol import Demand, Standing

BUCKETS = 100_000
"""That are remembered, about 25 MB. Beyond that the longest unused are forgotten, and so begin full."""


class MemoryLimiter:
    """In this process. See `Limiter`.

    A bucket is kept as the time at which it will be full, as in the generic cell rate algorithm; a full one is not
    kept.

    Args:
        buckets: Most that are remembered.
        clock: Seconds that only rise.
    """

    def __init__(self, buckets: int = BUCKETS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = buckets
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    async def take(self, demands: Sequence[Demand]) -> list[Standing]:
        """See `Limiter`; there is no await in it, so that nobody comes between."""
        now = self._clock()
        found = [self._looked(demand, now) for demand in demands]
        if any(standing.refused for standing in found):
            return found
        return [self._taken(demand, standing.missing, now) for demand, standing in zip(demands, found, strict=True)]

    async def close(self) -> None:
        """See `Limiter`."""
        self._full_at.clear()

    def _looked(self, demand: Demand, now: float) -> Standing:
        budget = demand.budget
        missing = max(0.0, self._full_at.get(demand.name, now) - now)
        return Standing(budget, missing, missing + budget.seconds / budget.count > budget.seconds + 1e-6)

    def _taken(self, demand: Demand, missing: float, now: float) -> Standing:
        budget = demand.budget
        missing += budget.seconds / budget.count
        self._full_at[demand.name] = now + missing
        self._full_at.move_to_end(demand.name)
        # What is full again says nothing; the oldest are looked at as others come, so that none lies for ever.
        while self._full_at and (len(self._full_at) > self._most or next(iter(self._full_at.values())) <= now):
            self._full_at.popitem(last=False)
        return Standing(budget, missing, refused=False)
