"""Signing in with OpenID Connect, at a provider in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kaynak.catalog import MasterKeys, Secrets
from kaynak.domain import OWNER, Action, GlobalRole
from kaynak.identity import IdentityOptions, OidcOptions
from kaynak.identity.oidc import ClientSecret
from kaynak.testing.oidc_provider import CLIENT_ID, CLIENT_SECRET, oidc_provider

pytestmark = pytest.mark.anyio
PASSWORD = "three unrelated words"
HONEST = {"fault": "", "algorithm": "RS256", "userinfo_only": []}
AYSE = {"sub": "1", "email": "ayse@example.org", "email_verified": True, "name": "Ayşe", "groups": ["hr"]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with oidc_provider() as found:
        yield found


@pytest.fixture
def options(issuer) -> IdentityOptions:
    httpx.post(f"{issuer}/control", json={**HONEST, "person": AYSE}).raise_for_status()
    return IdentityOptions(loopback=False, oidc=OidcOptions(issuer, CLIENT_ID, CLIENT_SECRET))


@pytest.fixture
def control(issuer):
    def send(**wish) -> None:
        httpx.post(f"{issuer}/control", json=wish).raise_for_status()

    return send


async def to_provider(client: httpx.AsyncClient, after: str = "/docs") -> str:
    """Begins at us, signs in at the provider, and returns where it sends the browser back to."""
    begun = await client.get("/v1/auth/oidc/start", params={"after": after})
    assert begun.status_code == 303, begun.text
    async with httpx.AsyncClient() as browser:
        sent_back = await browser.get(begun.headers["location"])
    assert sent_back.status_code == 302, sent_back.text
    back = urlsplit(sent_back.headers["location"])
    assert back.path == "/v1/auth/oidc/callback"
    return f"{back.path}?{back.query}"


async def sign_in(house, client: httpx.AsyncClient | None = None) -> httpx.Response:
    client = client or house.client()
    return await client.get(await to_provider(client))


async def who(client: httpx.AsyncClient) -> dict:
    found = await client.get("/v1/me")
    assert found.status_code == 200, found.text
    return found.json()


async def test_somebody_new_gets_an_account_and_comes_back_to_it(house, admin, control):
    client = house.client()
    begun = await client.get("/v1/auth/oidc/start")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://127.0.0.1:8000/v1/auth/oidc/callback"
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    for secret in (asked["state"], asked["nonce"]):
        assert secret not in cookie
    answer = await sign_in(house, client)
    assert answer.status_code == 200
    assert 'url=/docs"' in answer.text
    assert "kaynak_oidc" not in client.cookies
    me = await who(client)
    assert (me["email"], me["name"], me["role"], me["password"]) == ("ayse@example.org", "Ayşe", "member", False)
    control(person={**AYSE, "email": "new-name@example.org"})
    again = house.client()
    await sign_in(house, again)
    assert (await who(again))["id"] == me["id"], "known by the provider's lasting name, not by the address"
    refused = await house.client().post("/v1/auth/sign-in", json={"email": "ayse@example.org", "password": ""})
    assert refused.status_code == 401


async def test_groups_follow_the_claim_at_each_sign_in(house, admin, control):
    for name, claim in (("people", "hr"), ("law", "legal"), ("by hand", None)):
        assert (await admin.post("/v1/groups", json={"name": name, "claim": claim})).status_code == 201
    groups = {group["name"]: group["id"] for group in (await admin.get("/v1/groups")).json()["items"]}
    client = house.client()
    await sign_in(house, client)
    me = await who(client)
    assert [group["name"] for group in me["groups"]] == ["people"]
    await admin.put(f"/v1/groups/{groups['by hand']}/members/{me['id']}")
    for claims, expected in (
        (["legal", "unknown", 7], ["by hand", "law"]),
        ("hr", ["by hand", "people"]),
        ([], ["by hand"]),
        ({"not": "a list"}, ["by hand"]),
        (["hr", "legal"], ["by hand", "law", "people"]),
    ):
        control(person={**AYSE, "groups": claims})
        await sign_in(house, client)
        assert [group["name"] for group in (await who(client))["groups"]] == expected
    control(person={name: value for name, value in AYSE.items() if name != "groups"})
    await sign_in(house, client)
    assert [group["name"] for group in (await who(client))["groups"]] == ["by hand"]


async def test_an_address_links_an_account_only_if_the_provider_knows_that_it_is_theirs(house, admin, control):
    person = await house.add("ayse@example.org", GlobalRole.AUDITOR)
    for wrong in (False, None, "true", 1):
        control(person={**AYSE, "email_verified": wrong})
        client = house.client()
        assert (await sign_in(house, client)).status_code == 401
        assert (await client.get("/v1/me")).status_code == 401
    control(person=AYSE)
    client = house.client()
    assert (await sign_in(house, client)).status_code == 200
    assert (await who(client))["id"] == str(person.id)
    await house.tokens("ayse@example.org")
    control(person={**AYSE, "sub": "2"})
    assert (await sign_in(house)).status_code == 401, "the account has an identity already"


async def refused(unit) -> int:
    """Returns how many sign-ins the audit log has that came to nothing."""
    found = await unit.connection.exec_driver_sql(
        "SELECT count(*) FROM kaynak.audit_events WHERE action = %s", (Action.SIGN_IN_FAILED.value,)
    )
    return found.scalar_one()


async def test_whoever_may_not_sign_in_does_not(house, admin, control):
    client = house.client()
    await sign_in(house, client)
    person = (await who(client))["id"]
    await admin.patch(f"/v1/users/{person}", json={"active": False})
    assert (await client.get("/v1/me")).status_code == 401
    async with house.catalog.read() as unit:
        before = await refused(unit)
    assert (await sign_in(house)).status_code == 401
    control(person={"sub": "3"})
    nameless = await sign_in(house)
    assert nameless.status_code == 401
    assert "e-mail" in nameless.json()["detail"]
    async with house.catalog.read() as unit:
        assert await refused(unit) == before + 2


async def test_the_first_person_is_not_whoever_comes_from_the_provider(house):
    assert (await sign_in(house)).status_code == 401


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_other_signatures_are_believed_as_well(house, admin, control, algorithm):
    control(algorithm=algorithm)
    assert (await sign_in(house)).status_code == 200


async def test_what_the_token_leaves_out_is_asked_for(house, admin, control):
    await admin.post("/v1/groups", json={"name": "people", "claim": "hr"})
    control(userinfo_only=["email", "email_verified", "groups", "name"])
    client = house.client()
    assert (await sign_in(house, client)).status_code == 200
    me = await who(client)
    assert (me["email"], [group["name"] for group in me["groups"]]) == ("ayse@example.org", ["people"])
    control(fault="userinfo-of-another")
    assert (await sign_in(house)).status_code == 401


async def test_nothing_that_is_wrong_is_believed(house, admin, control):
    believed = []
    for fault in (
        "wrong-nonce", "no-nonce", "wrong-audience", "many-audiences", "another-party", "wrong-issuer", "expired",
        "future", "no-subject", "alg-none", "public-key-as-secret", "foreign-key", "unknown-kid", "denied",
    ):  # fmt: skip
        control(fault=fault)
        client = house.client()
        answer = await sign_in(house, client)
        if answer.status_code != 401 or (await client.get("/v1/me")).status_code != 401:
            believed.append(fault)
        assert "kaynak_access" not in client.cookies
    assert believed == []
    assert [person["email"] for person in (await admin.get("/v1/users")).json()["items"]] == ["admin@example.org"]


async def test_what_came_back_is_taken_once_and_only_from_the_browser_that_began(house, admin):
    client = house.client()
    back = await to_provider(client)
    stranger = house.client()
    assert (await stranger.get(back)).status_code == 401, "without the cookie"
    await to_provider(stranger)
    assert (await stranger.get(back)).status_code == 401, "with the cookie of another sign-in"
    changed = back.replace("state=", "state=x")
    assert (await client.get(changed)).status_code == 401
    elsewhere = back.replace("iss=", "iss=https%3A%2F%2Felsewhere.example.org&x=")
    assert (await client.get(elsewhere)).status_code == 401
    back = await to_provider(client)
    kept = dict(client.cookies)
    assert (await client.get(back)).status_code == 200
    for again in (client, stranger):
        again.cookies.clear()
        for name, value in kept.items():
            again.cookies.set(name, value)
        assert (await again.get(back)).status_code == 401, "replayed"
    other = house.client()
    other.cookies.set("kaynak_oidc", "nonsense!")
    assert (await other.get(back)).status_code == 401


async def test_a_sign_in_that_took_too_long_begins_again(house, admin, monkeypatch):
    monkeypatch.setattr("kaynak.identity.oidc.sign_in.SECONDS", -1)
    assert (await sign_in(house)).status_code == 401


async def test_new_keys_of_the_provider_are_found(house, admin, control, monkeypatch):
    assert (await sign_in(house)).status_code == 200
    monkeypatch.setattr("kaynak.identity.oidc.provider._UNKNOWN_SECONDS", 0.0)
    control(rotate=True)
    assert (await sign_in(house)).status_code == 200


async def test_it_leads_nowhere_else(house):
    for after in ("https://evil.example.org", "//evil.example.org", "/\\evil.example.org", "evil", "/a\nb"):
        assert (await house.client().get("/v1/auth/oidc/start", params={"after": after})).status_code == 422
    quoted = house.client()
    answer = await quoted.get(await to_provider(quoted, '/a"><script>x</script>'))
    assert "<script>" not in answer.text


class TestAKeptSecret:
    @pytest.fixture
    def options(self, issuer) -> IdentityOptions:
        httpx.post(f"{issuer}/control", json={**HONEST, "person": AYSE}).raise_for_status()
        return IdentityOptions(loopback=False, oidc=OidcOptions(issuer, CLIENT_ID))

    async def test_it_is_used_from_the_next_sign_in_on(self, house, admin):
        kept = house.identity.oidc_secret
        assert (await sign_in(house)).status_code == 401, "the provider wants a secret"
        await kept.put(OWNER, "not " + CLIENT_SECRET)
        assert (await sign_in(house)).status_code == 401
        await kept.put(OWNER, CLIENT_SECRET)
        client = house.client()
        assert (await sign_in(house, client)).status_code == 200
        assert (await who(client))["email"] == "ayse@example.org"
        await kept.remove(OWNER)
        assert (await sign_in(house)).status_code == 401

    async def test_one_that_cannot_be_read_is_said_and_not_left_out(self, house, admin):
        async with house.catalog.begin() as unit:
            await unit.sealed_secrets.put("oidc-client-secret", b"\x02damaged, and of no key")
        answer = await sign_in(house)
        assert answer.status_code == 500
        assert "kaynak secrets set oidc" in answer.text

    async def test_it_outlives_a_new_key_of_the_installation(self, house, admin, tmp_path):
        await house.identity.oidc_secret.put(OWNER, CLIENT_SECRET)
        await Secrets(house.catalog, MasterKeys(tmp_path / "secret.key")).rotate(OWNER)
        other = ClientSecret(house.catalog, Secrets(house.catalog, MasterKeys(tmp_path / "secret.key")), None)
        assert await other.current() == CLIENT_SECRET


async def test_the_setting_goes_before_the_one_that_is_kept(house, admin):
    assert house.identity.oidc_secret.configured
    await house.identity.oidc_secret.put(OWNER, "not " + CLIENT_SECRET)
    assert (await sign_in(house)).status_code == 200


class TestAnotherProvider:
    @pytest.fixture
    def options(self):
        return IdentityOptions(oidc=OidcOptions("http://127.0.0.1:1", CLIENT_ID))

    async def test_a_provider_that_is_away_is_said(self, house):
        assert (await house.client().get("/v1/auth/oidc/start")).status_code == 503

    async def test_without_a_provider_there_is_no_such_sign_in(self, house):
        from dataclasses import replace

        await house.identity.oidc.close()
        house.app.state.kaynak.identity = replace(house.identity, oidc=None)
        for path in ("start", "callback"):
            assert (await house.client().get(f"/v1/auth/oidc/{path}")).status_code == 404


async def test_what_answers_must_be_the_provider_in_the_settings(house, control):
    control(fault="another-name")
    answer = await house.client().get("/v1/auth/oidc/start")
    assert answer.status_code == 500
    assert answer.json()["type"].endswith("misconfigured")


@pytest.mark.parametrize("address", ["http://id.example.org", "ftp://127.0.0.1", "", None, 7, "https://"])
def test_addresses_on_which_others_could_listen_are_refused(address):
    from kaynak.domain import Misconfigured
    from kaynak.identity.oidc.provider import safe_address

    with pytest.raises(Misconfigured):
        safe_address(address)
