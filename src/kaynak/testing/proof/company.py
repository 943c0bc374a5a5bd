"""An installation with people in it, driven over its own HTTP and held to the model at every answer."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

import httpx

from kaynak import app as composition
from kaynak.api import create_app
from kaynak.app import Kaynak
from kaynak.domain import OWNER, GlobalRole
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import Parts
from kaynak.settings import AuthSettings, CacheSettings, RateSettings, Settings
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.proof.model import CANARY, Caller, Document, Model, Person, Room, canary
from kaynak.testing.workshop import OneEmbedder, PlainParsers

PASSWORD = "three unrelated words"  # noqa: S105 - of nobody
TOPICS = ("falcon", "badger", "heron", "otter")
"""What documents are about: no secrets, and what everybody asks for."""
_EVERYTHING = ("documents.read", "documents.write", "collection.manage", "collections.create")
_numbers = itertools.count(1)


class Leak(AssertionError):
    """Somebody was shown, or let do, what they may not; or was refused what they may."""


class _Embedders(OneEmbedder):
    async def close(self) -> None:
        await self.embedder.close()


class _Parsers(PlainParsers):
    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    async def close(self) -> None:
        """Has nothing open."""


@asynccontextmanager
async def opened(folder: Path, database_url: str) -> AsyncIterator[Kaynak]:
    """Opens everything as `kaynak up` does, but for models, subprocesses and index files.

    Passwords are hashed with as little memory as it takes: what is proven is not their slowness.
    """
    free = RateSettings(general=0, ask=0, upload=0, key=0, address=0, sign_in=0)
    chosen: dict[str, Any] = {"data_dir": folder, "database_url": database_url, "_env_file": None}
    day = AuthSettings(access_minutes=24 * 60)
    settings = Settings(**chosen, rates=free, cache=CacheSettings(searches=True), auth=day)
    embedders = _Embedders(FakeEmbedder(32))

    def parts(settings: Settings, *_: object) -> Parts:
        dense, lexical = {"pgvector": MemoryDense()}, {"tantivy": MemoryLexical()}
        return Parts(embedders, dense, lexical, settings.data_dir / "locks")

    with (
        mock.patch.object(composition, "embedders_of", lambda *_: embedders),
        mock.patch.object(composition, "parts_of", parts),
        mock.patch.object(composition, "ParserPool", _Parsers),
        mock.patch("kaynak.identity.passwords._MEMORY_KIB", 64),
        mock.patch("kaynak.identity.passwords._ROUNDS", 1),
    ):
        async with Kaynak.open(settings) as kaynak:
            yield kaynak


class Company:
    """People who use an installation, each through their own door; every answer is held to the model.

    Args:
        kaynak: The installation.
        client: Its HTTP.

    Attributes:
        model: What should be so.
        requests: How many answers were held to it.
        callers: Everybody who is or was signed in, and all keys.
        asked: What was asked before, and by whom.
    """

    def __init__(self, kaynak: Kaynak, client: httpx.AsyncClient) -> None:
        self.kaynak = kaynak
        self.client = client
        self.model = Model()
        self.requests = 0
        self.callers: list[Caller] = []
        self.admin: Caller
        self.nobody = Caller(None)
        self.groups: dict[str, str] = {}
        self.asked: set[object] = set()

    @staticmethod
    @asynccontextmanager
    async def of(kaynak: Kaynak) -> AsyncIterator[Company]:
        """Opens its doors, with an administrator."""
        transport = httpx.ASGITransport(create_app(kaynak), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", timeout=60) as client:
            company = Company(kaynak, client)
            await company.begin()
            yield company

    async def begin(self) -> None:
        """Begins anew: what was before is removed, and may be shown to nobody."""
        for room in self.model.rooms:
            if room.there:
                await self.kaynak.collections.delete(OWNER, room.name)
        self.model, self.callers, self.groups, self.asked = Model(), [], {}, set()
        root = Person(f"root{next(_numbers)}@example.org", "administrator")
        added = await self.kaynak.identity.people.add(
            OWNER, root.email, role=GlobalRole.ADMINISTRATOR, password=PASSWORD
        )
        root.id = str(added.id)
        self.model.people.append(root)
        self.admin = await self.sign_in(root)

    async def call(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        expect: int | Iterable[int] | None = None,
        headers: dict[str, str] | None = None,
        told: Iterable[str] = (),
        **more: Any,
    ) -> httpx.Response:
        """Makes a request, and holds its answer to the model.

        Args:
            caller: Who asks.
            method: Of the request.
            path: Where.
            expect: Statuses that it may have, for those who are let in.
            headers: More of them.
            told: Canaries that only this answer may have beside those of the model.
            **more: As of httpx.

        Raises:
            Leak: The answer has what this caller may not see, or has the wrong status.
        """
        sent = dict(headers or {})
        if caller.token is not None:
            sent["Authorization"] = f"Bearer {caller.token}"
        answer = await self.client.request(method, path, headers=sent, **more)
        self.requests += 1
        who = caller.person.email if caller.person else "nobody"
        where = f"{method} {path} as {who}: {answer.status_code}"
        if answer.status_code >= 500:
            raise Leak(f"{where}: {answer.text[:500]}")
        if not caller.works and answer.status_code != 401:
            raise Leak(f"{where}, though they are not let in")
        asked = set(CANARY.findall(f"{path} {json.dumps(more, default=str)}"))
        shown = set(CANARY.findall(f"{answer.text} {answer.headers}")) - asked - set(told)
        beyond = shown - self.model.allowed(caller, path)
        beyond = {word for word in beyond if not self.model.before(caller, word, path)}
        if beyond:
            raise Leak(f"{where} shows {sorted(beyond)}: {answer.text[:2000]}")
        statuses = {expect} if isinstance(expect, int) else None if expect is None else set(expect)
        if caller.works and statuses is not None and answer.status_code not in statuses:
            raise Leak(f"{where}, and not {sorted(statuses)}: {answer.text[:500]}")
        return answer

    # People

    async def hire(self, *groups: str, role: str = "member") -> Caller:
        """Adds somebody, and signs them in."""
        person = Person(f"p{next(_numbers)}@example.org", role)
        body = {"email": person.email, "role": role, "password": PASSWORD}
        person.id = (await self.call(self.admin, "POST", "/v1/users", json=body, expect=201)).json()["id"]
        self.model.people.append(person)
        for group in groups:
            await self.join(person, group)
        return await self.sign_in(person)

    async def sign_in(self, person: Person) -> Caller:
        """Signs somebody in."""
        answer = await self.client.post("/v1/auth/sign-in", json={"email": person.email, "password": PASSWORD})
        if (answer.status_code == 200) != person.active:
            raise Leak(f"{person.email} signs in: {answer.text}")
        caller = Caller(person, alive=False)
        if person.active:
            tokens = answer.json()
            caller = Caller(person, tokens["access_token"], tokens["session"])
        self.callers.append(caller)
        return caller

    async def sign_out(self, caller: Caller) -> None:
        """Ends a session or a key, by its administrator."""
        if caller.person is None or caller is self.admin:
            return
        kind = "sessions" if caller.permissions is None else "keys"
        path = f"/v1/users/{caller.person.id}/{kind}/{caller.id}"
        await self.call(self.admin, "DELETE", path, expect=(204, 404))
        caller.alive = False

    async def key(self, caller: Caller, permissions: Iterable[str], rooms: Iterable[Room] | None) -> Caller | None:
        """Has somebody make a key; None if they may not."""
        names = None if rooms is None else [room.name for room in rooms]
        body = {"name": "a key", "permissions": list(permissions), "collections": names}
        answer = await self.call(caller, "POST", "/v1/me/keys", json=body, expect=(201, 403, 404))
        unseen = any(not self.model.reads(caller, room) for room in rooms or ())
        if answer.status_code == 201 and (unseen or caller.permissions is not None):
            raise Leak(f"a key of {permissions} for {names}: {answer.text}")
        if answer.status_code != 201:
            return None
        made = answer.json()
        only = None if rooms is None else frozenset(rooms)
        key = Caller(caller.person, made["secret"], made["key"]["id"], frozenset(made["key"]["permissions"]), only)
        self.callers.append(key)
        return key

    async def group(self, name: str) -> str:
        """Makes a group."""
        answer = await self.call(self.admin, "POST", "/v1/groups", json={"name": name}, expect=201)
        self.groups[name] = answer.json()["id"]
        return name

    async def join(self, person: Person, group: str, *, leave: bool = False) -> None:
        """Puts somebody into a group, or takes them out."""
        method = "DELETE" if leave else "PUT"
        path = f"/v1/groups/{self.groups[group]}/members/{person.id}"
        await self.call(self.admin, method, path, expect=(204, 404))
        if leave:
            person.groups.discard(group)
        else:
            person.groups.add(group)

    async def suspend(self, person: Person, *, active: bool) -> None:
        """Lets somebody act, or not; then all their sessions end."""
        path = f"/v1/users/{person.id}"
        await self.call(self.admin, "PATCH", path, json={"active": active}, expect=200)
        person.active = active
        if not active:
            for caller in self.callers:
                if caller.person is person and caller.permissions is None:
                    caller.alive = False

    async def promote(self, person: Person, role: str) -> None:
        """Makes somebody a member, auditor or administrator."""
        await self.call(self.admin, "PATCH", f"/v1/users/{person.id}", json={"role": role}, expect=200)
        person.role = role

    # Collections

    async def room(self, caller: Caller) -> Room | None:
        """Has somebody make a collection; None if they may not."""
        room = Room(f"room-{canary()}")
        answer = await self.call(caller, "POST", "/v1/collections", json={"name": room.name}, expect=(201, 403))
        if answer.status_code != 201 or caller.person is None:
            return None
        if caller.person.role != "administrator" or caller.person.email in await self._owners(room):
            room.roles[caller.person.email] = "owner"
        self.model.rooms.append(room)
        return room

    async def _owners(self, room: Room) -> set[str]:
        answer = await self.client.get(
            f"/v1/collections/{room.name}/grants", headers={"Authorization": f"Bearer {self.admin.token}"}
        )
        return {one["principal"]["name"] for one in answer.json()["items"]}

    async def share(self, caller: Caller, room: Room, name: str, role: str | None) -> None:
        """Has somebody share a collection, or end that."""
        path = f"/v1/collections/{room.name}/grants/{name}"
        may = self.model.manages(caller, room)
        refused = (403,) if self.model.reads(caller, room) else (404,)
        if role is None:
            answer = await self.call(caller, "DELETE", path, expect=(204, 404, 409) if may else refused)
            if answer.status_code == 204:
                room.roles.pop(name, None)
            return
        answer = await self.call(caller, "PUT", path, json={"role": role}, expect=(200, 409) if may else refused)
        if answer.status_code == 200:
            room.roles[name] = role

    async def close(self, caller: Caller, room: Room) -> None:
        """Has somebody delete a collection."""
        may = self.model.manages(caller, room)
        refused = 403 if self.model.reads(caller, room) else 404
        answer = await self.call(caller, "DELETE", f"/v1/collections/{room.name}", expect=204 if may else refused)
        if answer.status_code == 204:
            for one in self.model.documents:
                one.there = one.there and one.room is not room
            room.there = False

    # Documents

    async def add(
        self,
        caller: Caller,
        room: Room,
        topic: str,
        readers: Iterable[str] | None = None,
        *,
        again: Document | None = None,
    ) -> Document | None:
        """Has somebody bring a document in, or a new version of one; None if they may not."""
        made = again or Document(room, f"file-{canary()}.txt", topic)
        title, label, secret = canary(), canary(), canary()
        body: dict[str, Any] = {
            "external_id": made.name,
            "title": f"The {topic} {title}",
            "metadata": {"label": label, "topic": topic},
            "text": f"The {topic} of the house is called {secret}.\n\nEvery {topic} eats at noon.",
        }
        if readers is not None:
            body["readers"] = list(readers)
        may = self.model.writes(caller, room)
        refused = (403,) if self.model.reads(caller, room) else (404,)
        path = f"/v1/collections/{room.name}/documents"
        answer = await self.call(caller, "POST", path, json=body, expect=(200, 202, 422) if may else refused)
        if answer.status_code not in (200, 202):
            if may and readers is None:
                raise Leak(f"an editor adds a document: {answer.text}")
            return None
        sent = answer.json()
        if sent["items"][0]["outcome"] == "failed":
            if again is None or self.model.sees(caller, again):
                raise Leak(f"an editor adds a document: {answer.text}")
            return None
        if again is not None and again.there and not self.model.sees(caller, again):
            raise Leak(f"an editor replaces what they do not see: {answer.text}")
        made.id, made.there = sent["items"][0]["document_id"], True
        made.texts.append(secret)
        made.now = {title, label}
        made.said |= made.now
        if readers is not None:
            made.readers = set(readers)
        if again is None:
            self.model.documents.append(made)
        await self._work(sent["job"], made)
        return made

    async def _work(self, job: dict[str, Any] | None, *documents: Document) -> None:
        if job is None:
            return
        self.model.jobs[job["id"]] = list(documents)
        await self.kaynak.worker._running.run(UUID(job["id"]))

    async def restrict(self, caller: Caller, document: Document, readers: Iterable[str] | None) -> None:
        """Has somebody say who may read a document. Indexes do not follow yet."""
        body = {"readers": None if readers is None else list(readers)}
        answer = await self._change(caller, document, "PATCH", json=body, expect=(200, 422))
        if answer is not None and answer.status_code == 200:
            document.readers = None if readers is None else set(readers)

    async def describe(self, caller: Caller, document: Document) -> None:
        """Has somebody give a document another title and other metadata."""
        title, label = canary(), canary()
        body = {"title": f"The {document.topic} {title}", "metadata": {"label": label, "topic": document.topic}}
        before = document.now
        if self._may_change(caller, document):  # its own answer shows them already
            document.now = {title, label}
            document.said |= document.now
        answer = await self._change(caller, document, "PATCH", json=body, expect=(200, 202))
        if answer is None:
            document.now = before
        elif answer.status_code == 202:
            job = UUID(answer.headers["location"].rpartition("/")[2])
            self.model.jobs[str(job)] = [document]
            await self.kaynak.worker._running.run(job)

    async def delete(self, caller: Caller, document: Document) -> None:
        """Has somebody delete a document. Indexes do not follow yet."""
        if await self._change(caller, document, "DELETE", expect=204) is not None:
            document.there = False

    def _may_change(self, caller: Caller, document: Document) -> bool:
        return self.model.sees(caller, document) and self.model.writes(caller, document.room)

    async def _change(
        self, caller: Caller, document: Document, method: str, *, expect: int | Iterable[int], **more: Any
    ) -> httpx.Response | None:
        path = f"/v1/documents/{document.id}"
        if self._may_change(caller, document):
            answer = await self.call(caller, method, path, expect=expect, **more)
            return answer if caller.works else None
        refused = 403 if self.model.sees(caller, document) else 404
        await self.call(caller, method, path, expect=refused, **more)
        return None

    async def index(self) -> None:
        """Has all indexes follow."""
        for room in self.model.rooms:
            if room.there:
                found = await self.kaynak.collections.get(OWNER, room.name)
                await self.kaynak.followers.catch_up(found.id, found.revision, 30)
