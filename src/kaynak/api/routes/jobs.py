from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Renewal, Services, page_of
from kaynak.api.guarding import Guard
from kaynak.api.problems import problems, request_id_of
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.jobs import JobItemView, JobView
from kaynak.api.sse import Event, EventStream, started
from kaynak.domain import CollectionNotFound, Conflict, Job, JobNotFound, JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=JsonRoute)

JobId = Annotated[UUID, Path(description="Id of the job.")]


@router.get(
    "",
    response_model=PageOf[JobView],
    responses=problems(CollectionNotFound),
    summary="List jobs",
)
async def list_jobs(
    kaynak: Services,
    scope: CurrentScope,
    page: Paging,
    collection: Annotated[str | None, Query(max_length=64, description="Only of this collection.")] = None,
    state: Annotated[JobState | None, Query(description="`failed` lists the dead letters.")] = None,
) -> Response:
    """Lists jobs, newest first."""
    after = cursors.id_after("jobs", page.after)
    found = await kaynak.jobs.list(scope, collection=collection, state=state, after=after, limit=page.limit + 1)
    return page_of(found, page, "jobs", lambda job: job.id)


@router.get("/{job_id}", response_model=JobView, responses=problems(JobNotFound), summary="Show a job")
async def get_job(job_id: JobId, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows a job with its progress per stage."""
    return Json(await kaynak.jobs.get(scope, job_id))


@router.get(
    "/{job_id}/items",
    response_model=PageOf[JobItemView],
    responses=problems(JobNotFound),
    summary="List a job's documents",
)
async def list_items(job_id: JobId, kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists what became of each document, in the order of the upload."""
    after = cursors.number_after("items", page.after)
    found = await kaynak.jobs.items(scope, job_id, after=after, limit=page.limit + 1)
    last = (-1 if after is None else after) + min(len(found), page.limit)
    return page_of(found, page, "items", lambda _item: last)


@router.post(
    "/{job_id}/cancel",
    response_model=JobView,
    responses=problems(JobNotFound, Conflict),
    summary="Cancel a job",
)
async def cancel_job(job_id: JobId, kaynak: Services, scope: CurrentScope) -> Response:
    """Asks a job to stop. What is already searchable stays."""
    await kaynak.jobs.cancel(scope, job_id)
    return Json(await kaynak.jobs.get(scope, job_id))


@router.post(
    "/{job_id}/requeue",
    response_model=JobView,
    responses=problems(JobNotFound, Conflict),
    summary="Requeue a job",
)
async def requeue_job(job_id: JobId, kaynak: Services, scope: CurrentScope) -> Response:
    """Tries a failed or cancelled job again; documents that were done are not done again."""
    await kaynak.jobs.requeue(scope, job_id)
    return Json(await kaynak.jobs.get(scope, job_id))


@router.get(
    "/{job_id}/events",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {
            "description": "`progress` with the job whenever it changes; `done` with it at its end.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problems(JobNotFound),
    },
    summary="Follow a job",
)
async def follow_job(
    job_id: JobId, request: Request, kaynak: Services, scope: CurrentScope, renew: Renewal
) -> Response:
    """Streams the progress of a job as server-sent events, and ends when the job does."""
    guard = Guard(kaynak, scope, renew, lambda now: kaynak.jobs.get(now, job_id))
    events = await started(_progress(guard.watch(kaynak.jobs.watch(scope, job_id))))
    return EventStream(events, request_id=request_id_of(request))


async def _progress(watched: AsyncIterator[Job]) -> AsyncIterator[Event]:
    async with aclosing(watched) as jobs:  # type: ignore[type-var]  # an async generator
        async for job in jobs:
            yield ("done" if job.state.final else "progress"), job
