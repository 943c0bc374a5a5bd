"""Documents on their way in: what becomes searchable, what is left alone, what fails alone."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    CollectionNotFound,
    InvalidRequest,
    JobState,
    Outcome,
    StorageFull,
    VersionState,
    text_hash,
)
from kaynak.ingestion import Upload
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio
PUMP = "The pump is inspected twice a year.\n\nA certified engineer signs the sheet.\n\nSpare parts are in room nine."


async def points(workshop: Workshop) -> list[set[int]]:
    key = (await workshop.collections.get(OWNER, "handbook")).generation.key
    return [
        {one async for one, _ in engine.scan(key)} for engine in (workshop.dense["memory"], workshop.lexical["memory"])
    ]


async def test_an_upload_becomes_searchable(workshop: Workshop) -> None:
    await workshop.collection()
    job = await workshop.bring({"a": PUMP, "b": "Holidays are asked for by mail, two weeks ahead."})
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.ADDED: 2})
    assert all(stage.done == stage.total > 0 for stage in job.stages)
    document = await workshop.documents.find(OWNER, "handbook", "a")
    assert (document.state, document.version, document.language) == (VersionState.READY, 1, "en")
    chunks = await workshop.documents.chunks(OWNER, document.id)
    whole = await workshop.documents.text(OWNER, document.id)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert all(chunk.text == whole.text[chunk.span.start : chunk.span.end] for chunk in chunks)
    dense, lexical = await points(workshop)
    assert dense == lexical >= {chunk.id for chunk in chunks}


async def test_the_same_bytes_change_nothing(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    before = await workshop.documents.find(OWNER, "handbook", "a")
    again = await workshop.send({"a": PUMP})
    assert again.job is None
    assert [(item.outcome, item.document_id) for item in again.items] == [(Outcome.UNCHANGED, before.id)]
    assert await workshop.documents.find(OWNER, "handbook", "a") == before


async def test_other_metadata_takes_effect_without_parsing(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({"a": PUMP})
    upload = Upload("a", "a.txt", PUMP.encode(), metadata={"team": "north"})
    sent = await workshop.intake.submit(OWNER, "handbook", [upload])
    assert sent.job is None
    assert sent.items[0].outcome is Outcome.UPDATED
    document = await workshop.documents.find(OWNER, "handbook", "a")
    assert (document.title, document.metadata, document.version) == ("a", {"team": "north"}, 1)
    assert workshop.parsers.read == ["a.txt"]
    await workshop.followers.catch_up(made.id, document.revision)
    stored = workshop.dense["memory"]._tables[made.generation.key].records.values()  # type: ignore[attr-defined]
    assert {one.payload["team"] for one in stored} == {"north"}


async def test_only_changed_passages_are_embedded_again(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    workshop.embedder.calls.clear()
    job = await workshop.bring({"a": PUMP.replace("room nine", "room ten")})
    assert job.counts == {Outcome.UPDATED: 1}
    embedded = [one for texts, _ in workshop.embedder.calls for one in texts]
    assert embedded
    assert all("room ten" in one for one in embedded)
    document = await workshop.documents.find(OWNER, "handbook", "a")
    assert document.version == 2
    dense, lexical = await points(workshop)
    current = {chunk.id for chunk in await workshop.documents.chunks(OWNER, document.id)}
    assert dense == lexical == current
    assert "room nine" in (await workshop.documents.text(OWNER, document.id, version=1)).text


async def test_a_bad_file_fails_alone_and_can_be_sent_again(workshop: Workshop) -> None:
    await workshop.collection()
    job = await workshop.bring({"good": PUMP, "bad": "%broken", "empty": " "})
    assert job.state is JobState.SUCCEEDED
    assert job.counts == {Outcome.ADDED: 1, Outcome.FAILED: 2}
    items = {item.external_id: item for item in await workshop.jobs.items(OWNER, job.id)}
    assert (items["bad"].error_code, items["bad"].hint) == ("corrupt", "Send it again.")
    assert items["empty"].error_code == "empty"
    document = await workshop.documents.find(OWNER, "handbook", "bad")
    assert (document.state, document.error_code, document.version) == (VersionState.FAILED, "corrupt", None)
    again = await workshop.send({"bad": "%broken"})
    assert again.items[0].outcome is Outcome.PENDING
    fixed = await workshop.bring({"bad": "It is whole now."})
    assert fixed.counts == {Outcome.ADDED: 1}


async def test_new_bytes_that_fail_leave_the_old_version_readable(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP})
    await workshop.bring({"a": "%broken"})
    document = await workshop.documents.find(OWNER, "handbook", "a")
    assert (document.state, document.version, document.error_code) == (VersionState.FAILED, 1, "corrupt")
    assert len(await workshop.documents.chunks(OWNER, document.id)) == 3
    back = await workshop.bring({"a": PUMP})
    assert back.counts == {Outcome.UPDATED: 1}
    assert (await workshop.documents.find(OWNER, "handbook", "a")).state is VersionState.READY


async def test_unacceptable_uploads_are_items_and_nothing_else(workshop: Workshop, tmp_path: Path) -> None:
    await workshop.collection()
    uploads = [
        Upload("ok", "ok\x00.txt", b"Fine.", password="pass"),
        Upload("", "x", b"x"),
        Upload("a\nb", "x", b"x"),
        Upload("reserved", "x", b"x", metadata={"_type": 1}),
        Upload("big", "x", b"x" * 1_000_001),
        Upload("gone", "x", tmp_path / "gone.txt"),
        Upload("folder", "x", tmp_path),
        Upload("secret", "x", b"x", password="a\x00b"),
        Upload("ok", "x", b"Twice."),
    ]
    sent = await workshop.intake.submit(OWNER, "handbook", uploads)
    codes = [item.error_code for item in sent.items]
    assert codes == [
        None,
        "invalid-request",
        "invalid-request",
        "invalid-request",
        "too-large",
        "not-readable",
        "not-readable",
        "invalid-request",
        "duplicate-id",
    ]
    assert sent.job is not None
    await workshop.running.run(sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.ADDED: 1, Outcome.FAILED: 8})


async def test_streams_and_files_and_late_uploads(workshop: Workshop, tmp_path: Path) -> None:
    await workshop.collection()
    path = tmp_path / "note.txt"
    path.write_text("From a file.")

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"From ", b"a ", b"stream."):
            yield piece

    async def uploads() -> AsyncIterator[Upload]:
        yield Upload("file", "note.txt", path)
        yield Upload("stream", "stream.txt", pieces())

    sent = await workshop.intake.submit(OWNER, "handbook", uploads())
    assert [item.external_id for item in sent.items] == ["file", "stream"]
    assert sent.job is not None
    await workshop.running.run(sent.job.id)
    document = await workshop.documents.find(OWNER, "handbook", "stream")
    assert (await workshop.documents.text(OWNER, document.id)).text == "From a stream."
    original, name, _ = await workshop.documents.content(OWNER, document.id)
    assert (original.read_bytes(), name) == (b"From a stream.", "stream.txt")


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["bytes", "file", "stream"])
async def test_an_archive_becomes_its_files(workshop: Workshop, tmp_path: Path, kind: str) -> None:
    await workshop.collection()
    packed = archive({"in/one.txt": b"One stands alone.", "two.txt": b"Two stand together."})
    path = tmp_path / "a.zip"
    path.write_bytes(packed)

    async def stream() -> AsyncIterator[bytes]:
        yield packed

    content = {"bytes": packed, "file": path, "stream": stream()}[kind]
    upload = Upload("a.zip", "a.zip", content, metadata={"from": "zip"})
    sent = await workshop.intake.submit(OWNER, "handbook", [upload])
    assert [item.external_id for item in sent.items] == ["a.zip/in/one.txt", "a.zip/two.txt"]
    assert sent.job is not None
    await workshop.running.run(sent.job.id)
    document = await workshop.documents.find(OWNER, "handbook", "a.zip/in/one.txt")
    assert (document.state, document.metadata) == (VersionState.READY, {"from": "zip"})
    assert len([one async for one in workshop.blobs.scan()]) == 2


async def test_an_unsafe_archive_is_a_failed_item(workshop: Workshop) -> None:
    await workshop.collection()
    evil = Upload("evil.zip", "evil.zip", archive({"../../etc/passwd": b"x"}))
    sent = await workshop.intake.submit(OWNER, "handbook", [evil, Upload("ok", "ok.txt", b"Fine.")])
    assert sent.job is not None
    assert [(item.external_id, item.error_code) for item in sent.items] == [
        ("evil.zip", "unsafe-archive"),
        ("ok", None),
    ]


async def test_pruning_removes_what_is_not_named(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": PUMP, "b": "Second.", "c.zip/one": "Out of an archive."})
    uploads = [Upload("a", "a.txt", PUMP.encode()), Upload("c.zip", "c.zip", b"PK\x03\x04 but broken")]
    sent = await workshop.intake.submit(OWNER, "handbook", uploads, prune=True)
    left = await workshop.documents.list(OWNER, "handbook")
    assert sent.pruned == 1
    assert "b" not in {document.external_id for document in left}


async def test_what_several_uploads_left_over_is_removed_within_a_prefix(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"in/a": "One.", "in/b": "Two.", "in/c": "Three.", "out/d": "Four."})
    first = await workshop.send({"in/a": "One."})
    second = await workshop.send({"in/b": "Two, changed."})
    left = await workshop.intake.left_over(OWNER, "handbook", [*first.items, *second.items], prefix="in/")
    assert await workshop.intake.remove(OWNER, "handbook", left) == 1
    found = await workshop.documents.list(OWNER, "handbook")
    assert {document.external_id for document in found} == {"in/a", "in/b", "out/d"}


async def test_nothing_is_taken_for_an_unknown_collection(workshop: Workshop) -> None:
    with pytest.raises(CollectionNotFound):
        await workshop.send({"a": "x"}, "nowhere")


async def test_a_full_disk_queues_nothing(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    await workshop.collection()

    async def full(*_: object, **__: object) -> None:
        raise StorageFull("There is no space for the file.")

    monkeypatch.setattr(workshop.blobs, "put", full)
    with pytest.raises(StorageFull):
        await workshop.send({"a": "x"})
    assert await workshop.jobs.list(OWNER) == []
    assert await workshop.documents.list(OWNER, "handbook") == []


async def test_the_same_ids_sent_at_once_are_one_document_each(workshop: Workshop) -> None:
    await workshop.collection()
    names = [f"n{number}" for number in range(20)]
    sent = await asyncio.gather(
        *(
            workshop.send({name: f"Text of {name}." for name in (names if turn % 2 else reversed(names))})
            for turn in range(8)
        )
    )
    pending = [item.outcome for one in sent for item in one.items].count(Outcome.PENDING)
    assert pending == len(names)
    for one in sent:
        if one.job is not None:
            await workshop.running.run(one.job.id)
    found = await workshop.documents.list(OWNER, "handbook", limit=1000)
    assert sorted(document.external_id for document in found) == sorted(names)
    assert {(document.state, document.version) for document in found} == {(VersionState.READY, 1)}


async def test_competing_versions_end_with_the_newest(workshop: Workshop) -> None:
    await workshop.collection()
    first = await workshop.send({"a": "The first one."})
    second = await workshop.send({"a": "The second one."})
    assert first.job is not None
    assert second.job is not None
    await asyncio.gather(*(workshop.running.run(one.job.id) for one in (second, first) if one.job))
    document = await workshop.documents.find(OWNER, "handbook", "a")
    assert (document.version, (await workshop.documents.text(OWNER, document.id)).text) == (2, "The second one.")
    dense, lexical = await points(workshop)
    assert dense == lexical == {chunk.id for chunk in await workshop.documents.chunks(OWNER, document.id)}
    for one in (first, second):
        job = await workshop.jobs.get(OWNER, one.job.id)  # type: ignore[union-attr]
        assert job.state is JobState.SUCCEEDED
        assert Outcome.PENDING not in job.counts


async def test_a_huge_document_keeps_its_embeddings_as_they_come(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaynak.ingestion.stages.SLICE", 20)
    monkeypatch.setattr("kaynak.ingestion.stages.LARGE", 40)
    await workshop.collection()
    sent = await workshop.send({"huge": "\n\n".join(f"Rule number {n} says a thing of its own." for n in range(200))})
    assert sent.job is not None
    embed, calls = workshop.embedder.embed, 0

    async def dies(texts: list[str], kind: str) -> object:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise KeyError("killed")
        return await embed(texts, kind)  # type: ignore[arg-type]

    monkeypatch.setattr(workshop.embedder, "embed", dies)
    await workshop.running.run(sent.job.id)
    assert (await workshop.jobs.get(OWNER, sent.job.id)).state is JobState.FAILED
    monkeypatch.setattr(workshop.embedder, "embed", embed)
    workshop.embedder.calls.clear()
    await workshop.jobs.requeue(OWNER, sent.job.id)
    await workshop.running.run(sent.job.id)
    assert sum(len(texts) for texts, _ in workshop.embedder.calls) == 140
    assert (await workshop.documents.find(OWNER, "handbook", "huge")).chunks == 200


async def test_delete_removes_everything_derived(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({"a": PUMP, "b": "This one stays."})
    await workshop.bring({"a": PUMP + "\n\nAnd a second version."})
    document = await workshop.documents.find(OWNER, "handbook", "a")
    await workshop.documents.delete(OWNER, document.id)
    stays = await workshop.documents.find(OWNER, "handbook", "b")
    async with workshop.catalog.read() as unit:
        for table in ("documents", "document_versions", "chunks", "embeddings"):
            count = await unit.connection.execute(text(f"SELECT count(*) FROM kaynak.{table}"))
            assert count.scalar_one() == 1, table
    dense, lexical = await points(workshop)
    assert dense == lexical == {chunk.id for chunk in await workshop.documents.chunks(OWNER, stays.id)}
    assert len([one async for one in workshop.blobs.scan()]) == 1
    assert await workshop.followers.applied(made.id) == (await workshop.collections.get(OWNER, "handbook")).revision


async def test_a_shared_text_outlives_one_of_its_documents(workshop: Workshop) -> None:
    await workshop.collection()
    await workshop.bring({"a": "The very same sentence.", "b": "The very same sentence."})
    document = await workshop.documents.find(OWNER, "handbook", "a")
    await workshop.documents.delete(OWNER, document.id)
    async with workshop.catalog.read() as unit:
        known = await unit.embeddings.known(workshop.embedder.fingerprint, [text_hash("The very same sentence.")])
    assert known
    assert len([one async for one in workshop.blobs.scan()]) == 1


async def test_a_document_deleted_while_its_job_runs_is_gone(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send({"a": "Going.", "b": "Staying."})
    assert sent.job is not None

    async def delete(source: object) -> None:
        workshop.parsers.before = None
        document = await workshop.documents.find(OWNER, "handbook", "a")
        await workshop.documents.delete(OWNER, document.id)

    workshop.parsers.before = delete
    await workshop.running.run(sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.ADDED: 1, Outcome.CANCELLED: 1})
    assert [one.external_id for one in await workshop.documents.list(OWNER, "handbook")] == ["b"]


async def test_updates_of_a_document_reach_the_indexes(workshop: Workshop) -> None:
    made = await workshop.collection()
    await workshop.bring({"a": PUMP})
    document = await workshop.documents.find(OWNER, "handbook", "a")
    changed = (await workshop.documents.update(OWNER, document.id, metadata={"year": 2026}, title="Pumps")).document
    assert (changed.title, changed.metadata) == ("Pumps", {"year": 2026})
    assert changed.revision > document.revision
    with pytest.raises(InvalidRequest):
        await workshop.documents.update(OWNER, document.id, metadata={"_x": 1})
    await workshop.followers.catch_up(made.id, changed.revision)
    stored = workshop.lexical["memory"]._tables[made.generation.key].records.values()  # type: ignore[attr-defined]
    assert {one.payload["year"] for one in stored} == {2026}


async def test_unsafe_sizes_and_false_archives(catalog: Catalog, tmp_path: Path) -> None:
    workshop = Workshop(catalog, tmp_path, upload_bytes=200)
    await workshop.collection()
    packed = archive({"in.txt": b"Packed." * 50, "small.txt": b"Small."})
    big = tmp_path / "big.zip"
    big.write_bytes(packed)
    uploads = [
        Upload("big.zip", "big.zip", packed),
        Upload("file.zip", "big.zip", big),
        Upload("PK", "PK.txt", b"PK is how this sentence begins."),
    ]
    sent = await workshop.intake.submit(OWNER, "handbook", uploads)
    assert [item.error_code for item in sent.items] == ["too-large", "too-large", None]


async def test_a_file_in_an_archive_may_be_too_large_alone(catalog: Catalog, tmp_path: Path) -> None:
    workshop = Workshop(catalog, tmp_path, upload_bytes=1000)
    await workshop.collection()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("long.txt", "".join(f"{n} " for n in range(400)))
        file.writestr("small.txt", b"Small.")
    assert len(packed.getvalue()) <= 1000
    sent = await workshop.intake.submit(OWNER, "handbook", [Upload("a.zip", "a.zip", packed.getvalue())])
    assert {item.external_id: item.error_code for item in sent.items} == {
        "a.zip/long.txt": "too-large",
        "a.zip/small.txt": None,
    }


async def test_an_original_that_is_lost_fails_its_document_alone(workshop: Workshop) -> None:
    await workshop.collection()
    sent = await workshop.send({"a": "Lost.", "b": "Kept."})
    assert sent.job is not None
    async with workshop.catalog.read() as unit:
        lost = next(one for one in await unit.versions.pending_of_job(sent.job.id) if one.external_id == "a")
    await workshop.blobs.delete(lost.content_hash)
    await workshop.running.run(sent.job.id)
    job = await workshop.jobs.get(OWNER, sent.job.id)
    assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.ADDED: 1, Outcome.FAILED: 1})
