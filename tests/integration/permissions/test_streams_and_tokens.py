"""An answer goes on for as long as the session that asked for it, not only as long as its access token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from uuid import UUID

import httpx
import pytest

from kaynak.api import create_app, guarding
from kaynak.domain import OWNER, Permission
from kaynak.generation import Streams
from kaynak.generation.streams import StreamLimits
from kaynak.identity import THE_OWNER, Client, KeyWish

pytestmark = pytest.mark.anyio

HUGO = "hugo@example.org"
QUESTION = "How much does the director earn every month?"


class Later(datetime):
    """The time in a quarter of an hour, when access tokens of now have run out."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) + timedelta(minutes=16)


@dataclass
class Door:
    """The application as it is, with real sessions.

    Attributes:
        client: Its HTTP.
        session: Hugo's.
        token: His access token.
    """

    client: httpx.AsyncClient
    session: UUID
    token: str

    async def ask(self, which: str, handbook: str, credential: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {credential or self.token}", "accept": "text/event-stream"}
        body = {"question": QUESTION, "collections": [handbook]}
        if which == "ask":
            return await self.client.post("/v1/ask", json=body, headers=headers)
        if which == "completion":
            chat = {"model": f"kaynak/{handbook}", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
            return await self.client.post("/v1/chat/completions", json=chat, headers=headers)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": body}}
        headers["accept"] = "application/json, text/event-stream"
        return await self.client.post("/mcp", json=call, headers=headers)

    async def status(self) -> int:
        found = await self.client.get("/v1/me", headers={"authorization": f"Bearer {self.token}"})
        return found.status_code


@pytest.fixture
async def door(company, monkeypatch) -> AsyncIterator[Door]:
    monkeypatch.setattr(guarding, "CHECK_SECONDS", 0.2)
    signer = await company.kaynak.identity.sign_ins.signer()
    async with company.kaynak.catalog.begin() as unit:
        signed_in = await company.kaynak.identity.sign_ins.begin(
            unit, company.ids[HUGO], Client("127.0.0.1", "a test"), signer
        )
    streams = Streams(StreamLimits(check_seconds=0.2))
    app = create_app(replace(company.kaynak, asker=company.asker, streams=streams))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
        company.asker.reached.clear()
        company.asker.go_on.clear()
        yield Door(client, signed_in.session, signed_in.access_token)
    company.asker.go_on.set()
    await streams.close()


async def begun(company, door: Door, which: str, credential: str | None = None) -> tuple[str, asyncio.Task]:
    handbook = await company.collection()
    asking = asyncio.create_task(door.ask(which, handbook, credential))
    await asyncio.wait_for(company.asker.reached.wait(), 20)
    return handbook, asking


@pytest.mark.parametrize("which", ["ask", "completion", "mcp"])
async def test_it_goes_on_when_the_token_has_run_out(company, door, monkeypatch, which):
    _, asking = await begun(company, door, which)
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    assert await door.status() == 401
    await asyncio.sleep(1)
    assert not asking.done(), asking.result().text
    company.asker.go_on.set()
    answer = await asyncio.wait_for(asking, 20)
    assert answer.status_code == 200
    assert "moonstones" in answer.text
    assert "event: error" not in answer.text


async def signed_out(company, door, handbook):
    await company.kaynak.identity.sign_ins.sign_out(door.session)


async def no_grant(company, door, handbook):
    await company.kaynak.sharing.unshare(OWNER, handbook, "hr")


async def distrusted(company, door, handbook):
    await company.kaynak.identity.signing.rotate(distrust=True)


@pytest.mark.parametrize("which", ["ask", "completion", "mcp"])
@pytest.mark.parametrize("revoke", [signed_out, no_grant, distrusted])
async def test_it_is_cut_all_the_same_by_what_is_revoked_after_that(company, door, monkeypatch, which, revoke):
    handbook, asking = await begun(company, door, which)
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    await asyncio.sleep(1)
    assert not asking.done(), asking.result().text
    await revoke(company, door, handbook)
    answer = await asyncio.wait_for(asking, 20)
    assert "rror" in answer.text  # an event, or a field of that name
    assert "event: done" not in answer.text
    assert "[DONE]" not in answer.text


async def test_an_api_key_that_runs_out_has_ended(company, door):
    identity = company.kaynak.identity
    made = await identity.keys.create_for(
        THE_OWNER, company.ids[HUGO], KeyWish("short", frozenset({Permission.READ}), None, None)
    )
    _, asking = await begun(company, door, "ask", made.secret)
    async with company.kaynak.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE kaynak.api_keys SET expires_at = now() WHERE id = %s", (made.key.id,)
        )
    answer = await asyncio.wait_for(asking, 20)
    assert "event: error" in answer.text
    assert "event: done" not in answer.text


async def test_it_is_not_taken_up_with_a_token_that_has_run_out(company, door, monkeypatch):
    _, asking = await begun(company, door, "ask")
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    company.asker.go_on.set()
    stream = (await asyncio.wait_for(asking, 20)).headers["x-stream-id"]
    again = await door.client.get(f"/v1/streams/{stream}", headers={"authorization": f"Bearer {door.token}"})
    assert again.status_code == 401
