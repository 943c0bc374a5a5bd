"""The application with real accounts on a real catalog, over HTTP; only what searches is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from kaynak.api import create_app
from kaynak.catalog import Catalog, EmbeddedPostgres, MasterKeys, Secrets
from kaynak.domain import OWNER, GlobalRole, Person
from kaynak.identity import Identity, IdentityOptions
from kaynak.limiting import MemoryLimiter, Rates
from kaynak.observability import Metrics
from kaynak.settings import Settings

PASSWORD = "three unrelated words"


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch) -> None:
    """Argon2id as it is, with as little memory as it takes: what is tested here is not its slowness."""
    monkeypatch.setattr("kaynak.identity.passwords._MEMORY_KIB", 64)
    monkeypatch.setattr("kaynak.identity.passwords._ROUNDS", 1)


@dataclass
class House:
    """An installation, and people who use it."""

    catalog: Catalog
    identity: Identity
    app: FastAPI
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, *, tls: bool = False, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 4711))
        base = "https://127.0.0.1" if tls else "http://127.0.0.1:8000"
        client = httpx.AsyncClient(transport=transport, base_url=base, **options)
        self.clients.append(client)
        return client

    async def add(self, email: str, role: GlobalRole = GlobalRole.MEMBER, **options: Any) -> Person:
        options.setdefault("password", PASSWORD)
        return await self.identity.people.add(OWNER, email, role=role, **options)

    async def tokens(self, email: str, password: str = PASSWORD, **options: Any) -> dict[str, Any]:
        found = await self.client(**options).post("/v1/auth/sign-in", json={"email": email, "password": password})
        assert found.status_code == 200, found.text
        return found.json()

    async def signed_in(self, email: str, **options: Any) -> httpx.AsyncClient:
        tokens = await self.tokens(email, **options)
        client = self.client(**options)
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        client.session = tokens["session"]  # type: ignore[attr-defined]
        return client


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Built once; each test gives it services of its own."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("unused"), _env_file=None)
    return create_app(SimpleNamespace(settings=settings, metrics=Metrics()))


@pytest.fixture(scope="session")
def people_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """One database for all of these tests: making one takes longer than most of them."""
    admin = postgres.url.replace("/kaynak?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE people TEMPLATE kaynak STRATEGY file_copy")
    yield postgres.url.replace("/kaynak?", "/people?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE people WITH (FORCE)")


@pytest.fixture
async def catalog(people_database: str) -> AsyncIterator[Catalog]:
    """An open catalog without people."""
    opened = await Catalog.open(people_database, pool_size=8)
    async with opened.begin() as unit:
        await unit.connection.exec_driver_sql(
            "DELETE FROM kaynak.users; DELETE FROM kaynak.groups; DELETE FROM kaynak.signing_keys; "
            "DELETE FROM kaynak.sealed_secrets; "
            "DELETE FROM kaynak.collections"
        )
    yield opened
    await opened.close()


@pytest.fixture
def options() -> IdentityOptions:
    return IdentityOptions()


@pytest.fixture
async def house(app, catalog, tmp_path, options) -> AsyncIterator[House]:
    identity = Identity.over(catalog, Secrets(catalog, MasterKeys(tmp_path / "secret.key")), options)
    settings = Settings(data_dir=tmp_path, _env_file=None)
    kaynak = SimpleNamespace(settings=settings, catalog=catalog, identity=identity, rates=Rates(MemoryLimiter(), {}))
    app.state.kaynak = kaynak
    house = House(catalog, identity, app)
    yield house
    for client in house.clients:
        await client.aclose()
    await identity.close()


@pytest.fixture
async def admin(house: House) -> httpx.AsyncClient:
    await house.add("admin@example.org", GlobalRole.ADMINISTRATOR, name="Ada")
    return await house.signed_in("admin@example.org")


@pytest.fixture
async def ayse(house: House, admin: httpx.AsyncClient) -> httpx.AsyncClient:
    await house.add("ayse@example.org", name="Ayşe")
    return await house.signed_in("ayse@example.org")
