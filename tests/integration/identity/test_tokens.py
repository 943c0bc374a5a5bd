"""What an access token must be to be believed, and what becomes of refresh tokens."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kaynak.catalog import MasterKeys, Secrets
from kaynak.identity import Identity, IdentityOptions

pytestmark = pytest.mark.anyio


async def parts(house, **changes) -> tuple[dict, dict]:
    """Headers and claims of a good token, changed."""
    token = (await house.tokens("admin@example.org"))["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    return changed(jwt.get_unverified_header(token), claims, changes)


def changed(headers: dict, claims: dict, changes: dict) -> tuple[dict, dict]:
    headers, claims = dict(headers), dict(claims)
    for name, value in changes.items():
        where = headers if name in ("kid", "typ") else claims
        if value is None:
            where.pop(name, None)
        else:
            where[name] = value
    return headers, claims


async def signed(house, **changes) -> str:
    """A token signed with the real key."""
    headers, claims = await parts(house, **changes)
    key = await house.identity.signing.current()
    headers.pop("alg", None)
    return jwt.encode(claims, key.private, algorithm=key.algorithm, headers=headers)


async def status(house, token: str) -> int:
    client = house.client()
    return (await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).status_code


async def test_a_token_signed_as_it_should_be_is_believed(house, admin):
    assert await status(house, await signed(house)) == 200


WRONG = (
    {"iss": "somebody else"},
    {"iss": None},
    {"aud": "another service"},
    {"aud": ["kaynak", "another service"]},
    {"aud": None},
    {"exp": datetime.now(UTC) - timedelta(minutes=1)},
    {"exp": None},
    {"exp": "soon"},
    {"nbf": datetime.now(UTC) + timedelta(days=1)},
    {"nbf": None},
    {"iat": datetime.now(UTC) + timedelta(days=1)},
    {"iat": None},
    {"sub": None},
    {"sub": "user:1"},
    {"sub": str(uuid4())},
    {"sid": None},
    {"sid": str(uuid4())},
    {"sid": ["x"]},
    {"jti": None},
    {"typ": "JWT"},
    {"typ": "id_token"},
    {"typ": None},
    {"kid": None},
    {"kid": "unknown"},
    {"kid": "../../secret.key"},
    {"kid": "x' OR '1'='1"},
    {"kid": "x" * 65},
    {"kid": ""},
)


async def test_a_token_that_is_not_ours_or_not_for_now_is_refused(house, admin):
    headers, claims = await parts(house)
    key = await house.identity.signing.current()
    headers.pop("alg")
    believed = []
    for changes in WRONG:
        changed_headers, changed_claims = changed(headers, claims, changes)
        token = jwt.encode(changed_claims, key.private, algorithm=key.algorithm, headers=changed_headers)
        if await status(house, token) != 401:
            believed.append(changes)
    assert believed == []


async def test_the_algorithm_is_the_keys_and_not_the_tokens(house, admin):
    headers, claims = await parts(house)
    headers.pop("alg")
    key = await house.identity.signing.current()
    public = key.public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def by_hand(secret: bytes, algorithm: str) -> str:
        """As an attacker would: libraries refuse to use a public key as a secret."""
        import hashlib
        import hmac

        head = encoded({**headers, "alg": algorithm})
        body = encoded(claims)
        made = hmac.new(secret, f"{head}.{body}".encode(), hashlib.sha256).digest()
        return f"{head}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"

    for secret in (public, pem, b""):
        for algorithm in ("HS256", "EdDSA", "none", "HS512"):
            assert await status(house, by_hand(secret, algorithm)) == 401
    unsigned = jwt.encode(claims, None, algorithm="none", headers=headers)
    assert await status(house, unsigned) == 401
    assert await status(house, unsigned.rstrip(".")) == 401


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


async def test_a_key_that_the_token_brings_along_is_not_used(house, admin):
    headers, claims = await parts(house)
    headers.pop("alg")
    own = Ed25519PrivateKey.generate()
    public = own.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(public).decode().rstrip("=")}
    for extra in ({}, {"jwk": jwk}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/x"}):
        token = jwt.encode(claims, own, algorithm="EdDSA", headers={**headers, **extra})
        assert await status(house, token) == 401


async def test_nonsense_is_refused_and_is_no_failure_of_ours(house, admin):
    client = house.client()
    for token in ("x", "a.b.c", "....", "x" * 5000, "é", "eyJhbGciOiJub25lIn0.e30."):
        answer = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401


async def test_names_of_keys_that_nobody_knows_are_not_looked_up_again_and_again(house, admin, monkeypatch):
    token = await signed(house, kid="unknown")
    reads = 0
    read = house.identity.signing._read

    async def counted():
        nonlocal reads
        reads += 1
        await read()

    monkeypatch.setattr(house.identity.signing, "_read", counted)
    for _ in range(20):
        assert await status(house, token) == 401
    assert reads <= 1


async def test_a_new_key_takes_over_and_tokens_of_the_old_one_run_out(house, admin):
    before = (await house.tokens("admin@example.org"))["access_token"]
    await house.identity.signing.rotate()
    after = (await house.tokens("admin@example.org"))["access_token"]
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    assert await status(house, before) == 200
    assert await status(house, after) == 200
    await house.identity.signing.rotate(distrust=True)
    assert await status(house, before) == 401
    assert await status(house, after) == 401
    assert await status(house, (await house.tokens("admin@example.org"))["access_token"]) == 200


async def test_a_key_is_replaced_when_it_is_due_and_removed_when_nothing_needs_it(house, admin, tmp_path):
    token = (await house.tokens("admin@example.org"))["access_token"]
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql("UPDATE kaynak.signing_keys SET created_at = now() - interval '31 days'")
    vault = Secrets(house.catalog, MasterKeys(tmp_path / "secret.key"))
    other = Identity.over(house.catalog, vault, IdentityOptions())
    later = await other.signing.current()
    assert later.kid != jwt.get_unverified_header(token)["kid"]
    found = await other.callers.find(token, local=True)
    assert found.session is not None
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE kaynak.signing_keys SET retired_at = now() - interval '1 hour' WHERE retired_at IS NOT NULL"
        )
    await other.signing.rotate()
    async with house.catalog.read() as unit:
        kids = [row.kid for row in await unit.signing_keys.all()]
    assert jwt.get_unverified_header(token)["kid"] not in kids
    assert len(kids) == 2
    await other.close()


async def test_several_processes_at_once_make_one_key(house, tmp_path):
    vault = Secrets(house.catalog, MasterKeys(tmp_path / "secret.key"))
    all_of_them = [Identity.over(house.catalog, vault, IdentityOptions()) for _ in range(6)]
    kids = {key.kid for key in await asyncio.gather(*(one.signing.current() for one in all_of_them))}
    assert len(kids) == 1
    for one in all_of_them:
        await one.close()


async def test_another_key_of_the_installation_makes_new_signing_keys(house, admin, tmp_path):
    other = Identity.over(
        house.catalog, Secrets(house.catalog, MasterKeys(tmp_path / "unused", "x" * 40)), IdentityOptions()
    )
    key = await other.signing.current()
    assert key.kid != (await house.identity.signing.current()).kid
    await other.close()


class TestHs256:
    @pytest.fixture
    def options(self):
        return IdentityOptions(algorithm="HS256")

    async def test_tokens_may_be_signed_with_a_secret(self, house, admin):
        token = await signed(house)
        assert jwt.get_unverified_header(token)["alg"] == "HS256"
        assert await status(house, token) == 200
        headers, claims = await parts(house)
        headers.pop("alg")
        forged = jwt.encode(claims, "another secret of thirty-two bytes", algorithm="HS256", headers=headers)
        assert await status(house, forged) == 401
        longer = jwt.encode(
            claims, (await house.identity.signing.current()).private * 2, algorithm="HS512", headers=headers
        )
        assert await status(house, longer) == 401

    async def test_changing_the_setting_changes_the_key(self, house, admin, tmp_path):
        token = await signed(house)
        other = Identity.over(
            house.catalog, Secrets(house.catalog, MasterKeys(tmp_path / "secret.key")), IdentityOptions()
        )
        assert (await other.signing.current()).algorithm == "EdDSA"
        assert (await other.callers.find(token, local=True)).person is not None
        await other.close()


async def refresh(house, token: str, **options):
    return await house.client(**options).post("/v1/auth/refresh", json={"refresh_token": token})


async def test_refreshing_goes_on_with_the_session(house, admin):
    first = await house.tokens("admin@example.org")
    second = (await refresh(house, first["refresh_token"])).json()
    assert second["session"] == first["session"]
    assert second["refresh_token"] != first["refresh_token"]
    assert await status(house, second["access_token"]) == 200
    third = await refresh(house, second["refresh_token"])
    assert third.status_code == 200


async def test_a_token_that_is_shown_again_ends_its_session_for_everybody(house, admin):
    first = await house.tokens("admin@example.org")
    second = (await refresh(house, first["refresh_token"])).json()
    assert (await refresh(house, first["refresh_token"])).status_code == 401
    assert await status(house, second["access_token"]) == 401
    assert (await refresh(house, second["refresh_token"])).status_code == 401
    assert (await admin.get("/v1/me")).status_code == 200, "other sessions go on"
    async with house.catalog.read() as unit:
        why = await unit.connection.exec_driver_sql(
            "SELECT revoked_why FROM kaynak.sessions WHERE id = %s", (first["session"],)
        )
        assert why.scalar_one() == "reuse"


async def test_of_two_at_once_exactly_one_wins(house, admin):
    for _ in range(5):
        token = (await house.tokens("admin@example.org"))["refresh_token"]
        answers = await asyncio.gather(*(refresh(house, token) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_unknown_tokens_are_refused_and_those_of_the_other_kind_too(house, admin):
    for token in ("kyr_unknown", "x", " "):
        assert (await refresh(house, token)).status_code == 401
    tokens = await house.tokens("admin@example.org")
    assert (await refresh(house, tokens["access_token"])).status_code == 401
    assert await status(house, tokens["refresh_token"]) == 401


async def test_a_session_ends_when_it_is_not_used(house, admin):
    tokens = await house.tokens("admin@example.org")
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE kaynak.sessions SET expires_at = now() - interval '1 second' WHERE id = %s", (tokens["session"],)
        )
    assert await status(house, tokens["access_token"]) == 401
    assert (await refresh(house, tokens["refresh_token"])).status_code == 401


async def test_signing_out_ends_the_session_at_once(house, admin):
    tokens = await house.tokens("admin@example.org")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await house.client().post("/v1/auth/sign-out", headers=bearer)).status_code == 204
    assert await status(house, tokens["access_token"]) == 401
    assert (await refresh(house, tokens["refresh_token"])).status_code == 401
    assert (await house.client().post("/v1/auth/sign-out", headers=bearer)).status_code == 401
    more = await house.tokens("admin@example.org")
    body = {"refresh_token": more["refresh_token"]}
    assert (await house.client().post("/v1/auth/sign-out", json=body)).status_code == 204
    assert await status(house, more["access_token"]) == 401


async def test_no_token_is_kept_as_it_is(house, admin):
    tokens = await house.tokens("admin@example.org")
    async with house.catalog.read() as unit:
        for table in ("refresh_tokens", "sessions", "users", "signing_keys"):
            rows = (await unit.connection.exec_driver_sql(f"SELECT t::text FROM kaynak.{table} t")).scalars().all()
            for row in rows:
                assert tokens["refresh_token"] not in row
                assert tokens["access_token"] not in row
