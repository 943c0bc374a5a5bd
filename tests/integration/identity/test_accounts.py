"""Own accounts, their sessions and keys; people and groups for those who administer them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kaynak.domain import OWNER, GenerationSpec, GlobalRole

pytestmark = pytest.mark.anyio
PASSWORD = "three unrelated words"


async def collection(house, name: str, **grants: object):
    """Makes a collection, and grants roles in it to principals by id."""
    async with house.catalog.begin() as unit:
        found = await unit.collections.create(name)
        await unit.generations.create(found, GenerationSpec(), "c", "e", 8)
        await unit.connection.exec_driver_sql("DELETE FROM kaynak.grants WHERE collection_id = %s", (found,))
        for role, (column, principal) in grants.items():
            await unit.connection.exec_driver_sql(
                f"INSERT INTO kaynak.grants (collection_id, principal_id, {column}, role) VALUES (%s, %s, %s, %s)",
                (found, principal, principal, role),
            )
    return found


async def scope_of(client, house):
    bearer = client.headers["Authorization"].removeprefix("Bearer ")
    return (await house.identity.callers.find(bearer, local=True)).scope


async def me(client) -> dict:
    found = await client.get("/v1/me")
    assert found.status_code == 200, found.text
    return found.json()


async def test_own_name_and_password(house, ayse):
    other = await house.signed_in("ayse@example.org")
    assert (await ayse.patch("/v1/me", json={"name": " Ayşe Y. "})).json()["name"] == "Ayşe Y."
    new = "four quite unrelated words"
    assert (await ayse.patch("/v1/me", json={"password": new})).status_code == 422
    wrong = await ayse.patch("/v1/me", json={"password": new, "old_password": "x"})
    assert wrong.status_code == 401
    for weak in ("short", "password1", "ayse@example.org"):
        answer = await ayse.patch("/v1/me", json={"password": weak, "old_password": PASSWORD})
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("weak-password")
    assert (await ayse.patch("/v1/me", json={"password": new, "old_password": PASSWORD})).status_code == 200
    assert (await me(ayse))["password"] is True
    assert (await other.get("/v1/me")).status_code == 401, "other sessions end"
    await house.tokens("ayse@example.org", new)
    for nobody_may in ({"role": "administrator"}, {"email": "x@example.org"}, {"active": True}, {"id": str(uuid4())}):
        assert (await ayse.patch("/v1/me", json=nobody_may)).status_code == 422


async def test_own_sessions_are_shown_and_ended(house, ayse):
    phone = await house.tokens("ayse@example.org", address="203.0.113.7")
    listed = (await ayse.get("/v1/me/sessions")).json()["items"]
    assert {item["address"] for item in listed} == {"127.0.0.1", "203.0.113.7"}
    assert [item["id"] for item in listed if item["current"]] == [ayse.session]
    assert all(item["device"].startswith("python-httpx") for item in listed)
    assert (await ayse.delete(f"/v1/me/sessions/{phone['session']}")).status_code == 204
    bearer = {"Authorization": f"Bearer {phone['access_token']}"}
    assert (await house.client().get("/v1/me", headers=bearer)).status_code == 401
    assert (await ayse.delete(f"/v1/me/sessions/{phone['session']}")).status_code == 404
    others = [await house.signed_in("ayse@example.org") for _ in range(2)]
    assert (await ayse.delete("/v1/me/sessions")).status_code == 204
    assert [(await other.get("/v1/me")).status_code for other in others] == [401, 401]
    assert (await ayse.get("/v1/me")).status_code == 200


async def test_sessions_and_keys_of_others_do_not_exist(house, admin, ayse):
    key = (await admin.post("/v1/me/keys", json={"name": "k"})).json()["key"]["id"]
    assert (await ayse.delete(f"/v1/me/sessions/{admin.session}")).status_code == 404
    assert (await ayse.delete(f"/v1/me/keys/{key}")).status_code == 404
    assert (await ayse.get("/v1/me/keys")).json()["items"] == []
    assert (await admin.get("/v1/me")).status_code == 200


async def test_when_a_session_was_last_used_is_noted_by_the_minute(house, ayse):
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql("UPDATE kaynak.sessions SET last_seen_at = now() - interval '2 hours'")
    before = datetime.now(UTC) - timedelta(minutes=1)
    item = (await ayse.get("/v1/me/sessions")).json()["items"][0]
    assert datetime.fromisoformat(item["last_seen_at"]) > before


async def test_a_key_acts_for_its_person_within_what_is_written_on_it(house, admin, ayse):
    person = (await me(ayse))["id"]
    handbook = await collection(house, "handbook", owner=("user_id", person))
    notes = await collection(house, "notes", editor=("user_id", person))
    await collection(house, "secret")
    body = {"name": "import", "permissions": ["documents.write"], "collections": ["handbook", "notes"]}
    made = await ayse.post("/v1/me/keys", json=body)
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith(made.json()["key"]["hint"].rstrip("…"))
    assert made.json()["key"]["permissions"] == ["documents.read", "documents.write"]
    for headers in ({"Authorization": f"Bearer {secret}"}, {"X-Api-Key": secret}):
        shown = (await house.client().get("/v1/me", headers=headers)).json()
        assert (shown["id"], shown["key"], shown["session"]) == (person, made.json()["key"]["id"], None)
        assert shown["permissions"] == []
    scope = (await house.identity.callers.find(secret, local=True)).scope
    assert scope.subject == f"user:{person}"
    assert scope.collections == scope.editable == {handbook, notes}
    assert scope.managed == frozenset()
    assert str(scope.key) == made.json()["key"]["id"]
    assert handbook in scope.principals
    for name, status in (("secret", 404), ("missing", 404)):
        answer = await ayse.post("/v1/me/keys", json={"name": "k", "collections": [name]})
        assert answer.status_code == status
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql("DELETE FROM kaynak.grants WHERE collection_id = %s", (notes,))
    assert (await house.identity.callers.find(secret, local=True)).scope.collections == {handbook}
    listed = (await ayse.get("/v1/me/keys")).json()["items"][0]
    assert listed["last_used_at"] is not None
    assert secret not in (await ayse.get("/v1/me/keys")).text


async def test_a_key_for_what_its_person_may_read_changes_nothing(house, ayse):
    person = (await me(ayse))["id"]
    handbook = await collection(house, "handbook", owner=("user_id", person))
    secret = (await ayse.post("/v1/me/keys", json={"name": "reader"})).json()["secret"]
    scope = (await house.identity.callers.find(secret, local=True)).scope
    assert (scope.collections, scope.editable, scope.managed) == ({handbook}, frozenset(), frozenset())
    assert scope.permissions == frozenset()


async def test_a_key_gains_nothing(house, admin, ayse):
    for wished in ("people.manage", "collections.every", "audit.read", "settings.manage"):
        answer = await ayse.post("/v1/me/keys", json={"name": "k", "permissions": [wished]})
        assert answer.status_code == 403
    assert (await ayse.post("/v1/me/keys", json={"name": "k", "permissions": ["root"]})).status_code == 422
    every = ["documents.read", "documents.write", "collection.manage", "collections.create", "people.manage"]
    secret = (await admin.post("/v1/me/keys", json={"name": "all", "permissions": every})).json()["secret"]
    key = house.client(headers={"Authorization": f"Bearer {secret}"})
    person = (await me(ayse))["id"]
    assert (await key.get("/v1/users")).status_code == 200
    for method, path, json in (
        ("POST", "/v1/me/keys", {"name": "another"}),
        ("GET", "/v1/me/keys", None),
        ("PATCH", "/v1/me", {"name": "x"}),
        ("PATCH", "/v1/me", {"password": "x" * 20, "old_password": PASSWORD}),
        ("GET", "/v1/me/sessions", None),
        ("DELETE", "/v1/me/sessions", None),
        ("POST", f"/v1/users/{person}/keys", {"name": "for Ayşe"}),
        ("POST", "/v1/users", {"email": "new@example.org", "role": "administrator", "password": PASSWORD}),
        ("PATCH", f"/v1/users/{person}", {"role": "administrator"}),
        ("PATCH", f"/v1/users/{person}", {"role": "auditor"}),
    ):
        answer = await key.request(method, path, json=json)
        assert answer.status_code == 403, (method, path, answer.text)
    administrator = (await me(admin))["id"]
    assert (await key.patch(f"/v1/users/{administrator}", json={"password": "x" * 10 + PASSWORD})).status_code == 403
    assert (await key.delete(f"/v1/users/{administrator}")).status_code == 403


async def test_a_key_ends_when_it_has_run_out_is_revoked_or_its_person_goes(house, admin, ayse):
    person = (await me(ayse))["id"]
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    assert (await ayse.post("/v1/me/keys", json={"name": "k", "expires_at": past})).status_code == 422
    assert (await ayse.post("/v1/me/keys", json={"name": "k", "expires_at": "2030-01-01T00:00:00"})).status_code == 422
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    keys = [(await ayse.post("/v1/me/keys", json={"name": "k", "expires_at": soon})).json() for _ in range(4)]
    clients = [house.client(headers={"x-api-key": key["secret"]}) for key in keys]
    assert [(await client.get("/v1/me")).status_code for client in clients] == [200] * 4
    assert (await ayse.delete(f"/v1/me/keys/{keys[0]['key']['id']}")).status_code == 204
    assert (await ayse.delete(f"/v1/me/keys/{keys[0]['key']['id']}")).status_code == 404
    assert (await admin.delete(f"/v1/users/{person}/keys/{keys[1]['key']['id']}")).status_code == 204
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE kaynak.api_keys SET expires_at = now() WHERE id = %s", (keys[2]["key"]["id"],)
        )
    assert [(await client.get("/v1/me")).status_code for client in clients] == [401, 401, 401, 200]
    assert len((await admin.get(f"/v1/users/{person}/keys")).json()["items"]) == 1
    await admin.patch(f"/v1/users/{person}", json={"active": False})
    assert (await clients[3].get("/v1/me")).status_code == 401
    assert (await house.client(headers={"x-api-key": "kyn_unknown"}).get("/v1/me")).status_code == 401


async def test_rights_come_from_grants_groups_and_the_tables_of_roles(house, admin, ayse):
    person = (await me(ayse))["id"]
    group = (await admin.post("/v1/groups", json={"name": "legal"})).json()["id"]
    own = await collection(house, "own", owner=("user_id", person))
    shared = await collection(house, "shared", viewer=("group_id", group))
    await collection(house, "hidden")
    scope = await scope_of(ayse, house)
    assert scope.collections == {own}
    assert scope.principals == {own, scope_person(scope)}
    assert (await admin.put(f"/v1/groups/{group}/members/{person}")).status_code == 204
    scope = await scope_of(ayse, house)
    assert (scope.collections, scope.editable, scope.managed) == ({own, shared}, {own}, {own})
    assert str(group) in {str(one) for one in scope.principals}
    assert scope.permissions == {"collections.create"}
    assert [found["name"] for found in (await me(ayse))["groups"]] == ["legal"]
    async with house.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "DELETE FROM kaynak.role_permissions WHERE role = 'member'; "
            "INSERT INTO kaynak.role_permissions VALUES ('viewer', 'documents.write'), ('member', 'from.the.future')"
        )
    try:
        scope = await scope_of(ayse, house)
        assert scope.editable == {own, shared}
        assert scope.permissions == frozenset()
    finally:
        async with house.catalog.begin() as unit:
            await unit.connection.exec_driver_sql(
                "DELETE FROM kaynak.role_permissions WHERE permission = 'from.the.future' "
                "OR (role = 'viewer' AND permission = 'documents.write'); "
                "INSERT INTO kaynak.role_permissions VALUES ('member', 'collections.create')"
            )
    assert (await admin.delete(f"/v1/groups/{group}/members/{person}")).status_code == 204
    assert (await scope_of(ayse, house)).collections == {own}
    everything = await scope_of(admin, house)
    assert (everything.collections, everything.principals) == (None, None)
    async with house.catalog.read() as unit:
        assert await unit.scopes.of_person(scope_person(scope)) is not None
        assert await unit.scopes.of_person(uuid4()) is None


def scope_person(scope):
    from uuid import UUID

    return UUID(scope.subject.removeprefix("user:"))


async def test_people_are_added_changed_and_removed(house, admin):
    body = {"email": " Mehmet@Example.ORG", "name": "Mehmet", "password": PASSWORD}
    added = await admin.post("/v1/users", json=body)
    assert added.status_code == 201
    found = (await admin.get(added.headers["location"])).json()
    assert (found["email"], found["role"], found["active"], found["password"]) == (
        "mehmet@example.org", "member", True, True,
    )  # fmt: skip
    assert (await admin.post("/v1/users", json=body)).status_code == 409
    assert PASSWORD not in added.text
    mehmet = await house.signed_in("mehmet@example.org")
    path = f"/v1/users/{found['id']}"
    changed = await admin.patch(path, json={"email": "m@example.org", "role": "auditor", "name": ""})
    assert (changed.json()["email"], changed.json()["role"], changed.json()["name"]) == ("m@example.org", "auditor", "")
    assert (await me(mehmet))["permissions"] == ["audit.read"], "rights are those of now"
    assert (await admin.patch(path, json={"email": "admin@example.org"})).status_code == 409
    sessions = (await admin.get(f"{path}/sessions")).json()["items"]
    assert [item["current"] for item in sessions] == [False]
    assert (await admin.delete(f"{path}/sessions/{sessions[0]['id']}")).status_code == 204
    assert (await admin.delete(f"{path}/sessions/{sessions[0]['id']}")).status_code == 404
    assert (await mehmet.get("/v1/me")).status_code == 401
    mehmet = await house.signed_in("m@example.org")
    assert (await admin.delete(f"{path}/sessions")).status_code == 204
    assert (await mehmet.get("/v1/me")).status_code == 401
    mehmet = await house.signed_in("m@example.org")
    assert (await admin.patch(path, json={"password": "four quite unrelated words"})).status_code == 200
    assert (await mehmet.get("/v1/me")).status_code == 401
    tokens = await house.tokens("m@example.org", "four quite unrelated words")
    assert (await admin.patch(path, json={"active": False})).json()["active"] is False
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await house.client().get("/v1/me", headers=bearer)).status_code == 401
    assert (await admin.post(f"{path}/keys", json={"name": "k"})).status_code == 422
    assert (await admin.patch(path, json={"active": True})).status_code == 200
    assert (await house.client().get("/v1/me", headers=bearer)).status_code == 401, "its sessions have ended"
    assert (await admin.delete(path)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert (await admin.request(method, path, json={} if method == "PATCH" else None)).status_code == 404
    for inner in ("sessions", "keys"):
        assert (await admin.get(f"{path}/{inner}")).status_code == 404


async def test_what_is_no_address_or_name_is_refused(house, admin):
    for body in (
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "x" * 260 + "@example.org"},
        {"email": "a b@example.org"},
        {"email": "a@example.org", "name": "x" * 201},
        {"email": "a@example.org", "name": "two\nlines"},
        {"email": "a@example.org", "role": "owner"},
        {"email": "a@example.org", "password": "password"},
        {"email": "a@example.org", "unknown": 1},
    ):
        assert (await admin.post("/v1/users", json=body)).status_code == 422, body


async def test_only_administrators_administer(house, admin, ayse):
    person = (await me(admin))["id"]
    group = (await admin.post("/v1/groups", json={"name": "g"})).json()["id"]
    for method, path, json in (
        ("GET", "/v1/users", None),
        ("POST", "/v1/users", {"email": "x@example.org"}),
        ("GET", f"/v1/users/{person}", None),
        ("PATCH", f"/v1/users/{person}", {"active": False}),
        ("DELETE", f"/v1/users/{person}", None),
        ("GET", f"/v1/users/{person}/sessions", None),
        ("DELETE", f"/v1/users/{person}/sessions", None),
        ("DELETE", f"/v1/users/{person}/sessions/{admin.session}", None),
        ("GET", f"/v1/users/{person}/keys", None),
        ("POST", f"/v1/users/{person}/keys", {"name": "k"}),
        ("DELETE", f"/v1/users/{person}/keys/{uuid4()}", None),
        ("GET", "/v1/groups", None),
        ("POST", "/v1/groups", {"name": "x"}),
        ("GET", f"/v1/groups/{group}", None),
        ("PATCH", f"/v1/groups/{group}", {"name": "y"}),
        ("DELETE", f"/v1/groups/{group}", None),
        ("GET", f"/v1/groups/{group}/members", None),
        ("PUT", f"/v1/groups/{group}/members/{person}", None),
        ("DELETE", f"/v1/groups/{group}/members/{person}", None),
    ):
        assert (await ayse.request(method, path, json=json)).status_code == 403, (method, path)
        assert (await house.client().request(method, path, json=json)).status_code == 401, (method, path)


async def test_the_last_administrator_stays(house, admin):
    person = (await me(admin))["id"]
    for body in ({"role": "member"}, {"active": False}):
        assert (await admin.patch(f"/v1/users/{person}", json=body)).status_code == 409
    assert (await admin.delete(f"/v1/users/{person}")).status_code == 409
    second = await house.add("second@example.org", GlobalRole.ADMINISTRATOR)
    assert (await admin.patch(f"/v1/users/{person}", json={"role": "member"})).status_code == 200
    assert (await admin.get("/v1/users")).status_code == 403
    await house.identity.people.delete(OWNER, (await house.identity.people.find(OWNER, "admin@example.org")).id)
    await house.identity.people.delete(OWNER, second.id)
    assert await house.identity.people.list(OWNER, after=None, limit=5) == []
    assert (await house.client().get("/v1/users")).status_code == 401, "a server that had people does not open again"


async def test_lists_come_in_pages(house, admin):
    for number in range(4):
        await house.add(f"p{number}@example.org", password=None)
        await admin.post("/v1/groups", json={"name": f"group {number}"})
    group = (await admin.get("/v1/groups")).json()["items"][0]["id"]
    for person in (await admin.get("/v1/users")).json()["items"]:
        await admin.put(f"/v1/groups/{group}/members/{person['id']}")
    for path, count in (("/v1/users", 5), ("/v1/groups", 4), (f"/v1/groups/{group}/members", 5)):
        seen, after = [], None
        while True:
            page = (await admin.get(path, params={"limit": 2, **({"after": after} if after else {})})).json()
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert len(seen) == len(set(seen)) == count


async def test_groups(house, admin):
    made = await admin.post("/v1/groups", json={"name": " legal ", "description": "Contracts", "claim": "dep-legal"})
    assert made.status_code == 201
    group = made.json()
    assert (group["name"], group["claim"], group["members"]) == ("legal", "dep-legal", 0)
    assert (await admin.post("/v1/groups", json={"name": "legal"})).status_code == 409
    assert (await admin.post("/v1/groups", json={"name": "x", "claim": "dep-legal"})).status_code == 409
    assert (await admin.post("/v1/groups", json={"name": " "})).status_code == 422
    path = made.headers["location"]
    person = (await house.add("a@example.org")).id
    assert (await admin.put(f"{path}/members/{person}")).status_code == 204
    assert (await admin.put(f"{path}/members/{person}")).status_code == 204
    assert (await admin.put(f"{path}/members/{uuid4()}")).status_code == 404
    members = (await admin.get(f"{path}/members")).json()["items"]
    assert members == [{"id": str(person), "email": "a@example.org", "name": "", "by_claim": False}]
    changed = await admin.patch(path, json={"name": "law", "claim": ""})
    assert (changed.json()["name"], changed.json()["claim"], changed.json()["members"]) == ("law", None, 1)
    assert (await admin.delete(f"{path}/members/{person}")).status_code == 204
    assert (await admin.delete(f"{path}/members/{person}")).status_code == 404
    assert (await admin.delete(path)).status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        assert (await admin.request(method, path, json={} if method == "PATCH" else None)).status_code == 404


class TestBrowsers:
    """Cookies, and what other sites cannot do with them."""

    @staticmethod
    async def browser(house, **options):
        client = house.client(**options)
        body = {"email": "admin@example.org", "password": PASSWORD, "cookie": True}
        found = await client.post("/v1/auth/sign-in", json=body, headers={"X-Kaynak-Request": "1"})
        assert found.status_code == 200
        return client, found

    async def test_a_browser_keeps_tokens_that_no_script_can_read(self, house, admin):
        for tls in (False, True):
            client, answer = await self.browser(house, tls=tls)
            assert answer.json()["access_token"] is None
            assert answer.json()["refresh_token"] is None
            cookies = answer.headers.get_list("set-cookie")
            assert len(cookies) == 2
            for cookie in cookies:
                assert "HttpOnly" in cookie
                assert "SameSite=strict" in cookie
                assert "Path=/" in cookie
                assert ("Secure" in cookie) is tls
                assert cookie.startswith("__Host-kaynak_" if tls else "kaynak_")
            assert (await client.get("/v1/me")).json()["email"] == "admin@example.org"

    async def test_what_changes_something_needs_a_header_that_other_sites_cannot_send(self, house, admin):
        client, _ = await self.browser(house)
        good = {"X-Kaynak-Request": "1", "Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
        assert (await client.patch("/v1/me", json={"name": "A"}, headers=good)).status_code == 200
        for headers in (
            {},
            {"Origin": "http://127.0.0.1:8000"},
            {**good, "Origin": "http://localhost:8000"},
            {**good, "Origin": "null"},
            {**good, "Sec-Fetch-Site": "cross-site"},
            {**good, "Sec-Fetch-Site": "same-site"},
        ):
            for method, path in (("PATCH", "/v1/me"), ("POST", "/v1/auth/refresh"), ("POST", "/v1/auth/sign-out")):
                answer = await client.request(method, path, json={}, headers=headers)
                assert answer.status_code == 403, (method, path, headers)
                assert answer.json()["type"].endswith("cross-origin-refused")
        body = {"email": "admin@example.org", "password": PASSWORD, "cookie": True}
        assert (await house.client().post("/v1/auth/sign-in", json=body)).status_code == 403

    async def test_a_browser_refreshes_and_signs_out(self, house, admin):
        client, _ = await self.browser(house)
        header = {"X-Kaynak-Request": "1"}
        before = dict(client.cookies)
        refreshed = await client.post("/v1/auth/refresh", headers=header)
        assert refreshed.status_code == 200
        assert refreshed.json()["refresh_token"] is None
        assert client.cookies["kaynak_refresh"] != before["kaynak_refresh"]
        assert (await client.get("/v1/me")).status_code == 200
        assert (await client.post("/v1/auth/sign-out", headers=header)).status_code == 204
        assert not client.cookies
        for name, value in before.items():
            client.cookies.set(name, value)
        assert (await client.get("/v1/me")).status_code == 401

    async def test_a_header_goes_before_the_cookie(self, house, admin):
        client, _ = await self.browser(house)
        assert (await client.get("/v1/me", headers={"Authorization": "Bearer nonsense"})).status_code == 401
        assert (await client.get("/v1/me", headers={"Authorization": "Basic eDp5"})).status_code == 200


async def test_the_dialect_of_openai_and_mcp_ask_for_the_same(house, admin):
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings")):
        body = {"model": "x", "messages": [{"role": "user", "content": "?"}]} if "chat" in path else None
        body = {"model": "x", "input": "y"} if "embed" in path else body
        answer = await house.client().request(method, path, json=body)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await house.client().post("/mcp", json={})).status_code == 401


async def test_every_route_asks_who_it_is_but_for_those_that_cannot(house, admin):
    """Also of routes that are yet to come: nobody who is not signed in gets past one that is not on this list."""
    open_to_all = {
        "/health", "/ready", "/v1/auth/sign-in", "/v1/auth/refresh", "/v1/auth/sign-out", "/v1/auth/setup",
        "/v1/auth/oidc/start", "/v1/auth/oidc/callback",
    }  # fmt: skip
    document = house.app.openapi()
    assert {"bearer", "key", "cookie"} <= set(document["components"]["securitySchemes"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            secured = bool(operation.get("security"))
            assert secured is (path not in open_to_all), (method, path)
            if secured:
                assert "401" in operation["responses"]
