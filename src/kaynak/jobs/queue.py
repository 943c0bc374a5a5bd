from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

QUEUE = "kaynak"
TASK = "kaynak.run_job"
_log = structlog.get_logger(__name__)

_ENQUEUE = text(
    """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, :lock, NULL, CAST(:args AS jsonb),
            CASE WHEN CAST(:delay AS float) > 0 THEN now() + make_interval(secs => CAST(:delay AS float)) END)
    ]::procrastinate_job_to_defer_v1[])
    """
)


async def enqueue(connection: AsyncConnection, job_id: UUID, delay: float = 0.0) -> None:
    """Puts a job into the queue, in the caller's transaction: it is there if and only if that commits.

    Args:
        connection: In a transaction.
        job_id: The job. Only one entry of a job runs at a time, on any number of workers.
        delay: Seconds before it is taken up.
    """
    await connection.execute(
        _ENQUEUE,
        {
            "queue": QUEUE,
            "task": TASK,
            "lock": str(job_id),
            "args": json.dumps({"job_id": str(job_id)}),
            "delay": delay,
        },
    )


class _Manager(JobManager):
    """Does not fail the worker when the end of an entry cannot be noted.

    It is only the entry: what became of the job is noted already. An entry that stays behind is found when its
    worker is taken for dead, and finds its job at its end.
    """

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        for pause in (0.2, 1.0, 3.0):
            try:
                return await super().finish_job_by_id_async(job_id, status, delete_job)
            except procrastinate.exceptions.ConnectorException as error:
                if isinstance(error.__cause__, psycopg.errors.RaiseException):
                    break  # the entry is not ours any more: another worker has taken it over
                await asyncio.sleep(pause)
        _log.info("queue_entry_left", entry=job_id)
        return None


def queue_app(url: str, run: Callable[[UUID], Awaitable[None]], connections: int) -> procrastinate.App:
    """Returns the queue with its one task, not opened yet.

    Args:
        url: Of the database.
        run: What a job does.
        connections: At most this many.
    """
    # They report a lost connection with one traceback per task of theirs; the worker says it in one line.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    connector = procrastinate.PsycopgConnector(
        conninfo=url,
        min_size=1,
        max_size=connections,
        timeout=5.0,
        kwargs={"prepare_threshold": None, "application_name": "kaynak-queue"},
    )
    app = procrastinate.App(connector=connector)
    app.job_manager = _Manager(connector)

    @app.task(name=TASK, queue=QUEUE)
    async def run_job(job_id: str) -> None:
        await run(UUID(job_id))

    return app
