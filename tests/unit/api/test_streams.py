from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from kaynak.api.resuming import ResumableStream
from kaynak.domain import OWNER, CatalogUnavailable, Unauthenticated

STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def question(api, handbook):
    api("POST", f"/v1/collections/{handbook}/documents", json={"external_id": "a", "text": "text a"})
    return {"question": "what?", "collections": [handbook]}


async def asked(api, question):
    answer = await api.send("POST", "/v1/ask", json=question, headers=STREAM)
    return answer, answer.headers["x-stream-id"]


def test_every_event_has_an_id_from_which_the_stream_is_resumed(api, question):
    async def use():
        whole, name = await asked(api, question)
        blocks = whole.text.split("\n\n")[:-1]
        assert [block.split("\n")[0] for block in blocks] == [f"id: {name}:{n + 1}" for n in range(len(blocks))]
        for last in (f"{name}:3", "3"):
            rest = await api.send("GET", f"/v1/streams/{name}", headers={"Last-Event-ID": last})
            assert rest.text.split("\n\n")[:-1] == blocks[3:]
            assert rest.headers["x-stream-id"] == name
        assert (await api.send("GET", f"/v1/streams/{name}")).text == whole.text
        assert (await api.send("DELETE", f"/v1/streams/{name}")).status_code == 204

    asyncio.run(use())


@pytest.mark.parametrize("last", ["x", "other:3", "-1", "9" * 40])
def test_an_event_of_another_stream_is_refused(api, question, last):
    async def use():
        _, name = await asked(api, question)
        return await api.send("GET", f"/v1/streams/{name}", headers={"Last-Event-ID": last})

    assert asyncio.run(use()).status_code == 422


def test_a_stream_that_is_not_there_is_said(api):
    assert api("GET", "/v1/streams/nothing").status_code == 404
    assert api("DELETE", "/v1/streams/nothing").status_code == 404


def test_a_stream_is_its_owners_alone(api, question, services):
    async def use():
        _, name = await asked(api, question)
        services.streams.get(name, "owner").owner = "someone else"
        return await api.send("GET", f"/v1/streams/{name}")

    assert asyncio.run(use()).status_code == 404


@pytest.mark.parametrize("left", ["signed out", "another key", "database away"])
def test_who_took_up_a_stream_loses_it_with_their_rights(api, question, services, monkeypatch, left):
    monkeypatch.setattr("kaynak.api.resuming.CHECK_SECONDS", 0.0)

    async def renew():
        if left == "signed out":
            raise Unauthenticated("The session has ended.")
        if left == "database away":
            raise CatalogUnavailable("The database does not answer.")
        return replace(OWNER, key=UUID(int=1))

    async def use():
        whole, name = await asked(api, question)
        read = [frame async for frame in ResumableStream(services.streams.get(name, "owner"), 0, renew).body_iterator]
        return whole.text, b"".join(read).decode()

    whole, read = asyncio.run(use())
    if left == "database away":
        assert read == whole
    else:
        assert read.startswith("event: error\n")
        assert read.count("event:") == 1


def test_too_many_streams_are_refused_before_they_begin(api, question, services, monkeypatch):
    from kaynak.generation import StreamLimits, Streams

    monkeypatch.setattr(services, "streams", Streams(StreamLimits(streams=0)))
    answer = api("POST", "/v1/ask", json=question, headers=STREAM)
    assert isinstance(answer, httpx.Response)
    assert answer.status_code == 503
