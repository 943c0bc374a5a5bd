# ruff: noqa: S608 - the pieces put together here are constants of ours; values are parameters
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kaynak.catalog.sql import READERS, SCOPE, scope_values
from kaynak.domain import STAGES, Job, JobItem, JobNotFound, JobState, Outcome, Permission, Scope, StageProgress

JOBS_CHANNEL = "kaynak_jobs"
"""Where changes of jobs are notified; the payload is the id of the job."""

REQUEUE_HINT = "Requeue the job, or upload the document again."

Progress = Mapping[str, tuple[int, int]]
"""Done and total by stage."""

_ITEM = READERS.format(column="i.readers")
# Of a job that also brings in what the caller may not read, only the rest is there; a job of nothing else is not. How
# far its stages are is then not told, as they count all.
_JOB = f"""
    SELECT j.id, j.kind, c.name AS collection, j.state, j.attempts, j.cancel_requested, j.error,
        j.created_at, j.started_at, j.finished_at, coalesce(o.counts, CAST('{{}}' AS jsonb)) AS counts,
        CASE WHEN o.hidden THEN CAST('{{}}' AS jsonb) ELSE j.progress END AS progress
    FROM kaynak.jobs j JOIN kaynak.collections c ON c.id = j.collection_id
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(outcome, shown) FILTER (WHERE shown > 0) AS counts, bool_or(hidden > 0) AS hidden
        FROM (
            SELECT i.outcome, count(*) FILTER (WHERE {_ITEM}) AS shown, count(*) FILTER (WHERE NOT {_ITEM}) AS hidden
            FROM kaynak.job_items i WHERE i.job_id = j.id GROUP BY i.outcome
        ) each
    ) o
    WHERE {SCOPE.format(column="j.collection_id")} AND (o.hidden IS NOT TRUE OR o.counts IS NOT NULL)
"""
# What the caller should know of documents that were not the job's to finish: those that another job replaced by
# a newer version, and those that were deleted meanwhile.
_LEFT = text(
    """
    UPDATE kaynak.job_items i SET outcome = CASE WHEN v.state IN ('ready', 'superseded') THEN 'updated'
        WHEN v.state = 'failed' THEN 'failed' ELSE 'cancelled' END
    FROM kaynak.job_items o LEFT JOIN kaynak.document_versions v ON v.id = o.version_id
    WHERE i.job_id = :id AND i.outcome = 'pending' AND o.job_id = i.job_id AND o.position = i.position
    """
)
_GIVE_UP = (
    """
    UPDATE kaynak.document_versions SET state = :state, password = NULL, error = :error, error_code = :code,
        error_hint = :hint
    WHERE job_id = :id AND state = 'pending' AND (CAST(:only AS uuid[]) IS NULL OR id = ANY(CAST(:only AS uuid[])))
    """,
    """
    UPDATE kaynak.job_items SET outcome = :state, error = :error, error_code = :code, error_hint = :hint
    WHERE job_id = :id AND outcome = 'pending'
        AND (CAST(:only AS uuid[]) IS NULL OR version_id = ANY(CAST(:only AS uuid[])))
    """,
)
_REVIVE = (
    """
    UPDATE kaynak.jobs SET state = 'queued', setbacks = 0, cancel_requested = FALSE, error = NULL,
        progress = '{}', finished_at = NULL WHERE id = :id
    """,
    """
    UPDATE kaynak.document_versions SET state = 'pending', error = NULL, error_code = NULL, error_hint = NULL
    WHERE job_id = :id AND state IN ('failed', 'cancelled')
    """,
    """
    UPDATE kaynak.job_items SET outcome = 'pending', error = NULL, error_code = NULL, error_hint = NULL
    WHERE job_id = :id AND version_id IS NOT NULL AND outcome IN ('failed', 'cancelled')
    """,
)
_NOTIFY = text(f"SELECT pg_notify('{JOBS_CHANNEL}', CAST(:id AS text))")


@dataclass(frozen=True, slots=True)
class NewItem:
    """One document of a new job; see `JobItem`.

    Attributes:
        item: The document.
        version_id: What the job brings in; None if nothing.
        readers: Who may see the item if there is no document; with one, they are the document's.
    """

    item: JobItem
    version_id: UUID | None = None
    readers: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A job that was begun.

    Attributes:
        collection_id: What it works on.
        attempt: Number of this start. Who began an earlier one may not write any more, see `Jobs.advance`.
        setbacks: Starts, this one included, since the job last got further.
        cancel_requested: Whether someone asked it to stop meanwhile.
        suspect: The version that was in work alone when the job was cut off, see `Jobs.suspect`.
    """

    collection_id: UUID
    attempt: int
    setbacks: int
    cancel_requested: bool
    suspect: UUID | None


class Jobs:
    """Durable background work as people see it. The queue that drives it lies beside, in the same database."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, job_id: UUID, kind: str, collection_id: UUID) -> None:
        """Makes a queued job without items."""
        await self._connection.execute(
            text("INSERT INTO kaynak.jobs (id, kind, collection_id, state) VALUES (:id, :kind, :collection, 'queued')"),
            {"id": job_id, "kind": kind, "collection": collection_id},
        )

    async def add_items(self, job_id: UUID, items: Sequence[NewItem]) -> None:
        """Notes the documents of a job, in order."""
        await self._connection.execute(
            text(
                "INSERT INTO kaynak.job_items (job_id, position, external_id, document_id, version_id, outcome, "
                "error, error_code, error_hint, readers) SELECT :job_id, position - 1, g.external_id, document_id, "
                "version_id, outcome, error, error_code, error_hint, CASE WHEN d.id IS NOT NULL THEN d.readers "
                "ELSE CAST(g.readers AS uuid[]) END FROM unnest(CAST(:names AS text[]), "
                "CAST(:documents AS uuid[]), CAST(:versions AS uuid[]), CAST(:outcomes AS text[]), "
                "CAST(:errors AS text[]), CAST(:codes AS text[]), CAST(:hints AS text[]), CAST(:readers AS text[])) "
                "WITH ORDINALITY AS g (external_id, document_id, version_id, outcome, error, error_code, error_hint, "
                "readers, position) LEFT JOIN kaynak.documents d ON d.id = g.document_id"
            ),
            {
                "job_id": job_id,
                "names": [new.item.external_id for new in items],
                "documents": [new.item.document_id for new in items],
                "versions": [new.version_id for new in items],
                "outcomes": [new.item.outcome for new in items],
                "errors": [new.item.error for new in items],
                "codes": [new.item.error_code for new in items],
                "hints": [new.item.hint for new in items],
                "readers": [None if new.readers is None else _array(new.readers) for new in items],
            },
        )

    async def start(self, job_id: UUID) -> Started | None:
        """Notes that a worker begins the job; None if there is nothing to do (it is gone or at its end)."""
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.jobs SET state = 'running', attempts = attempts + 1, setbacks = setbacks + 1, "
                "started_at = now(), finished_at = NULL, error = NULL "
                "WHERE id = :id AND state IN ('queued', 'running') "
                "RETURNING collection_id, attempts, setbacks, cancel_requested, progress->>'suspect' AS suspect"
            ),
            {"id": job_id},
        )
        row = done.one_or_none()
        if row is None:
            return None
        await self._notify(job_id)
        suspect = UUID(row.suspect) if row.suspect else None
        return Started(row.collection_id, row.attempts, row.setbacks, row.cancel_requested, suspect)

    async def advance(self, job_id: UUID, attempt: int) -> bool:
        """Notes that the job gets further, and returns whether this start is still the one that may write.

        It is not when the job was cancelled, or when the worker was thought dead and another one began the job
        anew. Call it first in the transaction that writes data: the answer holds until that ends.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.jobs SET setbacks = 1, progress = progress - 'suspect' WHERE id = :id "
                "AND attempts = :attempt AND state = 'running' AND NOT cancel_requested RETURNING id"
            ),
            {"id": job_id, "attempt": attempt},
        )
        return done.one_or_none() is not None

    async def suspect(self, job_id: UUID, version_id: UUID) -> None:
        """Notes that only this version is in work now, so that it can be blamed if the worker dies of it."""
        await self._connection.execute(
            text(
                "UPDATE kaynak.jobs SET progress = progress || jsonb_build_object('suspect', CAST(:version AS text)) "
                "WHERE id = :id"
            ),
            {"id": job_id, "version": str(version_id)},
        )

    async def report(self, job_id: UUID, attempt: int, progress: Progress | None) -> bool:
        """Stores the numbers people see (None: nothing new); returns whether the work may go on."""
        values = {"id": job_id, "attempt": attempt}
        mine = "WHERE id = :id AND attempts = :attempt AND state = 'running'"
        if progress is None:
            found = await self._connection.execute(text(f"SELECT NOT cancel_requested FROM kaynak.jobs {mine}"), values)
        else:
            found = await self._connection.execute(
                text(
                    "UPDATE kaynak.jobs SET progress = progress || CAST(:progress AS jsonb) "
                    f"{mine} RETURNING NOT cancel_requested"
                ),
                {**values, "progress": json.dumps(progress)},
            )
            await self._notify(job_id)
        return bool(found.scalar_one_or_none())

    async def settle(self, job_id: UUID, outcomes: Iterable[tuple[UUID, Outcome]]) -> None:
        """Notes what became of versions (version id, outcome)."""
        pairs = list(outcomes)
        await self._connection.execute(
            text(
                "UPDATE kaynak.job_items i SET outcome = given.outcome FROM unnest(CAST(:versions AS uuid[]), "
                "CAST(:outcomes AS text[])) AS given (version_id, outcome) "
                "WHERE i.version_id = given.version_id AND i.job_id = :job_id"
            ),
            {"job_id": job_id, "versions": [pair[0] for pair in pairs], "outcomes": [pair[1] for pair in pairs]},
        )

    async def give_up(
        self,
        job_id: UUID,
        state: Outcome,
        *,
        only: Sequence[UUID] | None = None,
        error: str | None = None,
        error_code: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Lets go of versions that still wait, and of their items.

        Args:
            job_id: The job.
            state: ``FAILED`` or ``CANCELLED``.
            only: These versions; None for all of the job.
            error: Why, for people.
            error_code: Why, for scripts.
            hint: What to do about it.
        """
        values = {"id": job_id, "state": state, "error": error, "code": error_code, "hint": hint, "only": only}
        for statement in _GIVE_UP:
            await self._connection.execute(text(statement), values)

    async def finish(
        self, job_id: UUID, state: JobState, error: str | None = None, *, attempt: int | None = None
    ) -> bool:
        """Ends the job, or puts it back into the queue; returns False if another start has taken it over.

        What still waits in a job that failed or was cancelled is given up.
        """
        done = await self._connection.execute(
            text(
                "UPDATE kaynak.jobs SET state = :state, error = :error, finished_at = CASE WHEN :final THEN now() END "
                "WHERE id = :id AND (CAST(:attempt AS int) IS NULL OR attempts = :attempt AND state = 'running') "
                "RETURNING id"
            ),
            {"id": job_id, "state": state, "error": error, "final": state.final, "attempt": attempt},
        )
        if done.one_or_none() is None:
            return False
        if state is JobState.CANCELLED:
            await self.give_up(job_id, Outcome.CANCELLED)
        elif state is JobState.FAILED:
            await self.give_up(job_id, Outcome.FAILED, error=error, error_code="job-failed", hint=REQUEUE_HINT)
        if state.final:
            await self._connection.execute(_LEFT, {"id": job_id})
        await self._notify(job_id)
        return True

    async def settled(self, job_id: UUID) -> tuple[int, int]:
        """Returns how many documents the job is to bring in, and how many of them are done with."""
        found = await self._connection.execute(
            text(
                "SELECT count(*), count(*) FILTER (WHERE outcome <> 'pending') FROM kaynak.job_items "
                "WHERE job_id = :id AND version_id IS NOT NULL"
            ),
            {"id": job_id},
        )
        total, done = found.one()
        return int(total), int(done)

    async def unfinished(self) -> bool:
        """Returns whether any job is waiting or running."""
        found = await self._connection.execute(
            text("SELECT EXISTS (SELECT 1 FROM kaynak.jobs WHERE state IN ('queued', 'running'))")
        )
        return bool(found.scalar_one())

    async def get(self, scope: Scope, job_id: UUID, *, lock: bool = False) -> Job:
        """Returns the job, locked until the transaction ends if asked.

        Raises:
            JobNotFound: There is none, or not for this caller.
        """
        if lock:
            await self._connection.execute(text("SELECT 1 FROM kaynak.jobs WHERE id = :id FOR UPDATE"), {"id": job_id})
        found = await self._connection.execute(
            text(f"{_JOB} AND j.id = :id"), {"id": job_id, **scope_values(scope, Permission.WRITE)}
        )
        row = found.mappings().one_or_none()
        if row is None:
            raise JobNotFound(f"There is no job {job_id}.", hint="List the jobs to see them.")
        return _job(row)

    async def list(
        self,
        scope: Scope,
        *,
        collection: str | None = None,
        state: JobState | None = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Returns at most ``limit`` jobs, newest first, those older than ``after``."""
        found = await self._connection.execute(
            text(
                f"{_JOB} AND (CAST(:collection AS text) IS NULL OR c.name = :collection) "
                "AND (CAST(:state AS text) IS NULL OR j.state = :state) "
                "AND (CAST(:after AS uuid) IS NULL OR j.id < :after) ORDER BY j.id DESC LIMIT :limit"
            ),
            {
                **scope_values(scope, Permission.WRITE),
                "collection": collection,
                "state": state,
                "after": after,
                "limit": limit,
            },
        )
        return [_job(row) for row in found.mappings()]

    async def items(
        self, scope: Scope, job_id: UUID, *, after: int | None = None, limit: int = 100
    ) -> Sequence[JobItem]:
        """Returns at most ``limit`` items of a job in order, those after the one of number ``after``, from 0.

        Raises:
            JobNotFound: There is no such job, or not for this caller.
        """
        await self.get(scope, job_id)
        principals = scope_values(scope)["principals"]
        # Positions would tell of what is left out: who does not see all of it counts what they see.
        skipped = "position > :after" if principals is None else _ITEM
        offset = "" if principals is None else "OFFSET :after + 1"
        found = await self._connection.execute(
            text(
                "SELECT external_id, document_id, outcome, error, error_code, error_hint "
                f"FROM kaynak.job_items i WHERE job_id = :id AND {skipped} ORDER BY position LIMIT :limit {offset}"
            ),
            {"id": job_id, "after": -1 if after is None else after, "limit": limit}
            | ({} if principals is None else {"principals": principals}),
        )
        return [
            JobItem(row.external_id, row.document_id, Outcome(row.outcome), row.error, row.error_code, row.error_hint)
            for row in found
        ]

    async def request_cancel(self, job_id: UUID) -> None:
        """Asks a running job to stop."""
        await self._connection.execute(
            text("UPDATE kaynak.jobs SET cancel_requested = TRUE WHERE id = :id"), {"id": job_id}
        )
        await self._notify(job_id)

    async def revive(self, job_id: UUID) -> None:
        """Puts an ended job back: what failed or was cancelled in it is to be done again."""
        for statement in _REVIVE:
            await self._connection.execute(text(statement), {"id": job_id})
        await self._notify(job_id)

    async def _notify(self, job_id: UUID) -> None:
        await self._connection.execute(_NOTIFY, {"id": job_id})


def _array(ids: Iterable[UUID]) -> str:
    """Returns an array as PostgreSQL writes it: arrays in an array would have to be of one length."""
    return "{" + ",".join(map(str, ids)) + "}"


def _job(row: Mapping[Any, Any]) -> Job:
    progress = row["progress"]
    return Job(
        id=row["id"],
        kind=row["kind"],
        collection=row["collection"],
        state=JobState(row["state"]),
        stages=tuple(StageProgress(name, *progress.get(name, (0, 0))) for name in STAGES),
        counts={Outcome(name): count for name, count in row["counts"].items()},
        attempts=row["attempts"],
        cancel_requested=row["cancel_requested"],
        error=row["error"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
