"""Titles are part of what is embedded: another title makes other embeddings, whatever happens in between."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from kaynak.chunking import embedding_text
from kaynak.domain import OWNER, Document, JobState, Outcome, VersionState, text_hash
from kaynak.embedding import Kind
from kaynak.ingestion import JobStopped, Upload
from kaynak.ingestion.committing import Committing
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio
PUMP = "The pump is inspected twice a year.\n\nA certified engineer signs the sheet.\n\nSpare parts are in room nine."


class Killed(BaseException):
    """Nothing of ours catches it."""


async def found(workshop: Workshop, name: str = "a") -> Document:
    return await workshop.documents.find(OWNER, "handbook", name)


async def upload(workshop: Workshop, title: str | None, content: str = PUMP, name: str = "a") -> object:
    sent = await workshop.intake.submit(OWNER, "handbook", [Upload(name, "a.txt", content.encode(), title=title)])
    return None if sent.job is None else sent.job.id


async def assert_embedded_as(workshop: Workshop, title: str | None, name: str = "a") -> None:
    """Catalog and dense index have what the texts under this title are embedded as, and nothing is left over."""
    made = await workshop.collections.get(OWNER, "handbook")
    await workshop.followers.catch_up(made.id, made.revision)
    document = await found(workshop, name)
    chunks = await workshop.documents.chunks(OWNER, document.id)
    texts = [embedding_text(title, chunk.headings, chunk.text) for chunk in chunks]
    wanted = await workshop.embedder.embed(texts, "document")
    async with workshop.catalog.read() as unit:
        stored = await unit.connection.execute(
            text("SELECT text_hash FROM kaynak.chunks WHERE document_id = :id ORDER BY ordinal"), {"id": document.id}
        )
        assert list(stored.scalars()) == [text_hash(one) for one in texts]
        assert await unit.embeddings.orphans() == []
        loose = text("SELECT count(*) FROM kaynak.job_items WHERE outcome = 'pending'")
        assert (await unit.connection.execute(loose)).scalar_one() == 0
    records = workshop.dense["memory"]._tables[made.generation.key].records  # type: ignore[attr-defined]
    for chunk, vector in zip(chunks, wanted, strict=True):
        np.testing.assert_allclose(records[chunk.id].vectors["text"], vector, atol=2e-3)


async def test_another_title_embeds_the_passages_anew(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP, "b": "Lunch is at noon."})
    before = await found(workshop)
    parsed = list(workshop.parsers.read)
    update = await workshop.documents.update(OWNER, before.id, title="Boilers")
    assert update.job is not None
    assert (update.document.title, update.job.state) == ("Boilers", JobState.QUEUED)
    await workshop.running.run(update.job.id)
    job = await workshop.jobs.get(OWNER, update.job.id)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.UPDATED: 1})
    assert all(stage.done == stage.total > 0 for stage in job.stages)
    after = await found(workshop)
    assert (after.version, after.chunks) == (before.version, before.chunks)
    assert after.revision > update.document.revision
    assert workshop.parsers.read == parsed
    await assert_embedded_as(workshop, "Boilers")
    await assert_embedded_as(workshop, None, "b")


async def test_what_leaves_the_title_as_it_is_begins_no_job(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    document = await found(workshop)
    first = await workshop.documents.update(OWNER, document.id, title="Boilers", metadata={"year": 2026})
    assert first.job is not None
    await workshop.running.run(first.job.id)
    for title, metadata in (("Boilers", None), (None, {"year": 2027}), ("Boilers", {"year": 2028})):
        assert (await workshop.documents.update(OWNER, document.id, title=title, metadata=metadata)).job is None
    await assert_embedded_as(workshop, "Boilers")


async def test_the_same_bytes_under_another_title_are_embedded_anew(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.running.run(await upload(workshop, "Pumps"))  # type: ignore[arg-type]
    parsed = list(workshop.parsers.read)
    job = await upload(workshop, "Boilers")
    assert job is not None
    await workshop.running.run(job)  # type: ignore[arg-type]
    assert (await workshop.jobs.get(OWNER, job)).counts == {Outcome.UPDATED: 1}  # type: ignore[arg-type]
    assert workshop.parsers.read == parsed
    await assert_embedded_as(workshop, "Boilers")
    assert await upload(workshop, "Boilers") is None


async def test_a_title_that_comes_with_bytes_nobody_can_read_holds_for_the_version_before(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.running.run(await upload(workshop, "Pumps"))  # type: ignore[arg-type]
    job = await upload(workshop, "Boilers", "%broken")
    await workshop.running.run(job)  # type: ignore[arg-type]
    assert (await workshop.jobs.get(OWNER, job)).counts == {Outcome.FAILED: 1}  # type: ignore[arg-type]
    document = await found(workshop)
    assert (document.state, document.title, document.version) == (VersionState.FAILED, "Boilers", 1)
    await assert_embedded_as(workshop, "Boilers")


@pytest.mark.parametrize("after_embedding", [False, True])
async def test_a_title_that_changes_while_its_document_comes_in(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, after_embedding: bool
) -> None:
    await workshop.collection()
    job = await upload(workshop, "Pumps")
    document = await found(workshop)
    embed = workshop.embedder.embed

    async def change(texts: list[str], kind: Kind) -> object:
        monkeypatch.undo()
        vectors = await embed(texts, kind) if after_embedding else None
        assert (await workshop.documents.update(OWNER, document.id, title="Boilers")).job is None
        return await embed(texts, kind) if vectors is None else vectors

    monkeypatch.setattr(workshop.embedder, "embed", change)
    await workshop.running.run(job)  # type: ignore[arg-type]
    await assert_embedded_as(workshop, "Boilers")


async def test_titles_that_change_while_passages_are_embedded_anew(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    document = await found(workshop)
    first = await workshop.documents.update(OWNER, document.id, title="Boilers")
    embed = workshop.embedder.embed
    second = []

    async def change(texts: list[str], kind: Kind) -> object:
        monkeypatch.undo()
        second.append((await workshop.documents.update(OWNER, document.id, title="Valves")).job)
        return await embed(texts, kind)

    monkeypatch.setattr(workshop.embedder, "embed", change)
    assert first.job is not None
    await workshop.running.run(first.job.id)
    await workshop.running.run(second[0].id)
    for job in (first.job, second[0]):
        assert (await workshop.jobs.get(OWNER, job.id)).state is JobState.SUCCEEDED
    await assert_embedded_as(workshop, "Valves")


async def test_a_document_that_goes_meanwhile_is_let_go(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    document = await found(workshop)
    update = await workshop.documents.update(OWNER, document.id, title="Boilers")
    await workshop.documents.delete(OWNER, document.id)
    assert update.job is not None
    await workshop.running.run(update.job.id)
    job = await workshop.jobs.get(OWNER, update.job.id)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.CANCELLED: 1})


@pytest.mark.parametrize("place", ["advance", "keep", "collect"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_job_that_is_cut_off_goes_on(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, place: str, after: bool
) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    update = await workshop.documents.update(OWNER, (await found(workshop)).id, title="Boilers")
    assert update.job is not None
    method = getattr(Committing, place)

    async def die(self: Committing, *arguments: object) -> None:
        if after:
            await method(self, *arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Committing, place, die)
        async with workshop.catalog.begin() as unit:
            started = await unit.jobs.start(update.job.id)
        assert started is not None
        with pytest.raises(Killed):
            async with workshop.pipeline.open(update.job.id, started) as run:
                await run.work()
    await workshop.running.run(update.job.id)
    assert (await workshop.jobs.get(OWNER, update.job.id)).counts == {Outcome.UPDATED: 1}
    async with workshop.catalog.begin() as unit:
        await unit.embeddings.collect_garbage()
    await assert_embedded_as(workshop, "Boilers")


async def test_a_start_that_was_overtaken_embeds_nothing(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    update = await workshop.documents.update(OWNER, (await found(workshop)).id, title="Boilers")
    assert update.job is not None
    async with workshop.catalog.begin() as unit:
        started = await unit.jobs.start(update.job.id)
    async with workshop.catalog.begin() as unit:
        await unit.jobs.start(update.job.id)
    assert started is not None
    with pytest.raises(JobStopped):
        async with workshop.pipeline.open(update.job.id, started) as run:
            await run.work()
    await workshop.running.run(update.job.id)
    await assert_embedded_as(workshop, "Boilers")
