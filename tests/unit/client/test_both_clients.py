from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from kaynak import AsyncClient, Client
from kaynak.client import TextInput
from kaynak.domain import (
    AnswerCompleted,
    Answering,
    CitationPolicy,
    CollectionExists,
    CollectionNotFound,
    Depth,
    DocumentNotFound,
    InvalidFilter,
    JobState,
    KaynakError,
    ModelSettings,
    Outcome,
    PartSpec,
    PassagesFound,
    SentenceWritten,
    StatusChanged,
    TextWritten,
    TooLarge,
    Unavailable,
    UsageReported,
    Verdict,
)


def test_a_collection_lives_its_life(client):
    made = client.create_collection("handbook", description="d", dense=PartSpec("memory"))
    assert made.generation.spec.dense.name == "memory"
    assert client.collection("handbook") == made
    answering = Answering("test:model", ("extractive",), ModelSettings(0.5), CitationPolicy.DROP, Depth.DEEP)
    assert client.update_collection("handbook", answering=answering).answering == answering
    assert client.update_collection("handbook", name="rules").name == "rules"
    assert client.collection("rules").answering == answering
    assert client.update_collection("rules", answering=Answering()).answering == Answering()
    assert [collection.name for collection in client.collections()] == ["rules"]
    client.delete_collection("rules")
    with pytest.raises(CollectionNotFound) as caught:
        client.collection("rules")
    assert caught.value.hint
    assert any("request id" in note for note in caught.value.__notes__)


def test_errors_keep_their_type(client):
    client.create_collection("c")
    with pytest.raises(CollectionExists):
        client.create_collection("c")
    with pytest.raises(InvalidFilter):
        client.search("x", "c", filter={"a": {"$bad": 1}})
    with pytest.raises(TooLarge):
        client.add_files("c", [("big", b"x" * 3_000_000)])
    with pytest.raises(DocumentNotFound):
        client.find_document("c", "nothing")


def test_files_texts_and_their_documents(client, tmp_path: Path):
    client.create_collection("c")
    path = tmp_path / "ü.txt"
    path.write_text("from a file")
    submission = client.add_files("c", [path, ("b", b"from bytes")], metadata={"year": 2026})
    assert [item.external_id for item in submission.items] == ["ü.txt", "b"]
    again = client.add_files("c", [path], external_ids=["ü.txt"])
    assert again.job is None
    assert again.items[0].outcome is Outcome.UNCHANGED
    assert client.wait(again) is None
    client.add_text("c", "t", "some\u2028text", title="T", metadata={"year": 1})
    client.add_texts("c", [TextInput("u", "more")])
    assert {document.external_id for document in client.documents("c")} == {"ü.txt", "b", "t", "u"}
    assert [document.external_id for document in client.documents("c", filter={"year": 1})] == ["t"]
    found = client.find_document("c", "t")
    assert client.document(found.id).title == "T"
    assert client.update_document(found.id, title="U").title == "U"
    text = client.text(found.id)
    assert all(chunk.text == chunk.span.of(text.text) for chunk in client.chunks(found.id))
    assert client.content(found.id).decode() == "some\u2028text"
    client.delete_document(found.id)
    with pytest.raises(DocumentNotFound):
        client.document(found.id)


def test_search_and_answers(client):
    client.create_collection("c")
    client.add_text("c", "t", "a\u2028bcdefgh")
    result = client.search("x", "c", limit=3, mode="lexical")
    assert result.hits[0].span.start == 0
    assert result.hits[0].pages == (1, 2)
    assert client.ask("x?", ["c"]).citations[0].quote == "a\u2028bcd"
    events = list(client.ask_stream("x?", "c"))
    kinds = [PassagesFound, StatusChanged, TextWritten, SentenceWritten, UsageReported, AnswerCompleted]
    assert [type(event) for event in events] == kinds
    assert events[3].citations == events[-1].answer.citations
    assert events[3].sentence.verdict is Verdict.SUPPORTED
    assert events[4].usage.input == 7


def test_a_stream_that_fails_raises_its_error(client, services):
    client.create_collection("c")
    client.add_text("c", "t", "abcdefgh")
    services.asker.fail_after_first = True
    with pytest.raises(KaynakError):
        list(client.ask_stream("x?", "c"))
    with pytest.raises(CollectionNotFound):
        list(client.ask_stream("x?", "nowhere"))


def test_a_job_is_waited_for_with_its_progress(client):
    client.create_collection("c")
    submission = client.add_text("c", "t", "abc")
    seen = []
    job = client.wait(submission, progress=lambda job: seen.append(job.state))
    assert seen == [JobState.RUNNING, JobState.SUCCEEDED]
    assert job.id == submission.job.id
    assert [item.external_id for item in client.job_items(job.id)] == ["t"]
    assert client.job(job.id).counts[Outcome.ADDED] == 1
    waiting = client.add_text("c", "u", "abc").job
    assert client.cancel_job(waiting.id).state is JobState.CANCELLED
    assert client.requeue_job(waiting.id).state is JobState.QUEUED
    assert [found.id for found in client.jobs(state="queued")] == [waiting.id]


def test_health(client):
    assert client.healthy()


def test_nobody_there_is_said_in_words():
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unavailable, match="cannot be reached"):
        client.collection("c")


def test_the_two_clients_have_the_same_methods():
    def signatures(kind: type) -> dict[str, list[str]]:
        members = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(member).parameters) for name, member in members if name[0] != "_"}

    assert signatures(Client) == signatures(AsyncClient)


def test_the_asynchronous_client_does_all_of_it(base_url, tmp_path: Path):
    async def use() -> None:
        path = tmp_path / "a.txt"
        path.write_text("abcdefgh")
        async with AsyncClient(base_url) as client:
            await client.create_collection("c")
            assert (await client.update_collection("c", description="d")).description == "d"
            submission = await client.add_files("c", [path])
            await client.add_text("c", "t", "text")
            seen = []
            job = await client.wait(submission, progress=seen.append)
            assert job.state is JobState.SUCCEEDED
            assert len(seen) == 2
            assert [item.external_id async for item in client.job_items(job.id)] == ["a.txt"]
            assert len([found async for found in client.jobs()]) == 2
            assert (await client.job(job.id)).id == job.id
            waiting = (await client.add_text("c", "u", "text")).job
            assert (await client.cancel_job(waiting.id)).state is JobState.CANCELLED
            assert (await client.requeue_job(waiting.id)).state is JobState.QUEUED
            assert [document.external_id async for document in client.documents("c")] == ["a.txt", "t", "u"]
            document = await client.find_document("c", "a.txt")
            assert (await client.update_document(document.id, metadata={"a": 1})).metadata == {"a": 1}
            assert (await client.document(document.id)).metadata == {"a": 1}
            assert (await client.text(document.id)).text == "abcdefgh"
            assert len([chunk async for chunk in client.chunks(document.id)]) == 2
            assert await client.content(document.id) == b"abcdefgh"
            assert (await client.search("x", "c")).hits
            assert (await client.ask("x", "c")).found
            assert len([event async for event in client.ask_stream("x", "c")]) == 6
            await client.delete_document(document.id)
            with pytest.raises(DocumentNotFound):
                await client.document(document.id)
            await client.delete_collection("c")
            assert [collection async for collection in client.collections()] == []
            assert await client.healthy()
            with pytest.raises(CollectionNotFound):
                await client.collection("c")

    asyncio.run(use())


def test_what_is_written_once_is_a_method_of_both():
    for name in ("share", "unshare", "grants", "readers", "set_readers"):
        for kind in (Client, AsyncClient):
            assert inspect.isfunction(getattr(kind, name))
            assert getattr(kind, name).__doc__
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unavailable, match="cannot be reached"):
        client.grants("c")


def test_sharing_without_await():
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.raw_path.decode(), request.content.decode()))
        principal = {"id": str(UUID(int=7)), "kind": "group", "name": "a/b"}
        if request.method == "DELETE":
            return httpx.Response(204)
        if request.url.path.endswith("/readers"):
            return httpx.Response(200, json={"readers": [principal]})
        grant = {"principal": principal, "role": "viewer", "created_at": "2026-01-02T03:04:05Z"}
        return httpx.Response(200, json=grant if request.method == "PUT" else {"items": [grant], "next": None})

    with Client(transport=httpx.MockTransport(answer)) as client:
        grant = client.share("c", "a/b")
        assert client.grants("c") == (grant,)
        client.unshare("c", "a/b")
        assert client.readers(UUID(int=1)) == (grant.principal,)
    assert [one[:2] for one in seen] == [
        ("PUT", "/v1/collections/c/grants/a%2Fb"),
        ("GET", "/v1/collections/c/grants"),
        ("DELETE", "/v1/collections/c/grants/a%2Fb"),
        ("GET", f"/v1/documents/{UUID(int=1)}/readers"),
    ]
