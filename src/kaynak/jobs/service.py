from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from kaynak.catalog import Catalog
from kaynak.domain import CatalogUnavailable, Conflict, Job, JobItem, JobState, Scope
from kaynak.jobs.queue import enqueue
from kaynak.jobs.watchers import Watchers

WATCH_SECONDS = 1.0
"""How often a watcher looks without being told."""


class Jobs:
    """Background jobs as people see and steer them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._watchers = Watchers(catalog.url)

    async def get(self, scope: Scope, job_id: UUID) -> Job:
        """Returns the job.

        Raises:
            JobNotFound: There is none, or not for this caller.
        """
        async with self._catalog.read() as unit:
            return await unit.jobs.get(scope, job_id)

    async def list(
        self,
        scope: Scope,
        *,
        collection: str | None = None,
        state: JobState | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Returns at most ``limit`` jobs, newest first, those older than ``after``. ``FAILED``: dead letters."""
        async with self._catalog.read() as unit:
            return await unit.jobs.list(scope, collection=collection, state=state, after=after, limit=limit)

    async def items(
        self, scope: Scope, job_id: UUID, *, after: int | None = None, limit: int = 100
    ) -> Sequence[JobItem]:
        """Returns at most ``limit`` documents of the job in order, those after position ``after``.

        Raises:
            JobNotFound: There is no such job, or not for this caller.
        """
        async with self._catalog.read() as unit:
            return await unit.jobs.items(scope, job_id, after=after, limit=limit)

    async def cancel(self, scope: Scope, job_id: UUID) -> None:
        """Stops the job: at once if it waits, within about a second if it runs. What is committed stays.

        Raises:
            JobNotFound: There is no such job, or not for this caller.
            Conflict: It is at its end already.
        """
        async with self._catalog.begin() as unit:
            job = await unit.jobs.get(scope, job_id, lock=True)
            if job.state.final and job.state is not JobState.CANCELLED:
                raise Conflict(f"The job is over: {job.state}.", hint="Only waiting and running jobs can be cancelled.")
            if job.state is JobState.QUEUED:
                await unit.jobs.finish(job_id, JobState.CANCELLED)
            elif job.state is JobState.RUNNING:
                await unit.jobs.request_cancel(job_id)

    async def requeue(self, scope: Scope, job_id: UUID) -> None:
        """Runs the job again for what failed in it or was cancelled.

        Raises:
            JobNotFound: There is no such job, or not for this caller.
            Conflict: It is not at its end.
        """
        async with self._catalog.begin() as unit:
            job = await unit.jobs.get(scope, job_id, lock=True)
            if not job.state.final:
                raise Conflict(f"The job is {job.state}.", hint="Wait for its end, or cancel it first.")
            await unit.jobs.revive(job_id)
            await enqueue(unit.connection, job_id)

    async def watch(self, scope: Scope, job_id: UUID) -> AsyncGenerator[Job, None]:
        """Yields the job now and whenever it changes; ends after a final state. Outlives a database restart.

        Raises:
            JobNotFound: There is no such job, or not for this caller.
        """
        last: Job | None = None
        with self._watchers.watching(job_id) as changed:
            while True:
                changed.clear()
                try:
                    job = await self.get(scope, job_id)
                except CatalogUnavailable:
                    if last is None:
                        raise
                    job = last
                if job != last:
                    yield job
                    last = job
                if job.state.final:
                    return
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), WATCH_SECONDS)
