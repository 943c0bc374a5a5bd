"""What people look at: every door of the API, tried by somebody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from kaynak.testing.proof.company import Company, Leak
from kaynak.testing.proof.model import Caller, Document, Room, canary

_MCP = {"Accept": "application/json, text/event-stream"}
_STREAM = {"Accept": "text/event-stream"}


def question_of(topic: str) -> str:
    """Returns what everybody asks."""
    return f"What is the {topic} of the house called?"


def _same(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Leak(f"{what}: {found}, and not {wanted}")


async def lists(company: Company, caller: Caller, rooms: Sequence[Room]) -> None:
    """Looks at lists and counts: they hold what may be seen, all of it and nothing else."""
    model, call = company.model, company.call
    listed = await call(caller, "GET", "/v1/collections?limit=200", expect=200)
    models = await call(caller, "GET", "/v1/models", expect=200)
    if not caller.works:
        return
    seen = {room.name for room in model.rooms if model.reads(caller, room)}
    mine = {room.name for room in model.rooms}
    _same("collections", {one["name"] for one in listed.json()["items"]} & mine, seen & mine)
    counts = {one["name"]: one for one in listed.json()["items"]}
    completions = {one["id"]: one for one in models.json()["data"]}
    for room in rooms:
        visible = model.visible(caller, room)
        if not model.reads(caller, room):
            for tail in ("", "/documents", "/grants"):
                await call(caller, "GET", f"/v1/collections/{room.name}{tail}", expect=404)
            continue
        shown = (await call(caller, "GET", f"/v1/collections/{room.name}", expect=200)).json()
        wanted = (len(visible), sum(one.readers is not None for one in visible))
        for one in (shown, counts[room.name]):
            _same(f"counts of {room.name}", (one["documents"], one["restricted"]), wanted)
        _same("counts of a model", completions[f"kaynak/{room.name}"]["kaynak"]["documents"], len(visible))
        path = f"/v1/collections/{room.name}/documents"
        found = (await call(caller, "GET", path, params={"limit": 200}, expect=200)).json()["items"]
        _same(f"documents of {room.name}", {one["external_id"] for one in found}, {one.name for one in visible})
        for one in [one for one in model.documents if one.room is room][-2:]:
            for given in ({"external_id": one.name}, {"filter": json.dumps({"_id": one.name})}):
                found = (await call(caller, "GET", path, params=given, expect=200)).json()["items"]
                _same("documents of that name", len(found), int(one in visible))


async def opens(company: Company, caller: Caller, document: Document) -> None:
    """Looks at one document at every address that it has."""
    sees = company.model.sees(caller, document)
    status = 200 if sees else 404
    for tail in ("", "/text", "/content", "/chunks", "/view", "/text?version=1", "/content?version=1"):
        answer = await company.call(caller, "GET", f"/v1/documents/{document.id}{tail}", expect=status)
        if sees and tail.startswith("/text"):
            document.versions.add(answer.json()["version_id"])
        if sees and tail == "/text" and document.texts[-1] not in answer.text:
            raise Leak(f"the text of {document.name} is not its own: {answer.text[:300]}")
    writes = company.model.writes(caller, document.room)
    readers = (200 if writes else 403) if sees else 404
    await company.call(caller, "GET", f"/v1/documents/{document.id}/readers", expect=readers)
    await company.call(caller, "GET", f"/v1/documents/{document.id}/pages/1.png", expect=404)
    for version in sorted(document.versions):
        await company.call(caller, "GET", f"/v1/citations/{version}?start=0&end=40", expect=status)
        arguments = {"version_id": version, "start": 0, "end": 40}
        await tool(company, caller, "read_passage", arguments, told=document.canaries if sees else ())


async def searches(company: Company, caller: Caller, room: Room, topic: str) -> None:
    """Searches in every way, and asks why documents were not found."""
    model = company.model
    status = 200 if model.reads(caller, room) else 404
    visible = {one.name for one in model.visible(caller, room)}
    query = question_of(topic)
    for mode in ("hybrid", "lexical", "dense"):
        body: dict[str, Any] = {"query": query, "collections": [room.name], "mode": mode, "limit": 50}
        for more in ({}, {"explain": True}):
            answer = await company.call(caller, "POST", "/v1/search", json={**body, **more}, expect=status)
            if caller.works and status == 200:
                found = {hit["external_id"] for hit in answer.json()["hits"]}
                if not found <= visible:
                    raise Leak(f"a search finds {found - visible}")
    given = {"q": query, "collection": room.name}
    await company.call(caller, "GET", "/v1/search", params=given, expect=status)
    if status == 200 and caller.works:
        await _absent(company, caller, room, query)


async def _absent(company: Company, caller: Caller, room: Room, query: str) -> None:
    """What is told of a hidden document is what is told of one that never was."""
    hidden = [one for one in company.model.documents if one.room is room and not company.model.sees(caller, one)]
    if not hidden:
        return
    told = []
    for name in (hidden[-1].name, "file-never.txt"):
        body = {"query": query, "collections": [room.name], "explain_document": name, "limit": 1}
        answer = await company.call(caller, "POST", "/v1/search", json=body, expect=200)
        absent = answer.json()["trace"]["absent"]
        told.append({**absent, "external_id": "", "reason": absent["reason"].replace(name, "")})
    _same("why a hidden document is not found", told[0], told[1])


async def asks(company: Company, caller: Caller, room: Room, topic: str) -> None:
    """Asks over every dialect; what is remembered for others is not given to them."""
    status = 200 if company.model.reads(caller, room) else 404
    question = question_of(topic)
    body: dict[str, Any] = {"question": question, "collections": [room.name]}
    # What others asked before is theirs: whoever asks for the first time is answered anew.
    before = _asked_before(company, caller, topic)
    answer = await company.call(caller, "POST", "/v1/ask", json=body, expect=status)
    if caller.works and status == 200 and answer.json().get("cached") and not before:
        raise Leak(f"an answer was remembered for somebody who did not ask before: {answer.text[:300]}")
    await company.call(caller, "POST", "/v1/ask", json={**body, "depth": "deep"}, expect=status)
    await company.call(caller, "POST", "/v1/ask", json={**body, "fresh": True}, headers=_STREAM, expect=status)
    chat = {"model": f"kaynak/{room.name}", "messages": [{"role": "user", "content": question}]}
    for more in ({}, {"stream": True}):
        await company.call(caller, "POST", "/v1/chat/completions", json={**chat, **more}, expect=status)
    await tool(company, caller, "search", {"query": question, "collections": [room.name]})
    await tool(company, caller, "ask", {"question": question})
    await tool(company, caller, "list_collections", {})


def _asked_before(company: Company, caller: Caller, topic: str) -> bool:
    """Returns whether that was asked before with the same rights, over any dialect and anywhere; notes that it was."""
    key = (caller.person, caller.permissions, caller.rooms, topic)
    before = key in company.asked
    company.asked.add(key)
    return before


async def tool(
    company: Company, caller: Caller, name: str, arguments: dict[str, Any], told: Iterable[str] = ()
) -> None:
    """Calls a tool of the MCP server; ``told`` are canaries that its answer may have, as of `Company.call`."""
    call = {"name": name, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    await company.call(caller, "POST", "/mcp", json=body, headers=_MCP, expect=200, told=told)


async def converses(company: Company, caller: Caller, room: Room, topic: str) -> str | None:
    """Begins a conversation and asks in it; returns its id, or None where they may not."""
    status = 201 if company.model.reads(caller, room) else 404
    title = canary()
    body = {"collections": [room.name], "title": f"About {title}"}
    if caller.person is not None:
        company.model.talks[title] = caller.person
    made = await company.call(caller, "POST", "/v1/conversations", json=body, expect=status)
    if not caller.works or made.status_code != 201:
        return None
    path = f"/v1/conversations/{made.json()['id']}"
    await company.call(caller, "POST", f"{path}/messages", json={"question": question_of(topic)}, expect=201)
    return str(made.json()["id"])


async def rereads(company: Company, caller: Caller, owner: Caller, talk: str) -> None:
    """Looks at a conversation everywhere it is shown: whoever began it may, others may not."""
    status = 200 if caller.person is owner.person else 404
    path = f"/v1/conversations/{talk}"
    for tail in ("", "/messages", "/export", "/export?format=markdown"):
        await company.call(caller, "GET", path + tail, expect=status)
    await company.call(caller, "GET", "/v1/conversations", expect=200)
    for words in ("house called", "house", "about"):
        await company.call(caller, "GET", "/v1/conversations/search", params={"q": words}, expect=200)
    if status == 404:
        await company.call(caller, "PATCH", path, json={"title": "Mine"}, expect=404)
        await company.call(caller, "POST", f"{path}/messages", json={"question": "What?"}, expect=404)
        await company.call(caller, "DELETE", path, expect=404)


async def streams(company: Company, caller: Caller, other: Caller, room: Room, topic: str) -> None:
    """Has somebody take up, or stop, the stream of somebody else."""
    body = {"question": question_of(topic), "collections": [room.name], "fresh": True}
    status = 200 if company.model.reads(caller, room) else 404
    _asked_before(company, caller, topic)
    begun = await company.call(caller, "POST", "/v1/ask", json=body, headers=_STREAM, expect=status)
    stream = begun.headers.get("x-stream-id")
    if stream is None:
        return
    keys = caller.permissions is not None or other.permissions is not None
    same = caller.person is other.person and (caller is other or not keys)
    await company.call(other, "GET", f"/v1/streams/{stream}", expect=200 if same else 404)
    await company.call(other, "DELETE", f"/v1/streams/{stream}", expect=204 if same else 404)


async def jobs(company: Company, caller: Caller) -> None:
    """Looks at jobs: those of documents that one may write and read."""
    model = company.model
    await company.call(caller, "GET", "/v1/jobs", expect=200)
    for job, documents in list(model.jobs.items())[-3:]:
        room = documents[0].room
        shown = room.there and model.writes(caller, room) and any(model.listed(caller, one) for one in documents)
        for tail in ("", "/items", "/events"):
            await company.call(caller, "GET", f"/v1/jobs/{job}{tail}", expect=200 if shown else 404)
        if not shown:
            for verb in ("cancel", "requeue"):
                await company.call(caller, "POST", f"/v1/jobs/{job}/{verb}", expect=404)


async def offices(company: Company, caller: Caller) -> None:
    """Looks at what is for administrators and auditors, and at one's own account."""
    person = caller.person
    role = person.role if person else "member"
    held = caller.permissions
    for path, roles, permission in (
        ("/v1/users", {"administrator"}, "people.manage"),
        ("/v1/groups", {"administrator"}, "people.manage"),
        ("/v1/audit", {"administrator", "auditor"}, "audit.read"),
        ("/v1/audit/export", {"administrator", "auditor"}, "audit.read"),
        ("/v1/audit/policy", {"administrator", "auditor"}, "audit.read"),
    ):
        may = role in roles and (held is None or permission in held)
        await company.call(caller, "GET", path, expect=200 if may else 403)
    await company.call(caller, "GET", "/v1/me", expect=200)
    await company.call(caller, "GET", "/v1/usage", expect=(200, 403))
    await company.call(caller, "GET", "/v1/budgets", expect=(200, 403))
    await company.call(caller, "GET", "/v1/providers", expect=(200, 403))
