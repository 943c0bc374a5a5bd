"""How jobs outlive their workers."""

from __future__ import annotations

import structlog
from sqlalchemy import text

from kaynak.catalog import Catalog
from kaynak.jobs.queue import QUEUE, enqueue

_LOCK = 0x6B61796E03
"""One worker looks at a time."""

# A worker that was taken for dead and comes back is not harmed: another start of its job overtakes it, and what
# it still writes is refused.
_STALLED = text(
    """
    SELECT procrastinate_retry_job_v2(j.id, now(), NULL, NULL, NULL), j.lock
    FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
    WHERE j.status = 'doing' AND j.queue_name = :queue
        AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => :seconds))
    """
)
# Jobs that people see as waiting or running, of which the queue knows nothing any more.
_LOST = text(
    """
    SELECT j.id FROM kaynak.jobs j WHERE j.state IN ('queued', 'running') AND NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs p WHERE p.lock = CAST(j.id AS text) AND p.status IN ('todo', 'doing')
    )
    """
)
_WAKE = text(
    "SELECT pg_notify('procrastinate_queue_v1#' || :queue, "
    "json_build_object('type', 'job_inserted', 'job_id', 0)::text)"
)
_log = structlog.get_logger(__name__)


async def rescue(catalog: Catalog, stalled: float) -> int:
    """Puts jobs of dead workers back into the queue, and returns how many.

    Args:
        catalog: Where jobs are.
        stalled: Seconds without a sign of life after which a worker is taken for dead.

    Raises:
        CatalogUnavailable: The database does not answer.
    """
    async with catalog.begin() as unit:
        connection = unit.connection
        mine = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not mine.scalar_one():
            return 0
        found = [row.lock for row in await connection.execute(_STALLED, {"queue": QUEUE, "seconds": stalled})]
        lost = (await connection.execute(_LOST)).scalars().all()
        for job_id in lost:
            await enqueue(connection, job_id)
        if found:
            await connection.execute(_WAKE, {"queue": QUEUE})
    for job in (*found, *lost):
        _log.warning("job_rescued", job=str(job))
    return len(found) + len(lost)
