from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from kaynak.domain import OWNER, GlobalRole
from kaynak.identity import IdentityOptions
from kaynak.limiting import MemoryLimiter, Purpose, Rates

pytestmark = pytest.mark.anyio
PASSWORD = "three unrelated words"


async def test_a_laptop_without_accounts_needs_no_sign_in_until_there_is_somebody(house):
    client = house.client()
    me = await client.get("/v1/me")
    assert me.status_code == 200
    assert (me.json()["id"], me.json()["role"]) == (None, "administrator")
    assert (await client.get("/v1/users", headers={"Authorization": "Bearer whatever"})).status_code == 200
    first = {"email": "ayse@example.org", "password": PASSWORD}
    refused = await client.post("/v1/users", json=first)
    assert refused.status_code == 409, "the first person must be able to add others"
    added = await client.post("/v1/users", json={**first, "role": "administrator"})
    assert added.status_code == 201
    assert (await client.get("/v1/users")).status_code == 401
    assert (await client.get("/v1/me")).headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"X-Forwarded-For": "203.0.113.9"}, "127.0.0.1"),
        ({"Forwarded": "for=203.0.113.9"}, "127.0.0.1"),
        ({}, "203.0.113.9"),
    ],
)
async def test_without_accounts_nobody_is_let_in_from_elsewhere(house, headers, address):
    found = await house.client(address=address).get("/v1/users", headers=headers)
    assert found.status_code == 401
    assert "kaynak users add --admin" in found.json()["hint"]


class TestServer:
    @pytest.fixture
    def options(self):
        return IdentityOptions(loopback=False)

    async def test_a_server_never_goes_without_accounts(self, house):
        assert (await house.client().get("/v1/users")).status_code == 401


async def test_signing_in_and_going_on(house, admin):
    me = (await admin.get("/v1/me")).json()
    assert (me["email"], me["name"], me["role"]) == ("admin@example.org", "Ada", "administrator")
    assert me["session"] == admin.session
    tokens = await house.tokens("  ADMIN@Example.org ")
    assert tokens["expires_in"] == 900
    assert tokens["refresh_expires_in"] == 30 * 24 * 3600
    assert tokens["token_type"] == "Bearer"


async def test_nobody_learns_who_has_an_account(house, admin, monkeypatch):
    await house.add("inactive@example.org")
    await house.add("no-password@example.org", password=None)
    people = {person.email: person.id for person in await house.identity.people.list(OWNER, after=None, limit=9)}
    await admin.patch(f"/v1/users/{people['inactive@example.org']}", json={"active": False})
    from argon2 import PasswordHasher

    verify, calls = PasswordHasher.verify, []
    monkeypatch.setattr(PasswordHasher, "verify", lambda *args: calls.append(1) or verify(*args))
    answers, work = [], []
    client = house.client()
    await client.post("/v1/auth/sign-in", json={"email": "x@example.org", "password": "y"})
    for email, password in (
        ("admin@example.org", "wrong"),
        ("nobody@example.org", "wrong"),
        ("not an address", "wrong"),
        ("inactive@example.org", PASSWORD),
        ("no-password@example.org", "wrong"),
    ):
        calls.clear()
        answer = await client.post("/v1/auth/sign-in", json={"email": email, "password": password})
        body = answer.json()
        body.pop("request_id")
        answers.append((answer.status_code, body, set(answer.headers)))
        work.append(len(calls))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401
    assert work == [1] * 5


async def test_guessing_is_slowed_for_an_account_that_exists_or_not(house, admin):
    house.app.state.kaynak.rates = Rates(MemoryLimiter(), {Purpose.SIGN_IN: 10})
    for email in ("admin@example.org", "nobody@example.org"):
        statuses = []
        for number in range(12):
            client = house.client(address=f"203.0.113.{number}")
            answer = await client.post("/v1/auth/sign-in", json={"email": email, "password": "wrong"})
            statuses.append(answer.status_code)
        assert statuses == [401] * 10 + [429] * 2
        assert int(answer.headers["retry-after"]) >= 1
    assert (await admin.get("/v1/me")).status_code == 200, "whoever is signed in stays so"


async def test_guessing_from_one_address_is_slowed_whoever_is_guessed(house, admin):
    house.app.state.kaynak.rates = Rates(MemoryLimiter(), {Purpose.SIGN_IN: 3})
    client, wrong = house.client(address="203.0.113.1"), {"password": "x"}
    answers = [await client.post("/v1/auth/sign-in", json={"email": f"{n}@example.org", **wrong}) for n in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    other = house.client(address="203.0.113.2")
    assert (await other.post("/v1/auth/sign-in", json={"email": "1@example.org", **wrong})).status_code == 401
    old = [await admin.patch("/v1/me", json={"password": "x", "old_password": "y"}) for _ in range(4)]
    assert [answer.status_code for answer in old] == [401, 401, 401, 429]


async def test_somebody_from_an_older_system_signs_in_and_is_hashed_anew(house, admin):
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", b"the old password", salt, 100_000)
    stored = f"pbkdf2_sha256$100000${salt.hex()}${digest.hex()}"
    added = await admin.post("/v1/users", json={"email": "old@example.org", "password_hash": stored})
    assert added.status_code == 201
    assert stored not in added.text
    refused = await house.client().post("/v1/auth/sign-in", json={"email": "old@example.org", "password": "wrong"})
    assert refused.status_code == 401
    await house.tokens("old@example.org", "the old password")
    async with house.catalog.read() as unit:
        found = await unit.users.credentials("old@example.org")
    assert found.password_hash.startswith("$argon2id$")
    await house.tokens("old@example.org", "the old password")
    nonsense = await admin.post("/v1/users", json={"email": "z@example.org", "password_hash": "pbkdf2_sha256$1$a$b"})
    assert nonsense.status_code == 422


async def test_two_hundred_at_once_are_hashed_one_after_the_other_and_the_rest_goes_on(house, admin, monkeypatch):
    hashed = await house.identity.passwords.hash(PASSWORD)
    emails = [f"person-{number}@example.org" for number in range(200)]
    async with house.catalog.begin() as unit:
        for email in emails:
            await unit.users.add(email, name="", role=GlobalRole.MEMBER, password_hash=hashed)
    running, most = 0, 0
    hasher = house.identity.passwords
    check = hasher._check

    def counted(*args):
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return check(*args)
        finally:
            running -= 1

    monkeypatch.setattr(hasher, "_check", counted)
    crowd = [asyncio.create_task(house.tokens(email)) for email in emails]
    done_before = 0
    while not all(task.done() for task in crowd):
        assert (await admin.get("/v1/me")).status_code == 200
        done_before += 1
    await asyncio.gather(*crowd)
    assert most == 1
    assert done_before > 3, "others were answered while the crowd waited"


async def test_a_password_that_changes_while_it_is_checked_begins_no_session(house, admin, monkeypatch):
    person = await house.add("ayse@example.org")
    hasher = house.identity.passwords
    check = hasher.check

    async def check_late(*args):
        checked = await check(*args)
        await admin.patch(f"/v1/users/{person.id}", json={"password": "another three words"})
        return checked

    monkeypatch.setattr(hasher, "check", check_late)
    answer = await house.client().post("/v1/auth/sign-in", json={"email": "ayse@example.org", "password": PASSWORD})
    assert answer.status_code == 401
