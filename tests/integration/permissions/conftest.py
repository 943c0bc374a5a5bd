"""A company: the whole product over a real database, with people who may read different things."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import Header
from sqlalchemy import text

from kaynak.api import create_app
from kaynak.api.deps import _renewal, _scope_of_scraper, _uncounted_caller
from kaynak.api.guarding import Renew
from kaynak.app import Kaynak
from kaynak.catalog import EmbeddedPostgres
from kaynak.domain import (
    OWNER,
    Answer,
    AnswerEvent,
    AskRequest,
    CollectionRole,
    GlobalRole,
    Scope,
    TextWritten,
    Unauthenticated,
    new_id,
)
from kaynak.generation import Streams
from kaynak.generation.caching import Asking
from kaynak.generation.streams import StreamLimits
from kaynak.identity import Caller
from kaynak.ingestion import Upload
from kaynak.logs import configure_logs
from kaynak.settings import RateSettings, Settings

_numbers = itertools.count()

PEOPLE = {
    "anna@example.org": CollectionRole.OWNER,
    "emre@example.org": CollectionRole.EDITOR,
    "vera@example.org": CollectionRole.VIEWER,
    "hugo@example.org": CollectionRole.VIEWER,
    "nina@example.org": None,
}
"""Roles in every collection of `Company.collection`. Hugo has his by the group ``hr``."""

SHARED = "The canteen serves lunch at noon. The bicycle shed is behind the warehouse."
SECRET = "The director earns nine thousand moonstones every month."
BOARD = "The board will close the plant in Sunderland in spring."


@dataclass
class SlowAsker:
    """Waits before the text of an answer until it may go on.

    Attributes:
        inner: Answers.
        reached: Set when an answer waits.
        go_on: Set to let answers through.
    """

    inner: Asking
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        return await self.inner.ask(request, scope)

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        async with aclosing(self.inner.stream(request, scope, stop=stop)) as events:
            async for event in events:
                if isinstance(event, TextWritten):
                    self.reached.set()
                    await self.go_on.wait()
                yield event


@dataclass
class Company:
    """The product and its people.

    Attributes:
        kaynak: Everything.
        client: Its HTTP; the header ``x-as`` says who asks.
        asker: Answers, as slowly as it is told to.
        ids: Of people and groups, by name.
    """

    kaynak: Kaynak
    client: httpx.AsyncClient
    asker: SlowAsker
    ids: dict[str, UUID] = field(default_factory=dict)

    async def hire(self, email: str, role: GlobalRole = GlobalRole.MEMBER, groups: Sequence[str] = ()) -> None:
        """Makes a person, and the groups they are in."""
        async with self.kaynak.catalog.begin() as unit:
            self.ids[email] = new_id()
            await unit.connection.execute(
                text("INSERT INTO kaynak.users (id, email, role) VALUES (:id, :email, :role)"),
                {"id": self.ids[email], "email": email, "role": role},
            )
            for name in groups:
                if name not in self.ids:
                    self.ids[name] = new_id()
                    await unit.connection.execute(
                        text("INSERT INTO kaynak.groups (id, name) VALUES (:id, :name)"),
                        {"id": self.ids[name], "name": name},
                    )
                await unit.connection.execute(
                    text("INSERT INTO kaynak.group_members (group_id, user_id) VALUES (:group, :user)"),
                    {"group": self.ids[name], "user": self.ids[email]},
                )

    async def scope(self, email: str | None) -> Scope:
        """Returns what a person may do now."""
        if email is None:
            return OWNER
        if email not in self.ids:
            raise Unauthenticated("Nobody is signed in.")
        async with self.kaynak.catalog.read() as unit:
            found = await unit.scopes.of_person(self.ids[email])
        if found is None:
            raise Unauthenticated("There is no such person, or not any more.")
        return found

    async def collection(self) -> str:
        """Makes a collection in which everybody has their role, and three documents of different readers."""
        name = f"handbook-{next(_numbers)}"
        await self.kaynak.collections.create(OWNER, name)
        for email, role in PEOPLE.items():
            who = "hr" if email.startswith("hugo") else email
            if role is not None:
                await self.kaynak.sharing.share(OWNER, name, who, role)
        await self.bring(
            name,
            Upload("shared.txt", "shared.txt", SHARED.encode()),
            Upload("salaries.txt", "salaries.txt", SECRET.encode(), readers=("hr",)),
            Upload("board.txt", "board.txt", BOARD.encode(), readers=()),
        )
        return name

    async def bring(self, collection: str, *uploads: Upload, scope: Scope = OWNER) -> UUID | None:
        """Brings documents in, and waits until they can be found; returns the job."""
        sent = await self.kaynak.intake.submit(scope, collection, uploads)
        if sent.job is None:
            return None
        async for _ in self.kaynak.jobs.watch(OWNER, sent.job.id):
            pass
        await self.settled(collection)
        return sent.job.id

    async def settled(self, collection: str) -> None:
        """Waits until the indexes reflect everything."""
        found = await self.kaynak.collections.get(OWNER, collection)
        await self.kaynak.followers.catch_up(found.id, found.revision, 60)

    async def document(self, collection: str, name: str) -> Any:
        """Returns a document as its owner sees it."""
        return await self.kaynak.documents.find(OWNER, collection, name)

    async def call(self, who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """Asks as somebody."""
        headers = {**more.pop("headers", {}), **({} if who is None else {"x-as": who})}
        return await self.client.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def company_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    admin = postgres.url.replace("/kaynak?", "/postgres?")
    name = f"company_{next(_numbers)}"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE kaynak STRATEGY file_copy")
    yield postgres.url.replace("/kaynak?", f"/{name}?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def company(company_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    configure_logs("ERROR", "json")
    folder: Path = tmp_path_factory.mktemp("company")
    unlimited = RateSettings(general=0, ask=0, upload=0, address=0)
    settings = Settings(data_dir=folder, database_url=company_url, rates=unlimited, _env_file=None)
    async with Kaynak.open(settings, worker=True) as kaynak:
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        slow = SlowAsker(kaynak.asker)
        kaynak.turns._asker = replace(slow, inner=kaynak.turns._asker)
        streams = Streams(StreamLimits(check_seconds=0.2))
        app = create_app(replace(kaynak, asker=slow, streams=streams))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
            made = Company(kaynak, client, slow)

            async def caller(x_as: Annotated[str | None, Header()] = None) -> Caller:
                scope = await made.scope(x_as)
                return Caller(scope, scope.person)

            async def renewal(x_as: Annotated[str | None, Header()] = None) -> Renew:
                return lambda: made.scope(x_as)

            app.dependency_overrides[_uncounted_caller] = caller

            async def of_scraper(x_as: Annotated[str | None, Header()] = None) -> Scope:
                return await made.scope(x_as)

            app.dependency_overrides[_renewal] = renewal
            app.dependency_overrides[_scope_of_scraper] = of_scraper
            for email in PEOPLE:
                await made.hire(email, groups=("hr",) if email.startswith("hugo") else ())
            await made.hire("root@example.org", GlobalRole.ADMINISTRATOR)
            await made.hire("otto@example.org", GlobalRole.AUDITOR)
            yield made
        await streams.close()
        stop.set()
        await working


@pytest.fixture(scope="module")
async def handbook(company: Company) -> str:
    """A collection that tests only read."""
    return await company.collection()
