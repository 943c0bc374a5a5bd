from __future__ import annotations

import asyncio
import random
from uuid import UUID

import structlog

from kaynak.catalog import Catalog, Started
from kaynak.domain import JobState, KaynakError, Outcome, UnreadableReason
from kaynak.ingestion import JobStopped, Pipeline
from kaynak.jobs.queue import enqueue

SETBACKS = 5
"""Starts in a row that did not get a job further, after which it is a dead letter."""
CAREFUL = 3
"""Starts in a row after which documents are taken one by one, to find the one that stops the worker."""
BACKOFF = 2.0
BACKOFF_MOST = 300.0

_log = structlog.get_logger(__name__)


class Running:
    """Runs jobs to an end that people can see: succeeded, failed, cancelled, or queued again for later.

    Args:
        catalog: Where jobs are.
        pipeline: Does them.
        jobs: At most this many are parsed at a time; what is parsed is embedded meanwhile.
        setbacks: See `SETBACKS`.
        backoff: Seconds before the second try; doubled for each one after it.
    """

    def __init__(
        self, catalog: Catalog, pipeline: Pipeline, *, jobs: int = 1, setbacks: int = SETBACKS, backoff: float = BACKOFF
    ) -> None:
        self._catalog = catalog
        self._pipeline = pipeline
        self._setbacks = setbacks
        self._backoff = backoff
        self._slots = asyncio.Semaphore(jobs)
        self.jobs = jobs

    async def run(self, job_id: UUID) -> None:
        """Runs the job; raises only if its end could not be noted, and then it is found and run again."""
        async with _Slot(self._slots) as slot:
            started = await self._start(job_id)
            if started is None:
                return
            try:
                note = await self._work(job_id, started, slot)
            except asyncio.CancelledError:
                # The worker is being shut down: the job goes on elsewhere, or at the next start.
                await asyncio.shield(self._again(job_id, started, 0.0))
                raise
            except JobStopped:
                await self._stopped(job_id, started)
            except Exception as error:
                await self._fault(job_id, started, error)
            else:
                await self._end(job_id, started, JobState.SUCCEEDED, note)

    async def _start(self, job_id: UUID) -> Started | None:
        """Notes the start; None if there is nothing to do, or if it was one too many."""
        async with self._catalog.begin() as unit:
            started = await unit.jobs.start(job_id)
            if started is None:
                return None
            if started.cancel_requested:
                await unit.jobs.finish(job_id, JobState.CANCELLED, attempt=started.attempt)
                return None
            if started.setbacks > self._setbacks:
                if started.suspect is None:
                    message = f"It was started {self._setbacks} times without getting further, and stopped."
                    await unit.jobs.finish(job_id, JobState.FAILED, message, attempt=started.attempt)
                    _log.error("job_dead", job=str(job_id))
                    return None
                await unit.jobs.give_up(
                    job_id,
                    Outcome.FAILED,
                    only=[started.suspect],
                    error=f"The worker died {self._setbacks} times while this document was in work.",
                    error_code=UnreadableReason.TOO_COMPLEX.value,
                    hint="Upload it again if the cause lay elsewhere.",
                )
                await unit.jobs.advance(job_id, started.attempt)
                _log.error("document_blamed", job=str(job_id), version=str(started.suspect))
        _log.info("job_started", job=str(job_id), setbacks=started.setbacks - 1)
        return started

    async def _work(self, job_id: UUID, started: Started, slot: _Slot) -> str | None:
        careful = started.setbacks > CAREFUL
        # While the last documents of this job are embedded and committed, the next job may be read: otherwise the
        # embedder would have nothing to do between two jobs.
        async with self._pipeline.open(job_id, started, careful=careful, all_read=slot.give) as run:
            await run.work()
            # The indexes follow by themselves; this job only waits for them.
            slot.give()
            return await run.follow()

    async def _stopped(self, job_id: UUID, started: Started) -> None:
        """Ends the job if it was cancelled; if another worker has taken it over, that one does."""
        async with self._catalog.begin() as unit:
            ended = await unit.jobs.finish(job_id, JobState.CANCELLED, attempt=started.attempt)
        _log.info("job_cancelled" if ended else "job_taken_over", job=str(job_id))

    async def _fault(self, job_id: UUID, started: Started, error: Exception) -> None:
        cause = _first(error)
        if isinstance(cause, JobStopped):
            await self._stopped(job_id, started)
        elif isinstance(cause, KaynakError) and cause.transient and started.setbacks < self._setbacks:
            delay = min(BACKOFF_MOST, self._backoff * 2.0 ** (started.setbacks - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
            _log.warning("job_postponed", job=str(job_id), error=cause.type, seconds=round(delay, 1))
            await self._again(job_id, started, delay, cause.message)
        elif isinstance(cause, KaynakError):
            await self._end(job_id, started, JobState.FAILED, cause.message)
        else:
            _log.error("job_broke", job=str(job_id), exc_info=cause)
            message = f"Something unexpected happened ({type(cause).__name__}); the log has the details."
            await self._end(job_id, started, JobState.FAILED, message)

    async def _again(self, job_id: UUID, started: Started, delay: float, error: str | None = None) -> None:
        async with self._catalog.begin() as unit:
            if await unit.jobs.finish(job_id, JobState.QUEUED, error, attempt=started.attempt):
                await enqueue(unit.connection, job_id, delay)

    async def _end(self, job_id: UUID, started: Started, state: JobState, error: str | None = None) -> None:
        async with self._catalog.begin() as unit:
            ended = await unit.jobs.finish(job_id, state, error, attempt=started.attempt)
        _log.info("job_ended" if ended else "job_taken_over", job=str(job_id), state=state.value)


class _Slot:
    """A place among the jobs that work, which one may give away before its own end."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._held = False

    async def __aenter__(self) -> _Slot:
        await self._slots.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.give()

    def give(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


def _first(error: BaseException) -> BaseException:
    """Returns the cause in a group of errors; one that lasts goes before one that may pass."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [_first(one) for one in error.exceptions]
    stops = [cause for cause in causes if isinstance(cause, JobStopped)]
    lasting = [cause for cause in causes if not (isinstance(cause, KaynakError) and cause.transient)]
    return (stops or lasting or causes)[0]
