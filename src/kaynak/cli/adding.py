"""Adding many files: batches of them become jobs, which are done here unless someone else is quicker."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import typer

from kaynak.cli import output
from kaynak.cli.command import services
from kaynak.cli.files import Found, Skipped
from kaynak.cli.jobs import all_items
from kaynak.cli.progress import ProgressDisplay
from kaynak.domain import (
    OWNER,
    CollectionExists,
    CollectionNotFound,
    Job,
    JobItem,
    JobState,
    Json,
    KaynakError,
    Outcome,
    UnreadableReason,
    validate_collection_name,
)

if TYPE_CHECKING:
    from kaynak.app import Kaynak
    from kaynak.ingestion import Upload

BATCH_FILES = 1000
BATCH_BYTES = 256 * 1024 * 1024
SHOWN_FAILURES = 50
UNSEEN = "not-readable"
"""Error code of paths that the system does not let us read."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for besides the files."""

    collection: str
    metadata: Mapping[str, Json] | None
    title: str | None
    password: str | None
    quiet: bool
    readers: tuple[str, ...] | None = None
    prefix: str = ""
    prune: bool = False
    yes: bool = False


@dataclass(slots=True)
class Report:
    """What became of everything.

    Attributes:
        collection: Its name.
        created: Whether the collection was made for this.
        counts: Documents by outcome.
        failures: Those that failed, with their reasons.
        named: Everything that was uploaded, as it was taken in.
        pruned: Documents that were removed because the files they came from are gone.
        not_pruned: Why nothing was removed although it was asked for.
        jobs: What was queued.
        job_error: Why a job failed as a whole.
        interrupted: Whether Ctrl-C stopped it.
    """

    collection: str
    created: bool = False
    counts: dict[Outcome, int] = field(default_factory=dict)
    failures: list[JobItem] = field(default_factory=list)
    named: list[JobItem] = field(default_factory=list)
    pruned: int = 0
    not_pruned: str | None = None
    jobs: list[Job] = field(default_factory=list)
    job_error: str | None = None
    interrupted: bool = False

    def count(self, item: JobItem) -> None:
        """Notes one document."""
        self.counts[item.outcome] = self.counts.get(item.outcome, 0) + 1
        if item.outcome is Outcome.FAILED:
            self.failures.append(item)

    def summary(self) -> dict[str, Any]:
        """Returns the report for machines."""
        counts = {outcome.value: self.counts.get(outcome, 0) for outcome in Outcome}
        return {
            "collection": self.collection,
            "created": self.created,
            **counts,
            "pruned": self.pruned,
            "not_pruned": self.not_pruned,
            "failures": self.failures,
            "jobs": [job.id for job in self.jobs],
            "error": self.job_error,
            "interrupted": self.interrupted,
        }

    def print(self) -> None:
        """Prints the report for people."""
        words = [f"{number} {outcome.value}" for outcome in Outcome if (number := self.counts.get(outcome, 0))]
        words += [f"{self.pruned} removed"] if self.pruned else []
        output.line(f"{self.collection}: {', '.join(words) or 'nothing to do'}.")
        for item in self.failures[:SHOWN_FAILURES]:
            output.line(f"  ✗ {item.external_id}: {item.error or item.error_code}")
            if item.hint:
                output.line(f"    → {item.hint}")
        if len(self.failures) > SHOWN_FAILURES:
            output.line(f"  … and {len(self.failures) - SHOWN_FAILURES} more; see: kaynak jobs show JOB")
        if self.not_pruned:
            output.note(f"kaynak: nothing was removed: {self.not_pruned}.")
        if self.job_error:
            output.note(f"kaynak: {self.job_error}")
        if self.interrupted:
            output.note("kaynak: stopped, and what was still waiting is cancelled. What was added stays;")
            output.note("  → run the same command again to go on: it passes over what is already there.")


async def add_files(files: Sequence[Found], skipped: Sequence[Skipped], options: Options) -> Report:
    """Adds ``files`` and returns what became of each.

    A worker runs here until the jobs are done; a running server takes part in them if there is one.
    """
    report = Report(options.collection)
    for entry in skipped:
        report.count(JobItem(str(entry.path), None, Outcome.FAILED, entry.reason, UNSEEN))
    if not files:
        return report
    async with services(worker=True) as kaynak:
        report.created = await _ensure_collection(kaynak, options)
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        adding = asyncio.create_task(_add_and_prune(kaynak, files, options, report))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, adding.cancel)
        loop.add_signal_handler(signal.SIGTERM, adding.cancel)
        try:
            await asyncio.wait({working, adding}, return_when=asyncio.FIRST_COMPLETED)
            if not adding.done():
                adding.cancel()
                await asyncio.wait({adding})
                await working
                raise KaynakError("The worker stopped before the work was done.", hint="Try again.")
            await adding
        except asyncio.CancelledError:
            report.interrupted = True
            await _cancel(kaynak, report)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            loop.remove_signal_handler(signal.SIGTERM)
            stop.set()
            await asyncio.wait({working}, timeout=10)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
    return report


async def _ensure_collection(kaynak: Kaynak, options: Options) -> bool:
    try:
        await kaynak.collections.get(OWNER, options.collection)
    except CollectionNotFound:
        validate_collection_name(options.collection)
        try:
            await kaynak.collections.create(OWNER, options.collection)
        except CollectionExists:
            return False  # someone was quicker
        if not options.quiet:
            output.note(f"Created the collection {options.collection}.")
        return True
    return False


async def _add_and_prune(kaynak: Kaynak, files: Sequence[Found], options: Options, report: Report) -> None:
    await _add_with_passwords(kaynak, files, options, report)
    if options.prune:
        await _prune(kaynak, options, report)


async def _prune(kaynak: Kaynak, options: Options, report: Report) -> None:
    """Removes the documents whose files are gone, if it is certain that they are, and asks before it does."""
    if any(item.error_code == UNSEEN for item in report.failures):
        report.not_pruned = "some paths could not be read, and what is behind them may still be there"
        return
    left = await kaynak.intake.left_over(OWNER, options.collection, report.named, prefix=options.prefix)
    if not left:
        return
    if not options.yes:
        if options.quiet or not _someone_is_there():
            report.not_pruned = f"{len(left)} documents have no file any more; give --yes to remove them"
            return
        question = f"Remove {len(left)} documents of {options.collection} whose files are gone?"
        if not await asyncio.to_thread(typer.confirm, question, err=True):
            report.not_pruned = "you said no"
            return
    report.pruned = await kaynak.intake.remove(OWNER, options.collection, left)


async def _add_with_passwords(kaynak: Kaynak, files: Sequence[Found], options: Options, report: Report) -> None:
    await _add(kaynak, files, options, report, options.password)
    locked = [item for item in report.failures if item.error_code == UnreadableReason.ENCRYPTED.value]
    if not locked or options.password or options.quiet or not _someone_is_there():
        return
    by_id = {file.external_id: file for file in files}
    again = [by_id[item.external_id] for item in locked if item.external_id in by_id]
    if not again:
        return
    output.note(f"{len(again)} of them are encrypted: {', '.join(file.external_id for file in again[:5])}")
    password = await asyncio.to_thread(
        typer.prompt, "Password (empty to leave them)", default="", hide_input=True, show_default=False, err=True
    )
    if password:
        names = {file.external_id for file in again}
        report.failures = [item for item in report.failures if item.external_id not in names]
        report.counts[Outcome.FAILED] -= len(again)
        await _add(kaynak, again, options, report, password)


def _someone_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


async def _add(kaynak: Kaynak, files: Sequence[Found], options: Options, report: Report, password: str | None) -> None:
    pending: dict[Any, Job] = {}
    finished: list[Job] = []
    with ProgressDisplay(len(files)) as display:
        follower: asyncio.Task[None] | None = None
        try:
            for batch in _batches(files):
                uploads = [_upload(file, options, password) for file in batch]
                submission = await kaynak.intake.submit(OWNER, options.collection, uploads)
                report.named += submission.items
                display.documents -= sum(item.outcome is not Outcome.PENDING for item in submission.items)
                if submission.job is None:
                    for item in submission.items:
                        report.count(item)
                    continue
                pending[submission.job.id] = submission.job
                report.jobs.append(submission.job)
                if follower is None or follower.done():
                    follower = asyncio.create_task(_follow(kaynak, pending, finished, display))
            while pending:
                if follower is None or follower.done():
                    if follower is not None:
                        await follower
                    follower = asyncio.create_task(_follow(kaynak, pending, finished, display))
                await follower
        finally:
            if follower is not None and not follower.done():
                follower.cancel()
                with suppress(asyncio.CancelledError):
                    await follower
    for job in finished:
        for item in await all_items(kaynak, job.id):
            report.count(item)
        if job.state is JobState.FAILED:
            report.job_error = job.error or "A job failed."


async def _follow(kaynak: Kaynak, pending: dict[Any, Job], finished: list[Job], display: ProgressDisplay) -> None:
    """Watches the oldest job that is not finished, until none is left: they are done in that order."""
    while pending:
        number = next(iter(pending))
        async for job in kaynak.jobs.watch(OWNER, number):
            pending[number] = job
            display.update([*finished, *pending.values()])
        finished.append(pending.pop(number))


async def _cancel(kaynak: Kaynak, report: Report) -> None:
    for job in report.jobs:
        with suppress(KaynakError):
            await kaynak.jobs.cancel(OWNER, job.id)
    report.counts.clear()
    report.failures.clear()
    for job in report.jobs:
        for item in await all_items(kaynak, job.id):
            report.count(item)


def _batches(files: Sequence[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for file in files:
        with suppress(OSError):  # it may have gone meanwhile; the intake says so
            size += file.path.stat().st_size
        batch.append(file)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _upload(file: Found, options: Options, password: str | None) -> Upload:
    from kaynak.ingestion import Upload

    return Upload(
        external_id=file.external_id,
        filename=file.filename or PurePath(file.external_id).name or file.path.name,
        content=file.path,
        media_type=file.media_type,
        metadata=options.metadata,
        title=options.title,
        password=password,
        readers=options.readers,
    )
