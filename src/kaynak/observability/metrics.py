from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from kaynak.domain import IndexSide, KaynakError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

OUTCOMES: Final = ("ok", "degraded", "refused", "failed")
_SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Instruments:
    registry: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    search_seconds: Histogram
    follower_errors: Counter


class Metrics:
    """What this process counts. Thread-safe; each `Kaynak` has its own.

    Every label is one of a few: routes, not addresses; types of errors, not their words. No person, query, collection
    or document is in them.
    """

    @cached_property
    def _instruments(self) -> _Instruments:
        # The library takes a while to import, and most commands count nothing.
        from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        made = _Instruments(
            registry,
            Counter(
                "kaynak_http_requests", "Requests that were answered.", ("method", "route", "status"), registry=registry
            ),
            Histogram(
                "kaynak_http_request_seconds",
                "From the first byte of a request to the last one of its answer; streams last.",
                ("method", "route"),
                buckets=_SECONDS,
                registry=registry,
            ),
            Histogram(
                "kaynak_search_seconds",
                "Searches, those that questions need included, with the time in which they waited for their turn.",
                ("outcome",),
                buckets=_SECONDS,
                registry=registry,
            ),
            Counter(
                "kaynak_follower_errors",
                "Times that a follower of this process could not go on.",
                ("engine", "side", "error"),
                registry=registry,
            ),
        )
        for outcome in OUTCOMES:  # a rate needs a beginning
            made.search_seconds.labels(outcome)
        return made

    @property
    def registry(self) -> CollectorRegistry:
        """All of it, to be scraped."""
        return self._instruments.registry

    def requested(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Counts a request.

        Args:
            method: As the client sent it.
            route: Template of its route; None: it fitted none.
            status: Of the answer; 0: none was begun.
            seconds: How long it took.
        """
        known = method if method in _METHODS else "other"
        where = "none" if route is None else route
        self._instruments.requests.labels(known, where, f"{status // 100}xx" if status else "none").inc()
        self._instruments.request_seconds.labels(known, where).observe(seconds)

    def searched(self, outcome: str, seconds: float) -> None:
        """Counts a search that came to one of `OUTCOMES`."""
        self._instruments.search_seconds.labels(outcome).observe(seconds)

    def follower_failed(self, engine: str, side: IndexSide, error: KaynakError) -> None:
        """Counts that a follower could not go on."""
        self._instruments.follower_errors.labels(engine, side, error.type).inc()
