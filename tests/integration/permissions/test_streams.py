"""An answer that is being written ends soon after its reader may not read it any more."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from kaynak.api import guarding
from kaynak.domain import OWNER, JobState
from kaynak.ingestion import Upload

pytestmark = pytest.mark.anyio

HUGO, VERA, EMRE = "hugo@example.org", "vera@example.org", "emre@example.org"
QUESTION = "How much does the director earn every month?"
SSE = {"accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(guarding, "CHECK_SECONDS", 0.2)


@pytest.fixture
async def slow(company):
    """Answers wait before their text."""
    company.asker.reached.clear()
    company.asker.go_on.clear()
    yield company.asker
    company.asker.go_on.set()


async def no_grant(company, handbook):
    await company.kaynak.sharing.unshare(OWNER, handbook, "hr")


async def no_reader(company, handbook):
    document = await company.document(handbook, "salaries.txt")
    await company.kaynak.documents.update(OWNER, document.id, readers=[VERA])


async def gone(company, handbook):
    document = await company.document(handbook, "salaries.txt")
    await company.kaynak.documents.delete(OWNER, document.id)


async def signed_out(company, handbook):
    async with company.kaynak.catalog.begin() as unit:
        await unit.connection.execute(
            text("UPDATE kaynak.users SET active = FALSE WHERE email = :email"), {"email": HUGO}
        )


@pytest.fixture
async def everybody_back(company):
    yield
    async with company.kaynak.catalog.begin() as unit:
        await unit.connection.execute(text("UPDATE kaynak.users SET active = TRUE"))


def door(company, handbook, which):
    body = {"question": QUESTION, "collections": [handbook]}
    if which == "ask":
        return company.call(HUGO, "POST", "/v1/ask", json=body, headers=SSE)
    if which == "completion":
        messages = [{"role": "user", "content": QUESTION}]
        body = {"model": f"kaynak/{handbook}", "messages": messages, "stream": True}
        return company.call(HUGO, "POST", "/v1/chat/completions", json=body)
    call = {"name": "ask", "arguments": body}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    return company.call(HUGO, "POST", "/mcp", json=request, headers={"accept": "application/json, text/event-stream"})


@pytest.mark.parametrize("which", ["ask", "completion", "mcp"])
@pytest.mark.parametrize("revoke", [no_grant, no_reader, gone, signed_out])
async def test_an_answer_is_cut_when_its_reader_may_not_read_it_any_more(company, slow, everybody_back, which, revoke):
    handbook = await company.collection()
    asking = asyncio.create_task(door(company, handbook, which))
    await asyncio.wait_for(slow.reached.wait(), 20)
    await revoke(company, handbook)
    answer = await asyncio.wait_for(asking, 20)
    assert "rror" in answer.text  # an event, or a field of that name
    assert "event: done" not in answer.text
    assert "[DONE]" not in answer.text
    if which != "ask":  # whose passages came first, while they could be read
        assert "moonstones" not in answer.text
    slow.go_on.set()


@pytest.mark.parametrize("which", ["ask", "completion", "mcp"])
async def test_an_answer_that_may_be_read_is_not_disturbed(company, slow, which):
    handbook = await company.collection()
    asking = asyncio.create_task(door(company, handbook, which))
    await asyncio.wait_for(slow.reached.wait(), 20)
    await company.kaynak.sharing.unshare(OWNER, handbook, VERA)
    await asyncio.sleep(0.7)
    slow.go_on.set()
    assert "moonstones" in (await asking).text


async def test_what_was_cut_cannot_be_resumed(company, slow):
    handbook = await company.collection()
    asking = asyncio.create_task(door(company, handbook, "ask"))
    await asyncio.wait_for(slow.reached.wait(), 20)
    await no_reader(company, handbook)
    stream = (await asking).headers["x-stream-id"]
    again = await company.call(HUGO, "GET", f"/v1/streams/{stream}")
    assert "moonstones" not in again.text
    assert (await company.call(VERA, "GET", f"/v1/streams/{stream}")).status_code == 404


async def test_an_ended_stream_is_not_told_again_to_who_may_not_read_it_any_more(company):
    handbook = await company.collection()
    answer = await door(company, handbook, "ask")
    stream = answer.headers["x-stream-id"]
    assert "moonstones" in (await company.call(HUGO, "GET", f"/v1/streams/{stream}")).text
    assert (await company.call(VERA, "GET", f"/v1/streams/{stream}")).status_code == 404
    await no_grant(company, handbook)
    assert "moonstones" not in (await company.call(HUGO, "GET", f"/v1/streams/{stream}")).text


@pytest.mark.parametrize("revoke", [no_grant, no_reader])
async def test_a_turn_is_cut_and_what_is_kept_of_it_is_withheld(company, slow, revoke):
    handbook = await company.collection()
    made = await company.call(HUGO, "POST", "/v1/conversations", json={"collections": [handbook]})
    path = f"/v1/conversations/{made.json()['id']}"
    asking = asyncio.create_task(
        company.call(HUGO, "POST", f"{path}/messages", json={"question": QUESTION}, headers=SSE)
    )
    await asyncio.wait_for(slow.reached.wait(), 20)
    await revoke(company, handbook)
    answer = await asyncio.wait_for(asking, 20)
    assert "event: error" in answer.text
    assert "event: done" not in answer.text
    slow.go_on.set()
    shown = await company.call(HUGO, "GET", f"{path}/messages")
    assert "moonstones" not in shown.text


async def test_who_follows_a_job_is_cut_off_with_their_role(company, monkeypatch):
    handbook = await company.collection()
    job = await company.bring(handbook, Upload("more.txt", "more.txt", b"More."))

    async def without_end(scope, job_id):
        yield replace(await company.kaynak.jobs.get(scope, job_id), state=JobState.RUNNING)
        await asyncio.Event().wait()

    monkeypatch.setattr(company.kaynak.jobs, "watch", without_end)
    following = asyncio.create_task(company.call(EMRE, "GET", f"/v1/jobs/{job}/events"))
    await asyncio.sleep(0.5)
    await company.kaynak.sharing.unshare(OWNER, handbook, EMRE)
    events = await asyncio.wait_for(following, 20)
    assert "event: error" in events.text
    assert json.loads(events.text.strip().rpartition("data: ")[2])["status"] == 404
