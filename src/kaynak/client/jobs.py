from __future__ import annotations

from uuid import UUID

from kaynak.client.both import Both, Listed
from kaynak.client.calls import Call, Page, as_, given, nothing, pages
from kaynak.domain import Job, JobItem


def _jobs(after: str | None, *, collection: str | None = None, state: str | None = None) -> Call[Page[Job]]:
    """Yields jobs, newest first; ``state="failed"`` lists the dead letters."""
    return pages("/v1/jobs", Job, after, given(collection=collection, state=state))


def _job(job: UUID) -> Call[Job]:
    """Returns the job.

    Raises:
        JobNotFound: There is none of that id.
    """
    return Call("GET", f"/v1/jobs/{job}", as_(Job))


def _job_items(after: str | None, job: UUID) -> Call[Page[JobItem]]:
    """Yields what became of each document."""
    return pages(f"/v1/jobs/{job}/items", JobItem, after, {})


def _cancel_job(job: UUID) -> Call[Job]:
    """Asks a job to stop."""
    return Call("POST", f"/v1/jobs/{job}/cancel", as_(Job))


def _requeue_job(job: UUID) -> Call[Job]:
    """Tries a failed or cancelled job again."""
    return Call("POST", f"/v1/jobs/{job}/requeue", as_(Job), safe=False)


def followed(job: UUID) -> Call[None]:
    """Follows a job, as events."""
    return Call("GET", f"/v1/jobs/{job}/events", nothing)


def healthy() -> Call[None]:
    """Asks whether everything that a search needs is there; asked once."""
    return Call("GET", "/ready", nothing, safe=False)


class JobCalls:
    """What both clients can do with jobs, beside waiting for them."""

    jobs = Listed(_jobs)
    job = Both(_job)
    job_items = Listed(_job_items)
    cancel_job = Both(_cancel_job)
    requeue_job = Both(_requeue_job)
