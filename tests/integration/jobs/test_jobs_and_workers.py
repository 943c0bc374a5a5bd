"""Jobs: their ends, their steering, and the workers that do them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    CatalogUnavailable,
    Conflict,
    EmbedderUnavailable,
    Job,
    JobNotFound,
    JobState,
    Outcome,
    Scope,
    VersionState,
    new_id,
)
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio


def numbered(count: int) -> dict[str, str]:
    return {f"n{number:03}": f"Document number {number} says something of its own." for number in range(count)}


async def queue(workshop: Workshop) -> list[tuple[str, str]]:
    async with workshop.catalog.read() as unit:
        rows = await unit.connection.execute(text("SELECT lock, status::text FROM procrastinate_jobs ORDER BY id"))
        return [(row.lock, row.status) for row in rows]


async def test_a_worker_does_what_is_queued(workshop: Workshop) -> None:
    await workshop.collection()
    async with workshop.working():
        sent = [await workshop.send({f"{turn}-{name}": body for name, body in numbered(10).items()}) for turn in "abc"]
        ends = [await workshop.done(one) for one in sent]
    assert [job.state for job in ends] == [JobState.SUCCEEDED] * 3
    assert len(await workshop.documents.list(OWNER, "handbook", limit=100)) == 30
    assert await queue(workshop) == []
    assert [job.id for job in await workshop.jobs.list(OWNER, collection="handbook")] == [
        one.job.id for one in reversed(sent) if one.job
    ]


async def test_watchers_see_the_stages_and_the_end(workshop: Workshop) -> None:
    await workshop.collection()

    async def slow(source: object) -> None:
        await asyncio.sleep(0.3)

    workshop.parsers.before = slow
    sent = await workshop.send(numbered(30))
    assert sent.job is not None
    number = sent.job.id

    async def watch() -> list[Job]:
        return [job async for job in workshop.jobs.watch(OWNER, number)]

    watching = [asyncio.create_task(watch()) for _ in range(3)]
    async with workshop.working():
        seen = (await asyncio.gather(*watching))[0]
    assert [seen[0].state, seen[-1].state] == [JobState.QUEUED, JobState.SUCCEEDED]
    done = [job.stages[0].done for job in seen if job.state is JobState.RUNNING]
    assert len(set(done)) > 2
    assert done == sorted(done)
    assert {stage.name: (stage.done, stage.total) for stage in seen[-1].stages}["index"] == (30, 30)


async def test_a_waiting_job_is_cancelled_at_once(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send(numbered(3))
    assert sent.job is not None
    await workshop.jobs.cancel(OWNER, sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.counts) == (JobState.CANCELLED, {Outcome.CANCELLED: 3})
    await workshop.jobs.cancel(OWNER, sent.job.id)
    async with workshop.working():
        again = await workshop.send(numbered(2))
        assert [item.outcome for item in again.items] == [Outcome.PENDING] * 2
        assert (await workshop.done(again)).counts == {Outcome.ADDED: 2}
    with pytest.raises(Conflict):
        await workshop.jobs.cancel(OWNER, again.job.id)  # type: ignore[union-attr]
    document = await workshop.documents.find(OWNER, "handbook", "n002")
    assert document.state is VersionState.CANCELLED


async def test_a_running_job_keeps_what_is_committed_when_cancelled(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaynak.ingestion.stages.SMALL_GROUP_CHUNKS", 1)
    monkeypatch.setattr("kaynak.ingestion.reading._TOGETHER", 1)
    await workshop.collection()
    reached = asyncio.Event()

    async def stuck(source: object) -> None:
        if len(workshop.parsers.read) >= 10:
            reached.set()
            await asyncio.sleep(60)

    workshop.parsers.before = stuck
    async with workshop.working():
        sent = await workshop.send(numbered(20))
        await reached.wait()
        await asyncio.sleep(0.3)
        assert sent.job is not None
        await workshop.jobs.cancel(OWNER, sent.job.id)
        job = await workshop.done(sent, 5)
    assert job.state is JobState.CANCELLED
    kept = job.counts[Outcome.ADDED]
    assert 1 <= kept <= 10
    assert job.counts == {Outcome.ADDED: kept, Outcome.CANCELLED: 20 - kept}
    states = [one.state for one in await workshop.documents.list(OWNER, "handbook")]
    assert states.count(VersionState.READY) == kept
    assert await queue(workshop) == []


async def test_transient_faults_are_tried_again(workshop: Workshop) -> None:
    await workshop.collection()
    workshop.embedder.failures = [EmbedderUnavailable("The model is away."), EmbedderUnavailable("Still away.")]
    async with workshop.working():
        job = await workshop.done(await workshop.send(numbered(3)))
    assert (job.state, job.attempts, job.counts) == (JobState.SUCCEEDED, 3, {Outcome.ADDED: 3})


async def test_with_another_model_under_the_same_name_nothing_is_embedded(workshop: Workshop) -> None:
    await workshop.collection()
    fingerprint = workshop.embedder.fingerprint
    workshop.embedder.fingerprint = "another"
    submission = await workshop.send(numbered(3))
    assert submission.job is not None
    await workshop.running.run(submission.job.id)
    job = await workshop.jobs.get(OWNER, submission.job.id)
    assert job.state is JobState.FAILED
    assert "not the one the collection was indexed with" in (job.error or "")
    assert workshop.embedder.calls == []
    workshop.embedder.fingerprint = fingerprint
    await workshop.jobs.requeue(OWNER, job.id)
    async with workshop.working():
        assert (await workshop.done(submission)).counts == {Outcome.ADDED: 3}


async def test_faults_that_last_make_a_dead_letter_that_can_be_requeued(workshop: Workshop) -> None:
    await workshop.collection()
    workshop.embedder.failures = [EmbedderUnavailable("The model is away.") for _ in range(5)]
    async with workshop.working():
        sent = await workshop.send(numbered(3))
        job = await workshop.done(sent)
        assert (job.state, job.attempts, job.error) == (JobState.FAILED, 5, "The model is away.")
        assert job.counts == {Outcome.FAILED: 3}
        assert [one.id for one in await workshop.jobs.list(OWNER, state=JobState.FAILED)] == [job.id]
        document = await workshop.documents.find(OWNER, "handbook", "n001")
        assert (document.state, document.error_code) == (VersionState.FAILED, "job-failed")
        await workshop.jobs.requeue(OWNER, job.id)
        job = await workshop.done(sent)
    assert (job.state, job.counts, job.error) == (JobState.SUCCEEDED, {Outcome.ADDED: 3}, None)
    with pytest.raises(JobNotFound):
        await workshop.jobs.requeue(OWNER, new_id())


async def test_defects_are_not_tried_again(workshop: Workshop) -> None:
    await workshop.collection()
    workshop.embedder.failures = [ValueError("a defect")]
    sent = await workshop.send(numbered(2))
    assert sent.job is not None
    await workshop.running.run(sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.attempts) == (JobState.FAILED, 1)
    assert "ValueError" in (job.error or "")
    assert "a defect" not in (job.error or "")
    again = await workshop.send(numbered(2))
    assert again.job is not None
    with pytest.raises(Conflict):
        await workshop.jobs.requeue(OWNER, again.job.id)


async def test_a_poisonous_document_is_blamed_and_the_others_come_in(workshop: Workshop) -> None:
    """A worker that dies leaves the job running; each start that follows counts until something got further."""
    await workshop.collection()
    sent = await workshop.send({"a": "Good.", "b": "Poison.", "c": "Good as well."})
    assert sent.job is not None

    class Killed(BaseException):
        pass

    def deadly(source: object) -> None:
        if source.name == "b.txt":  # type: ignore[attr-defined]
            raise Killed

    workshop.parsers.before = deadly
    for _ in range(20):
        with suppress(Killed, BaseExceptionGroup):
            await workshop.running.run(sent.job.id)
        if (await workshop.jobs.get(OWNER, sent.job.id)).state.final:
            break
    job = await workshop.jobs.get(OWNER, sent.job.id)
    items = {item.external_id: item for item in await workshop.jobs.items(OWNER, job.id)}
    assert job.state is JobState.SUCCEEDED
    assert {name: item.outcome for name, item in items.items()} == {
        "a": Outcome.ADDED,
        "b": Outcome.FAILED,
        "c": Outcome.ADDED,
    }
    assert items["b"].error_code == "too-complex"
    assert job.attempts < 15


async def test_a_job_that_never_gets_anywhere_is_a_dead_letter(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send(numbered(2))
    assert sent.job is not None
    for _ in range(5):
        async with workshop.catalog.begin() as unit:
            await unit.jobs.start(sent.job.id)
    await workshop.running.run(sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.counts) == (JobState.FAILED, {Outcome.FAILED: 2})


async def test_a_worker_that_was_thought_dead_writes_nothing(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send(numbered(4))
    assert sent.job is not None
    number = sent.job.id
    held = asyncio.Event()
    arrived = asyncio.Event()

    async def hold(source: object) -> None:
        if not held.is_set():
            arrived.set()
            await held.wait()

    workshop.parsers.before = hold
    sleeper = asyncio.create_task(workshop.running.run(number))
    await arrived.wait()
    other = Workshop(workshop.catalog, workshop.folder, workshop.dense, workshop.lexical)
    await other.running.run(number)
    held.set()
    await sleeper
    job = await workshop.jobs.get(OWNER, number)
    assert (job.state, job.counts, job.attempts) == (JobState.SUCCEEDED, {Outcome.ADDED: 4}, 2)
    async with workshop.catalog.read() as unit:
        assert (await unit.connection.execute(text("SELECT count(*) FROM kaynak.chunks"))).scalar_one() == 4
        assert (await unit.connection.execute(text("SELECT count(*) FROM kaynak.change_log"))).scalar_one() == 4


async def test_jobs_of_dead_workers_and_lost_ones_are_found(workshop: Workshop) -> None:
    await workshop.collection()
    stalled = await workshop.send({"a": "Stalled."})
    lost = await workshop.send({"b": "Lost."})
    ended = await workshop.send({"c": "Ended in the queue only."})
    async with workshop.catalog.begin() as unit:
        await unit.connection.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = :id"),
            {"id": str(stalled.job.id)},  # type: ignore[union-attr]
        )
        await unit.connection.execute(
            text("DELETE FROM procrastinate_jobs WHERE lock = :id"),
            {"id": str(lost.job.id)},  # type: ignore[union-attr]
        )
        await unit.connection.execute(
            text("UPDATE procrastinate_jobs SET status = 'failed' WHERE lock = :id"),
            {"id": str(ended.job.id)},  # type: ignore[union-attr]
        )
        await unit.jobs.start(stalled.job.id)  # type: ignore[union-attr]
    async with workshop.working():
        for one in (stalled, lost, ended):
            assert (await workshop.done(one)).state is JobState.SUCCEEDED


async def test_two_workers_share_one_queue(catalog: Catalog, tmp_path: Path) -> None:
    one = Workshop(catalog, tmp_path)
    two = Workshop(catalog, tmp_path, one.dense, one.lexical)
    await one.collection()

    async def slow(source: object) -> None:
        await asyncio.sleep(0.01)

    one.parsers.before = two.parsers.before = slow
    async with one.working(), two.working():
        sent = [await one.send({f"{turn}-{name}": body for name, body in numbered(8).items()}) for turn in range(6)]
        ends = [await one.done(submission) for submission in sent]
    assert {job.state for job in ends} == {JobState.SUCCEEDED}
    assert {job.attempts for job in ends} == {1}
    assert one.parsers.read
    assert two.parsers.read
    assert len(one.parsers.read) + len(two.parsers.read) == 48


async def test_stopping_a_worker_puts_its_job_back(workshop: Workshop) -> None:
    await workshop.collection()
    arrived = asyncio.Event()

    async def stuck(source: object) -> None:
        arrived.set()
        await asyncio.sleep(60)

    workshop.parsers.before = stuck
    sent = await workshop.send(numbered(2))
    async with workshop.working():
        await arrived.wait()
    assert sent.job is not None
    assert (await workshop.jobs.get(OWNER, sent.job.id)).state is JobState.QUEUED
    workshop.parsers.before = None
    async with workshop.working():
        assert (await workshop.done(sent)).state is JobState.SUCCEEDED


async def test_jobs_of_others_are_not_there(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send({"a": "Mine."})
    assert sent.job is not None
    stranger = Scope("stranger", frozenset({new_id()}))
    assert await workshop.jobs.list(stranger) == []
    for call in (workshop.jobs.get, workshop.jobs.cancel, workshop.jobs.requeue, workshop.jobs.items):
        with pytest.raises(JobNotFound):
            await call(stranger, sent.job.id)


async def test_items_are_paged_by_position(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send(numbered(5))
    assert sent.job is not None
    first = await workshop.jobs.items(OWNER, sent.job.id, limit=2)
    rest = await workshop.jobs.items(OWNER, sent.job.id, after=1)
    assert [item.external_id for item in (*first, *rest)] == list(numbered(5))


async def test_workers_tidy_up_now_and_then(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.jobs.worker.TIDY_AFTER_SECONDS", 0.1)
    tidied = asyncio.Event()

    async def tidy() -> None:
        tidied.set()

    monkeypatch.setattr(workshop.collections, "tidy", tidy)
    async with workshop.working(), asyncio.timeout(10):
        await tidied.wait()


async def test_watching_outlives_a_database_that_is_away(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.jobs.service.WATCH_SECONDS", 0.05)
    await workshop.collection()
    sent = await workshop.send({"a": "One."})
    assert sent.job is not None
    get, calls = workshop.jobs.get, 0

    async def sometimes(scope: Scope, job_id: UUID) -> Job:
        nonlocal calls
        calls += 1
        if calls in {2, 3}:
            raise CatalogUnavailable("The database does not answer.")
        return await get(scope, job_id)

    monkeypatch.setattr(workshop.jobs, "get", sometimes)
    watching = asyncio.create_task(workshop.done(sent))
    await asyncio.sleep(0.3)
    await workshop.running.run(sent.job.id)
    assert (await watching).state is JobState.SUCCEEDED
    assert calls > 3
