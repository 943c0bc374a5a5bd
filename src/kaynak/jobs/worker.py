from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog

from kaynak.catalog import Catalog
from kaynak.domain import KaynakError
from kaynak.indexing import Collections, Followers
from kaynak.jobs.queue import QUEUE, queue_app
from kaynak.jobs.rescue import rescue
from kaynak.jobs.running import Running

HEARTBEAT_SECONDS = 1.0
STALLED_SECONDS = 8.0
GRACE_SECONDS = 1.0
"""How long jobs may go on when the worker is to stop; they are resumed where they were."""
TIDY_SECONDS = 3600.0
TIDY_AFTER_SECONDS = 120.0

_PAUSE, _PAUSE_MOST, _CALM = 0.2, 5.0, 30.0

Part = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
_log = structlog.get_logger(__name__)


class Worker:
    """Does background jobs and follows the change log, until stopped. Any number may run, on any number of hosts.

    A worker tells the database every second that it lives. What a dead one was doing is taken up by another,
    or by the next start, within about ten seconds. A database that is away is waited for.

    Args:
        catalog: Where jobs are.
        running: Runs one.
        followers: Keep the indexes up to date.
        collections: Tidied up from time to time.
        others: What else is done when they are.
        heartbeat: Seconds between two signs of life.
        stalled: Seconds without one after which a worker is taken for dead.
        grace: Seconds that jobs may go on when the worker is to stop.
    """

    def __init__(
        self,
        catalog: Catalog,
        running: Running,
        followers: Followers,
        collections: Collections | None = None,
        *,
        others: Sequence[Callable[[], Awaitable[object]]] = (),
        heartbeat: float = HEARTBEAT_SECONDS,
        stalled: float = STALLED_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._running = running
        self._followers = followers
        self._collections = collections
        self._others = others
        self._heartbeat = heartbeat
        self._stalled = stalled
        self._grace = grace

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; a job that is cut off by it goes on at the next start."""
        async with asyncio.TaskGroup() as tasks:
            for part in (self._followers.run, self._work, self._rescue, self._tidy):
                tasks.create_task(_for_ever(part, stop))

    async def _work(self, stop: asyncio.Event) -> None:
        # Asked here, where it is answered at once: the queue's own pool waits longer and longer between tries.
        await self._catalog.ping()
        jobs = self._running.jobs
        # One more than work at a time: a job that only waits for its indexes does not hold up the next.
        app = queue_app(self._catalog.url, self._running.run, connections=jobs + 3)
        async with app.open_async():
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=jobs + 1,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    fetch_job_polling_interval=self._heartbeat * 2,
                    abort_job_polling_interval=3600.0,  # jobs learn it from their own row
                    update_heartbeat_interval=self._heartbeat,
                    stalled_worker_timeout=self._stalled,
                    shutdown_graceful_timeout=self._grace,
                )
            )
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                working.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await working

    async def _rescue(self, stop: asyncio.Event) -> None:
        # A database that comes back finds all heartbeats old: the living may say so first.
        await _wait(stop, self._heartbeat * 2)
        while not stop.is_set():
            await rescue(self._catalog, self._stalled)
            await _wait(stop, self._heartbeat)

    async def _tidy(self, stop: asyncio.Event) -> None:
        # Not at once: a worker that lives for one command has better things to do.
        await _wait(stop, TIDY_AFTER_SECONDS)
        while self._collections is not None and not stop.is_set():
            await self._collections.tidy()
            for other in self._others:
                await other()
            await _wait(stop, TIDY_SECONDS)
        await stop.wait()


async def _for_ever(part: Part, stop: asyncio.Event) -> None:
    """Runs a part until it is to stop; begins it again, with growing pauses, whenever it ends before that."""
    pause = _PAUSE
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        begun = loop.time()
        reason = "it ended"
        try:
            await part(stop)
        except KaynakError as error:
            reason = error.type
        except Exception as error:
            # Libraries have many ways to say that the connection is lost; whatever it is, work must go on.
            reason = type(error).__name__
        if stop.is_set():
            return
        _log.warning("worker_part_begins_again", part=part.__name__, reason=reason)
        if loop.time() - begun > _CALM:
            pause = _PAUSE
        await _wait(stop, pause)
        pause = min(_PAUSE_MOST, pause * 2)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
