from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import structlog

from kaynak import __version__
from kaynak.catalog import Catalog
from kaynak.domain import KaynakError
from kaynak.indexing import Parts
from kaynak.observability.families import Snapshot, families
from kaynak.observability.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FRESH_SECONDS: Final = 5.0
"""How long a page is given again: a storm of scrapes costs what one does."""
GENERATIONS: Final = 1000
"""Generations, and collections, that are told of at most."""
_PATIENCE_SECONDS: Final = 2.0
_SHARE: Final = 100
"""Counting documents takes at most a hundredth of the time."""
_log = structlog.get_logger(__name__)


class Exposition:
    """The page that Prometheus fetches. It always comes: what cannot be asked is left out, and named.

    Args:
        metrics: What this process counts.
        catalog: Knows how the installation is.
        parts: The engines.
        clock: Seconds; for tests.
    """

    def __init__(
        self, metrics: Metrics, catalog: Catalog, parts: Parts, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._catalog = catalog
        self._parts = parts
        self._clock = clock
        self._one = asyncio.Lock()
        self._page = b""
        self._until = float("-inf")
        self._documents: dict[tuple[str, str], int] | None = None
        self._documents_until = float("-inf")

    async def page(self) -> bytes:
        """Returns the page, at most `FRESH_SECONDS` old."""
        async with self._one:
            if self._clock() >= self._until:
                self._page = await self._made()
                self._until = self._clock() + FRESH_SECONDS
            return self._page

    async def _made(self) -> bytes:
        from prometheus_client.exposition import generate_latest

        snapshot = Snapshot(version=__version__, python=platform.python_version())
        for part, look in (
            ("indexes", self._indexes),
            ("jobs", self._jobs),
            ("documents", self._counted),
        ):
            snapshot.failed[part] = not await _looked(part, look(snapshot))
        names = {(one.side, one.engine) for one in snapshot.indexes}
        answers = await asyncio.gather(*(self._answers(side, engine) for side, engine in sorted(names)))
        snapshot.engines = dict(zip(sorted(names), answers, strict=True))
        # A thousand generations are a megabyte of lines.
        return await asyncio.to_thread(generate_latest, _Page(self._metrics, snapshot))

    async def _indexes(self, snapshot: Snapshot) -> None:
        async with self._catalog.read() as unit:
            snapshot.indexes = await unit.figures.indexes(GENERATIONS)
            snapshot.left_out = max(0, await unit.figures.generations() - GENERATIONS)

    async def _jobs(self, snapshot: Snapshot) -> None:
        async with self._catalog.read() as unit:
            snapshot.jobs = await unit.figures.jobs()

    async def _counted(self, snapshot: Snapshot) -> None:
        if self._clock() >= self._documents_until:
            began = self._clock()
            try:
                async with self._catalog.read() as unit:
                    self._documents = await unit.figures.documents(GENERATIONS)
            finally:
                self._documents_until = self._clock() + _SHARE * (self._clock() - began)
        snapshot.documents = self._documents

    async def _answers(self, side: str, engine: str) -> bool:
        async def ask() -> None:
            found = self._parts.dense[engine] if side == "dense" else self._parts.lexical[engine]
            await found.health()

        return await _looked(f"{side} engine {engine}", ask())


class _Page:
    """All that is told, as `generate_latest` takes it."""

    def __init__(self, metrics: Metrics, snapshot: Snapshot) -> None:
        self._metrics = metrics
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yields every family."""
        for family in self._metrics.registry.collect():
            # When each was made is one more series for each, which nobody asks for.
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family
        yield from families(self._snapshot)


async def _looked(what: str, look: Awaitable[Any]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await look
    except (KaynakError, KeyError, TimeoutError) as error:
        _log.info("not_measured", what=what, error=type(error).__name__)
        return False
    return True
