from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from kaynak.catalog import Catalog
from kaynak.domain import STAGES, KaynakError

REPORT_SECONDS = 0.25
_log = structlog.get_logger(__name__)


class JobStopped(Exception):
    """Someone asked the job to stop, it was taken over by another worker, or its collection is gone."""


class Progress:
    """Numbers of one running job, stored a few times a second, apart from the data's transactions.

    Attributes:
        stopped: Set when the job may not go on.
    """

    def __init__(self, catalog: Catalog, job_id: UUID, attempt: int) -> None:
        self._catalog = catalog
        self._job_id = job_id
        self._attempt = attempt
        self._numbers = {name: [0, 0] for name in STAGES}
        self._stored: dict[str, tuple[int, int]] | None = None
        self.stopped = asyncio.Event()

    def expect(self, stage: str, more: int) -> None:
        """Raises the total of a stage."""
        self._numbers[stage][1] += more

    def done(self, stage: str, more: int = 1) -> None:
        """Raises what is done of a stage."""
        self._numbers[stage][0] += more

    def left(self, stage: str) -> int:
        """Returns how much of a stage is not done."""
        done, total = self._numbers[stage]
        return total - done

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """Stores the numbers while the block runs, and once more at its end."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
            if not self.stopped.is_set():
                await self._report()

    async def _tick(self) -> None:
        while not self.stopped.is_set():
            await self._report()
            await asyncio.sleep(REPORT_SECONDS)

    async def _report(self) -> None:
        numbers = {name: (done, total) for name, (done, total) in self._numbers.items()}
        try:
            async with self._catalog.begin() as unit:
                new = None if numbers == self._stored else numbers
                if not await unit.jobs.report(self._job_id, self._attempt, new):
                    self.stopped.set()
            self._stored = numbers
        except KaynakError as error:  # numbers are not worth a job
            _log.info("progress_not_stored", job=str(self._job_id), error=error.type)
