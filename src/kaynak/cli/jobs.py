from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, command, lists_by_default, with_services
from kaynak.domain import OWNER, Job, JobItem, JobState, Outcome

app = typer.Typer(help="List, follow, cancel and requeue background work.")

Id = Annotated[UUID, typer.Argument(help="Id of the job.", metavar="JOB")]


@app.command("list")
@command
def list_jobs(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")] = None,
    state: Annotated[
        JobState | None, typer.Option("--state", help="Only in this state; failed: the dead letters.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Show at most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""

    async def work(kaynak: Any) -> list[Job]:
        found = await kaynak.jobs.list(OWNER, collection=collection, state=state, after=None, limit=limit + 1)
        return list(found)

    found, more = output.at_most(with_services(work), limit)
    if as_json:
        output.document({"items": found, "more": more})
        return
    output.table(
        ("job", "collection", "state", "documents", "created", "error"),
        [
            (j.id, j.collection, j.state.value, counts(j), f"{j.created_at:%Y-%m-%d %H:%M}", j.error or "")
            for j in found
        ],
    )
    if more:
        output.there_is_more(limit)


lists_by_default(app, list_jobs)


@app.command("show")
@command
def show(job: Id, as_json: AsJson = False) -> None:
    """Show a job and what became of each of its documents."""

    async def work(kaynak: Any) -> tuple[Job, list[JobItem]]:
        found = await kaynak.jobs.get(OWNER, job)
        return found, await all_items(kaynak, job)

    found, items = with_services(work)
    if as_json:
        output.document({"job": found, "items": items})
        return
    _print(found)
    output.table(
        ("document", "outcome", "error", "hint"),
        [(item.external_id, item.outcome.value, item.error or "", item.hint or "") for item in items],
    )


@app.command("watch")
@command
def watch(job: Id, as_json: AsJson = False) -> None:
    """Follow a job to its end. It is done by a running server or worker, not by this command."""

    async def work(kaynak: Any) -> Job:
        from kaynak.cli.progress import ProgressDisplay

        current: Job = await kaynak.jobs.get(OWNER, job)
        with ProgressDisplay(sum(current.counts.values())) as display:
            async for current in kaynak.jobs.watch(OWNER, job):
                display.update([current])
        return current

    _finish(with_services(work), as_json=as_json)


@app.command("cancel")
@command
def cancel(job: Id, as_json: AsJson = False) -> None:
    """Ask a job to stop. What is already searchable stays."""

    async def work(kaynak: Any) -> Job:
        await kaynak.jobs.cancel(OWNER, job)
        found: Job = await kaynak.jobs.get(OWNER, job)
        return found

    found = with_services(work)
    if as_json:
        output.document(found)
    else:
        output.line("Cancelled." if found.state is JobState.CANCELLED else "It will stop shortly.")


@app.command("requeue")
@command
def requeue(job: Id, as_json: AsJson = False) -> None:
    """Try a failed or cancelled job again."""

    async def work(kaynak: Any) -> Job:
        await kaynak.jobs.requeue(OWNER, job)
        found: Job = await kaynak.jobs.get(OWNER, job)
        return found

    found = with_services(work)
    if as_json:
        output.document(found)
    else:
        output.line(f"Queued again. Follow it: kaynak jobs watch {job}")


async def all_items(kaynak: Any, job: UUID) -> list[JobItem]:
    """Returns what became of each document of a job."""
    found: list[JobItem] = []
    while page := await kaynak.jobs.items(OWNER, job, after=len(found) - 1 if found else None, limit=1000):
        found.extend(page)
        if len(page) < 1000:
            break
    return found


def counts(job: Job) -> str:
    """Returns the outcomes of a job in words."""
    return ", ".join(f"{number} {outcome}" for outcome, number in job.counts.items() if number) or "–"


def _print(job: Job) -> None:
    output.table(
        ("", ""),
        [
            ("job", job.id),
            ("collection", job.collection),
            ("state", job.state.value),
            ("documents", counts(job)),
            *((stage.name, f"{stage.done} of {stage.total}") for stage in job.stages),
            ("attempts", job.attempts),
            *([("error", job.error)] if job.error else []),
        ],
    )


def _finish(job: Job, *, as_json: bool) -> None:
    if as_json:
        output.document(job)
    else:
        _print(job)
    if job.state is not JobState.SUCCEEDED or job.counts.get(Outcome.FAILED):
        raise typer.Exit(exits.FAILED)
