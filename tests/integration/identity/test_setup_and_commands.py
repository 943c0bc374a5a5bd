"""The first administrator, and people on the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace

import pytest
from typer.testing import CliRunner

from kaynak.cli import command
from kaynak.cli.main import app as program
from kaynak.domain import OWNER, STRANGER, Action, AuditFilter, Forbidden, GlobalRole, SignInFailed, Unauthenticated
from kaynak.identity import IdentityOptions
from kaynak.identity.setup import Setup

pytestmark = pytest.mark.anyio
PASSWORD = "three unrelated words"


class TestSetup:
    @pytest.fixture
    def options(self):
        return IdentityOptions(loopback=False)

    async def test_the_link_makes_one_administrator_once(self, house):
        client = house.client()
        body = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
        assert (await client.post("/v1/auth/setup", json={**body, "token": "kys_guessed"})).status_code == 401
        token = await house.identity.setup.open()
        weak = await client.post("/v1/auth/setup", json={**body, "token": token, "password": "password"})
        assert weak.status_code == 422
        answers = await asyncio.gather(
            *(client.post("/v1/auth/setup", json={**body, "email": f"{n}@example.org", "token": token}) for n in "ab")
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401]
        tokens = next(answer.json() for answer in answers if answer.status_code == 200)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await client.get("/v1/me", headers=bearer)).json()["role"] == "administrator"
        assert (await client.post("/v1/auth/setup", json={**body, "token": token})).status_code == 401
        with pytest.raises(Exception, match="administers"):
            await house.identity.setup.open()

    async def test_the_link_runs_out(self, house):
        now = 0.0
        identity = house.identity
        setup = Setup(house.catalog, identity.passwords, identity.sign_ins, lambda: now)
        token = await setup.open()
        now = 3601.0
        with pytest.raises(Unauthenticated):
            await setup.complete(token, "ada@example.org", "", PASSWORD, None)

    async def test_an_administrator_who_came_first_ends_the_link(self, house):
        token = await house.identity.setup.open()
        await house.add("ada@example.org", GlobalRole.ADMINISTRATOR)
        body = {"email": "eve@example.org", "password": PASSWORD, "token": token}
        assert (await house.client().post("/v1/auth/setup", json=body)).status_code == 409

    async def test_the_page_behind_the_link_loads_nothing_from_elsewhere(self, house):
        page = await house.client().get("/setup")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        script = await house.client().get("/setup/setup.js")
        assert "/v1/auth/setup" in script.text


@pytest.fixture
def kaynak(house, tmp_path, monkeypatch):
    """Runs a command line on the people of the house, in a thread with an event loop of its own."""
    url = house.catalog.url
    from kaynak.catalog import Catalog, MasterKeys, Secrets
    from kaynak.identity import Identity

    @asynccontextmanager
    async def opened(settings, *, worker=False):
        catalog = await Catalog.open(url, pool_size=2)
        identity = Identity.over(catalog, Secrets(catalog, MasterKeys(tmp_path / "secret.key")), IdentityOptions())
        try:
            yield SimpleNamespace(settings=settings, catalog=catalog, identity=identity)
        finally:
            await identity.close()
            await catalog.close()

    module = ModuleType("kaynak.app")
    module.Kaynak = SimpleNamespace(open=opened)
    monkeypatch.setitem(sys.modules, "kaynak.app", module)
    monkeypatch.setattr(command, "run_async", asyncio.run)
    monkeypatch.setenv("KAYNAK_DATA_DIR", str(tmp_path))

    async def run(*words: str, stdin: str = "", code: int = 0, json_answer: bool = True):
        result = await asyncio.to_thread(CliRunner().invoke, program, [*words, "--json"], input=stdin)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if json_answer else None

    return run


async def test_a_running_server_believes_no_token_that_a_command_made_worthless(house, admin, kaynak):
    before = await house.tokens("admin@example.org")
    assert (await kaynak("secrets", "rotate", "--signing"))["distrusted"] is False
    kept = await house.tokens("admin@example.org")
    for tokens in (before, kept):
        assert await _status(house, tokens["access_token"]) == 200
    await kaynak("secrets", "rotate", "--signing", "--distrust")
    for tokens in (before, kept):
        assert await _status(house, tokens["access_token"]) == 401
    again = await house.client().post("/v1/auth/refresh", json={"refresh_token": before["refresh_token"]})
    assert await _status(house, again.json()["access_token"]) == 200, "sessions go on"
    async with house.catalog.read() as unit:
        told = await unit.audit_rows.newest(AuditFilter(action=Action.SIGNING_KEY_ROTATED), before=None, limit=2)
    assert [(one.subject, "true" in str(one.details)) for one in told] == [
        (OWNER.subject, True),
        (OWNER.subject, False),
    ]


async def _status(house, token: str) -> int:
    return (await house.client().get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code


async def test_people_on_the_command_line(house, kaynak):
    refused = await kaynak("users", "add", "ada@example.org", stdin=PASSWORD + "\n", code=5)
    assert "administrator" in refused["error"]["detail"]
    ada = await kaynak("users", "add", "Ada@Example.org", "--admin", "--name", "Ada", stdin=PASSWORD + "\n")
    assert (ada["email"], ada["role"]) == ("ada@example.org", "administrator")
    await kaynak("users", "add", "x@example.org", "--admin", "--role", "member", code=2)
    await kaynak("users", "add", "mehmet@example.org", "--no-password")
    assert len((await kaynak("users", "list"))["items"]) == 2
    assert (await kaynak("users", "set", "mehmet@example.org", "--role", "auditor", "--inactive"))["active"] is False
    await kaynak("users", "set", "ada@example.org", "--inactive", code=5)
    await kaynak("users", "set", "mehmet@example.org", "--active", "--email", "m@example.org")
    await kaynak("users", "password", "m@example.org", stdin="short\n", code=2)
    await kaynak("users", "password", "m@example.org", stdin="four quite unrelated words\n")
    await house.tokens("m@example.org", "four quite unrelated words")
    shown = await kaynak("users", "show", "m@example.org")
    assert (len(shown["sessions"]), shown["keys"]) == (1, [])
    await kaynak("users", "sign-out", "m@example.org")
    assert (await kaynak("users", "show", "m@example.org"))["sessions"] == []

    await kaynak("groups", "add", "legal", "--claim", "dep-legal")
    assert (await kaynak("groups", "add-member", "legal", "m@example.org"))["members"] == 1
    assert [one["email"] for one in (await kaynak("groups", "show", "legal"))["members"]] == ["m@example.org"]
    assert (await kaynak("groups", "set", "legal", "--name", "law", "--claim", ""))["claim"] is None
    assert (await kaynak("groups", "remove-member", "law", "m@example.org"))["members"] == 0
    assert [one["name"] for one in (await kaynak("groups", "list"))["items"]] == ["law"]
    await kaynak("groups", "remove", "law")
    await kaynak("groups", "show", "law", code=3)

    made = await kaynak("keys", "create", "m@example.org", "--name", "nightly", "--days", "7")
    client = house.client(headers={"x-api-key": made["secret"]})
    assert (await client.get("/v1/me")).json()["email"] == "m@example.org"
    assert [one["name"] for one in (await kaynak("keys", "list", "m@example.org"))["items"]] == ["nightly"]
    await kaynak("keys", "create", "m@example.org", "--name", "k", "--permission", "people.manage", code=1)
    await kaynak("keys", "revoke", made["key"]["id"])
    assert (await client.get("/v1/me")).status_code == 401
    await kaynak("users", "remove", "m@example.org")
    await kaynak("users", "show", "m@example.org", code=3)
    await kaynak("users", "remove", "ada@example.org")
    assert (await kaynak("users", "list"))["items"] == []


async def test_the_client_secret_is_kept_and_never_shown(house, admin, kaynak):
    kept = house.identity.oidc_secret
    assert await kept.current() is None
    await kaynak("secrets", "set", "oidc", stdin="\n", code=2)
    await kaynak("secrets", "set", "oidc", "an-argument", stdin="x\n", code=2, json_answer=False)
    assert await kaynak("secrets", "set", "oidc", stdin="hush hush\n") == {"stored": "oidc", "overruled": False}
    assert await kept.current() == "hush hush"
    async with house.catalog.read() as unit:
        sealed = await unit.sealed_secrets.get("oidc-client-secret")
        told = await unit.audit_rows.newest(AuditFilter(action=Action.OIDC_SECRET_STORED), before=None, limit=5)
    assert b"hush" not in sealed
    assert "hush" not in str(told)
    assert told[0].subject == OWNER.subject
    with pytest.raises(Forbidden):
        await kept.put(STRANGER, "x")
    with pytest.raises(Forbidden):
        await kept.remove(STRANGER)
    assert await kaynak("secrets", "remove", "oidc") == {"removed": "oidc"}
    await kaynak("secrets", "remove", "oidc", code=3)
    assert await kept.current() is None


class TestClients:
    """The Python clients sign in, and stay so."""

    async def test_the_client_refreshes_by_itself_and_once_for_all_its_tasks(self, house, admin):
        import httpx

        from kaynak.client import AsyncClient

        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        async with AsyncClient("http://127.0.0.1:8000", transport=transport) as client:
            with pytest.raises(Unauthenticated):
                await client._run(_me())
            with pytest.raises(SignInFailed):
                await client.sign_in("admin@example.org", "wrong")
            await client.sign_in("admin@example.org", PASSWORD)
            first = client.tokens
            assert (await client._run(_me()))["email"] == "admin@example.org"
            await house.identity.signing.rotate(distrust=True)
            answers = await asyncio.gather(*(client._run(_me()) for _ in range(5)))
            assert all(answer["email"] == "admin@example.org" for answer in answers)
            assert client.tokens != first
            token, refresh = client.tokens
        again = AsyncClient("http://127.0.0.1:8000", transport=transport, refresh_token=refresh)
        async with again:
            assert (await again._run(_me()))["email"] == "admin@example.org"
            assert again.tokens[0] != token
            token, _ = again.tokens
            await again.sign_out()
            assert again.tokens == (None, None)
        ended = house.client(headers={"Authorization": f"Bearer {token}"})
        assert (await ended.get("/v1/me")).status_code == 401
        async with AsyncClient("http://127.0.0.1:8000", transport=transport, token="x", refresh_token="y") as lost:
            with pytest.raises(Unauthenticated):
                await lost._run(_me())
            assert lost.tokens[1] is None

    async def test_the_client_shows_a_key(self, house, admin):
        import httpx

        from kaynak.client import AsyncClient

        secret = (await admin.post("/v1/me/keys", json={"name": "k"})).json()["secret"]
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        async with AsyncClient("http://127.0.0.1:8000", transport=transport, api_key=secret) as client:
            assert (await client._run(_me()))["key"] is not None


def _me():
    from kaynak.client.calls import Call

    return Call("GET", "/v1/me", dict)
