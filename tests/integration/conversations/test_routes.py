"""The routes over a real catalog, with a scripted asker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from kaynak import AsyncClient
from kaynak.api import create_app
from kaynak.api.schemas.conversations import ConversationView, ExportView, MatchView, MessageView
from kaynak.domain import (
    AnswerCompleted,
    Answering,
    ConversationNotFound,
    MessageState,
    ModelSettings,
    Role,
    StreamTruncated,
)
from kaynak.generation import Streams
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.observability import Metrics
from kaynak.settings import LimitSettings, Settings
from kaynak.testing.callers import OnlyTheOwner

pytestmark = pytest.mark.anyio


class Api:
    def __init__(self, client: httpx.AsyncClient, app: FastAPI, room: Any) -> None:
        self.client, self.app, self.room = client, app, room

    async def begin(self, **more: Any) -> str:
        made = await self.client.post("/v1/conversations", json={"collections": ["handbook"], **more})
        assert made.status_code == 201, made.text
        ConversationView.model_validate(made.json())
        assert made.headers["location"] == f"/v1/conversations/{made.json()['id']}"
        return made.json()["id"]

    async def ask(self, conversation: str, question: str, **more: Any) -> dict[str, Any]:
        answered = await self.client.post(
            f"/v1/conversations/{conversation}/messages", json={"question": question, **more}
        )
        assert answered.status_code == 201, answered.text
        MessageView.model_validate(answered.json())
        kept = await self.client.get(answered.headers["location"])
        assert kept.json() == answered.json()
        return answered.json()

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        found = (await self.client.get(f"/v1/conversations/{conversation}/messages")).json()["items"]
        for message in found:
            MessageView.model_validate(message)
        return found


def events_of(text: str) -> list[tuple[str, str, Any]]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
async def api(room, tmp_path) -> AsyncIterator[Api]:
    streams = Streams()
    settings = Settings(data_dir=tmp_path, limits=LimitSettings(query_chars=200, page_size=50), _env_file=None)
    kaynak = SimpleNamespace(
        settings=settings,
        conversations=room.conversations,
        turns=room.turns,
        streams=streams,
        catalog=room.catalog,
        identity=SimpleNamespace(callers=OnlyTheOwner()),
        rates=Rates(MemoryLimiter(), {}),
        metrics=Metrics(),
    )
    app = create_app(kaynak)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=30) as client:
        yield Api(client, app, room)
    await streams.close()


async def test_from_the_first_question_to_the_end(api: Api) -> None:
    conversation = await api.begin(answering={"model": "extractive"}, filter={"team": "hr"})
    first = await api.ask(conversation, "How much paid leave is there in Germany?")
    second = await api.ask(conversation, "And in Turkey?")
    assert (first["state"], first["role"]) == ("complete", "assistant")
    assert second["asked"] == "How much paid leave is there in Turkey?"
    assert second["answer"]["question"] == "And in Turkey?"
    assert second["answer"]["hits"] == []
    branch = await api.ask(conversation, "What about part-time staff?", parent=first["id"])
    fresh = await api.ask(conversation, "Is there a canteen?", parent=None)
    messages = await api.messages(conversation)
    parents = {message["id"]: message["parent_id"] for message in messages}
    assert parents[parents[branch["id"]]] == first["id"]
    assert parents[parents[fresh["id"]]] is None
    again = await api.client.post(f"/v1/conversations/{conversation}/messages/{second['id']}/regenerate", json={})
    assert again.status_code == 201
    assert again.json()["parent_id"] == second["parent_id"]

    shown = (await api.client.get(f"/v1/conversations/{conversation}")).json()
    assert shown["title"] == "How much paid leave is there in Germany?"
    assert shown["answering"]["model"] == "extractive"
    changed = await api.client.patch(f"/v1/conversations/{conversation}", json={"title": " Leave  abroad "})
    assert (changed.json()["title"], changed.json()["filter"]) == ("Leave abroad", {"team": "hr"})
    changed = await api.client.patch(f"/v1/conversations/{conversation}", json={"filter": None})
    assert changed.json()["filter"] is None
    assert (await api.client.delete(f"/v1/conversations/{conversation}")).status_code == 204
    gone = await api.client.get(f"/v1/conversations/{conversation}")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:kaynak:error:conversation-not-found")


async def test_lists_and_searches_come_in_pages(api: Api) -> None:
    made = [await api.begin(title=f"İzin {n}") for n in range(5)]
    await api.begin(title="Other")
    for path in ("/v1/conversations?limit=2", "/v1/conversations/search?q=IZIN&limit=2"):
        seen, after = [], ""
        while after is not None:
            page = (await api.client.get(path + (f"&after={after}" if after else ""))).json()
            for item in page["items"]:
                if "search" in path:
                    MatchView.model_validate(item)
                    item = item["conversation"]
                seen.append(item["id"])
            after = page["next"]
        assert [one for one in seen if one in made] == made[::-1]
        assert len(seen) == (5 if "search" in path else 6)
    answer = await api.ask(made[0], "How much leave?")
    page = (await api.client.get(f"/v1/conversations/{made[0]}/messages?limit=1")).json()
    rest = (await api.client.get(f"/v1/conversations/{made[0]}/messages?limit=1&after={page['next']}")).json()
    assert (rest["items"][0]["id"], rest["next"]) == (answer["id"], None)
    for wrong in (page["next"], "bm9uc2Vuc2U", "WyJjb252ZXJzYXRpb25zIiwiMjAyNi0wMS0wMXx4Il0"):
        assert (await api.client.get(f"/v1/conversations?after={wrong}")).status_code == 422


async def test_what_is_wrong_is_said_and_nothing_is_kept(api: Api) -> None:
    conversation = await api.begin()
    messages = f"/v1/conversations/{conversation}/messages"
    answer = await api.ask(conversation, "How much leave?")
    for path, body, status in (
        ("/v1/conversations", {"collections": ["nowhere"]}, 404),
        ("/v1/conversations", {"collections": []}, 422),
        ("/v1/conversations", {"collections": ["handbook"], "filter": {"$no": 1}}, 422),
        ("/v1/conversations", {"collections": ["handbook"], "title": "x" * 500}, 422),
        (messages, {"question": " "}, 422),
        (messages, {"question": "x" * 201}, 422),
        (messages, {"question": "What?", "parent": str(uuid4())}, 404),
        (messages, {"question": "What?", "parent": answer["parent_id"]}, 422),
        (messages, {"question": "What?", "nonsense": 1}, 422),
        (f"/v1/conversations/{uuid4()}/messages", {"question": "What?"}, 404),
        (f"{messages}/{uuid4()}/regenerate", {}, 404),
        (f"{messages}/{uuid4()}/stop", None, 404),
        ("/v1/conversations/nonsense/messages", {"question": "What?"}, 422),
    ):
        found = await api.client.post(path, json=body)
        assert found.status_code == status, (path, body, found.text)
        assert found.headers["content-type"] == "application/problem+json"
    assert (await api.client.get("/v1/conversations/search?q=%3F")).status_code == 422
    assert len(await api.messages(conversation)) == 2


async def test_a_failing_answer_has_its_status_and_is_kept_as_what_it_is(api: Api) -> None:
    conversation = await api.begin()
    api.room.asker.fault = StreamTruncated("The model's answer broke off.")
    found = await api.client.post(f"/v1/conversations/{conversation}/messages", json={"question": "How much?"})
    assert (found.status_code, found.json()["type"]) == (503, "urn:kaynak:error:stream-truncated")
    _, answer = await api.messages(conversation)
    assert (answer["state"], answer["error"]) == ("partial", "The model's answer broke off.")
    headers = {"Accept": "text/event-stream"}
    streamed = await api.client.post(
        f"/v1/conversations/{conversation}/messages", json={"question": "And now?"}, headers=headers
    )
    assert events_of(streamed.text)[-1][1:] == (
        "error",
        {**events_of(streamed.text)[-1][2], "type": "urn:kaynak:error:stream-truncated", "status": 503},
    )
    assert (await api.messages(conversation))[-1]["state"] == "partial"


async def test_streams_name_their_messages_and_can_be_resumed(api: Api) -> None:
    conversation = await api.begin()
    headers = {"Accept": "text/event-stream"}
    path = f"/v1/conversations/{conversation}/messages"
    response = await api.client.post(path, json={"question": "How much leave?"}, headers=headers)
    assert response.status_code == 200
    events = events_of(response.text)
    assert [name for _, name, _ in events] == [
        *("status", "status", "sources", "delta", "citation", "verdict", "delta", "citation", "verdict", "done")
    ]
    begun = events[0][2]
    kept = (await api.client.get(f"{path}/{begun['message_id']}")).json()
    assert (kept["state"], kept["content"]) == ("complete", events[-1][2]["text"])
    assert (begun["stage"], begun["conversation_id"], begun["question_id"]) == (
        *("begun", conversation, kept["parent_id"]),
    )
    resumed = await api.client.get(
        f"/v1/streams/{response.headers['x-stream-id']}", headers={"Last-Event-ID": events[4][0]}
    )
    assert events_of(resumed.text) == events[5:]


async def test_a_stopped_stream_ends_and_is_kept_as_partial(api: Api) -> None:
    conversation = await api.begin()
    api.room.asker.pause = asyncio.Event().wait
    path = f"/v1/conversations/{conversation}/messages"
    asking = asyncio.create_task(
        api.client.post(path, json={"question": "How much?"}, headers={"Accept": "text/event-stream"})
    )
    while not (await api.messages(conversation))[1:]:
        await asyncio.sleep(0.01)
    answer = (await api.messages(conversation))[1]
    # A second question that follows the same answer is refused, one with a parent of its own is not.
    busy = await api.client.post(path, json={"question": "And?"})
    assert (busy.status_code, busy.json()["type"]) == (409, "urn:kaynak:error:conflict")
    while not (await api.client.get(f"{path}/{answer['id']}")).json()["content"]:
        await asyncio.sleep(0.01)
    stopped = (await api.client.post(f"{path}/{answer['id']}/stop")).json()
    assert (stopped["state"], stopped["content"], stopped["error"]) == (
        *("partial", "It is 26 days. [1]", "It was stopped."),
    )
    last = events_of((await asking).text)[-1]
    assert (last[1], last[2]["partial"]) == ("done", True)


async def test_exports(api: Api) -> None:
    conversation = await api.begin()
    first = await api.ask(conversation, "How much leave?")
    await api.ask(conversation, "Who approves paid leave?")
    await api.ask(conversation, "Since when is there leave?", parent=first["id"])
    whole = await api.client.get(f"/v1/conversations/{conversation}/export")
    ExportView.model_validate(whole.json())
    assert len(whole.json()["messages"]) == 6
    assert f'filename="conversation-{conversation}.json"' in whole.headers["content-disposition"]
    text = (await api.client.get(f"/v1/conversations/{conversation}/export?format=markdown")).text
    assert "Since when is there leave?" in text
    assert "Who approves" not in text
    assert "“26” — A, handbook/a.md, version 1, characters 0–3" in text
    early = await api.client.get(f"/v1/conversations/{conversation}/export?format=markdown&leaf={first['id']}")
    assert "Since when" not in early.text
    assert early.headers["content-type"] == "text/markdown; charset=utf-8"
    lost = await api.client.get(f"/v1/conversations/{conversation}/export?format=markdown&leaf={uuid4()}")
    assert lost.status_code == 404


async def test_the_client_can_do_all_of_it(api: Api) -> None:
    async with AsyncClient("http://127.0.0.1", transport=httpx.ASGITransport(api.app)) as client:
        conversation = await client.begin_conversation(
            "handbook",
            answering=Answering("extractive", settings=ModelSettings(temperature=0.5)),
            filter={"team": "hr"},
        )
        assert (conversation.answering.settings.temperature, conversation.filter) == (0.5, {"team": "hr"})
        first = await client.ask_in(conversation.id, "How much paid leave is there in Germany?")
        assert (first.state, first.role, first.answer.citations[0].quote) == (
            *(MessageState.COMPLETE, Role.ASSISTANT, "26 "),
        )
        streamed = [event async for event in client.ask_in_stream(conversation.id, "And in Turkey?", limit=3)]
        assert isinstance(streamed[-1], AnswerCompleted)
        again = await client.answer_again(conversation.id, first.id)
        assert again.parent_id == first.parent_id
        fresh = await client.ask_in(conversation.id, "Is there a canteen?", parent=None)
        branch = await client.ask_in(conversation.id, "Who has it?", parent=first.id)
        messages = [message async for message in client.messages(conversation.id)]
        assert len(messages) == 9
        parents = {message.id: message.parent_id for message in messages}
        assert (parents[parents[fresh.id]], parents[parents[branch.id]]) == (None, first.id)
        assert await client.message(conversation.id, first.id) == first
        assert await client.stop_answer(conversation.id, first.id) == first
        renamed = await client.update_conversation(conversation.id, title="İzin")
        assert (renamed.title, (await client.conversation(conversation.id)).title) == ("İzin", "İzin")
        assert [found.id async for found in client.conversations()] == [conversation.id]
        (match,) = [match async for match in client.find_conversations("IZIN")]
        assert (match.conversation.id, match.snippet) == (conversation.id, "İzin")
        assert "Who has it?" in await client.export_conversation(conversation.id)
        assert "Who has it?" not in await client.export_conversation(conversation.id, leaf=first.id)
        await client.delete_conversation(conversation.id)
        with pytest.raises(ConversationNotFound):
            await client.conversation(conversation.id)
