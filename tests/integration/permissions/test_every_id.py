"""Every address of the API that has an id in it, taken from its OpenAPI document and tried with ids of others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from kaynak.catalog import EmbeddedPostgres
from kaynak.logs import configure_logs
from kaynak.testing.proof import Caller, Company, looking
from kaynak.testing.proof.company import opened

pytestmark = pytest.mark.anyio

ADMINISTRATION = ("/v1/users", "/v1/groups", "/v1/providers", "/v1/budgets", "/v1/audit")
"""What whoever may not administer is refused, whatever the id: it says nothing about ids."""


@pytest.fixture(scope="module")
def ids_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    admin = postgres.url.replace("/kaynak?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE every_id TEMPLATE kaynak STRATEGY file_copy")
    yield postgres.url.replace("/kaynak?", "/every_id?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE every_id WITH (FORCE)")


@pytest.fixture(scope="module")
async def house(ids_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Company]:
    configure_logs("CRITICAL", "json")
    async with opened(tmp_path_factory.mktemp("ids"), ids_url) as kaynak, Company.of(kaynak) as company:
        yield company


async def belongings(house: Company, owner: Caller) -> dict[str, str]:
    """Returns ids of what somebody has, by the names that they have in addresses."""
    room = await house.room(owner)
    assert room is not None
    document = await house.add(owner, room, "falcon", readers=())
    assert document is not None
    await house.index()
    await looking.opens(house, owner, document)
    talk = await looking.converses(house, owner, room, "falcon")
    assert talk is not None
    messages = (await house.call(owner, "GET", f"/v1/conversations/{talk}/messages")).json()["items"]
    asked = {"question": "What is the falcon called?", "collections": [room.name], "fresh": True}
    begun = await house.call(owner, "POST", "/v1/ask", json=asked, headers={"Accept": "text/event-stream"})
    key = await house.key(owner, ["documents.read"], None)
    assert key is not None
    assert owner.person is not None
    return {
        "collection": room.name,
        "document_id": document.id,
        "version_id": min(document.versions),
        "job_id": next(iter(house.model.jobs)),
        "conversation": talk,
        "message": messages[-1]["id"],
        "stream": begun.headers["x-stream-id"],
        "session": owner.id,
        "key": key.id,
        "person": owner.person.id,
        "group": house.groups[await house.group(f"theirs of {owner.person.email}")],
        "principal": owner.person.email,
        "provider": "openai",
        "number": "1",
        "generation": "1",
        "kind": "installation",
        "period": "day",
    }


def operations(document: dict[str, Any], ids: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields method, path and what else to send, for each operation with an id in its address."""
    for path, methods in document["paths"].items():
        names = re.findall(r"\{(\w+)\}", path)
        if not names:
            continue
        for method, operation in methods.items():
            yield method.upper(), path.format_map(ids), sent(document, operation)


def sent(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Returns parameters and a body that would be accepted."""
    given: dict[str, Any] = {}
    parameters = {one["name"]: 1 for one in operation.get("parameters", ()) if one["in"] == "query" and one["required"]}
    if parameters:
        given["params"] = parameters | ({"start": 0, "end": 5} if "start" in parameters else {})
    kinds = operation.get("requestBody", {}).get("content", {})
    if "application/json" in kinds:
        name = kinds["application/json"]["schema"]["$ref"].rpartition("/")[2]
        given["json"] = document["components"]["schemas"][name]["examples"][0]
    return given


async def test_what_belongs_to_others_is_not_there_at_any_address(house: Company) -> None:
    await house.begin()
    owner, stranger = await house.hire(), await house.hire()
    ids = await belongings(house, owner)
    document = (await house.call(stranger, "GET", "/openapi.json")).json()
    tried = 0
    for method, path, more in operations(document, ids):
        # Fetching from the web is not allowed here, whatever the collection.
        anyway = path.startswith(ADMINISTRATION) or path.endswith("/documents/url")
        # Which providers there are is no secret; their keys are.
        refused = (200, 403) if path == "/v1/providers/openai" else (403,) if anyway else (404,)
        await house.call(stranger, method, path, expect=refused, **more)
        await house.call(house.nobody, method, path, **more)
        tried += 1
    assert tried >= 40
    # It is all there still, and its owner may do it.
    for path in ("collections/{collection}", "documents/{document_id}", "conversations/{conversation}"):
        await house.call(owner, "GET", "/v1/" + path.format_map(ids), expect=200)
    for path in ("me/keys", "me/sessions"):
        assert (await house.call(owner, "GET", f"/v1/{path}")).json()["items"]


async def test_an_id_of_another_kind_or_of_nobody_looks_the_same(house: Company) -> None:
    await house.begin()
    owner, stranger = await house.hire(), await house.hire()
    ids = await belongings(house, owner)
    for path, name in (
        ("/v1/documents/{}", "document_id"),
        ("/v1/documents/{}/text", "document_id"),
        ("/v1/jobs/{}", "job_id"),
        ("/v1/conversations/{}", "conversation"),
        ("/v1/citations/{}?start=0&end=5", "version_id"),
    ):
        told = []
        for identity in (ids[name], "01a21bb1-0000-7000-8000-000000000000"):
            answer = await house.call(stranger, "GET", path.format(identity), expect=404)
            told.append({**answer.json(), "request_id": "", "detail": answer.json()["detail"].replace(identity, "…")})
        assert told[0] == told[1]


async def test_nobody_gives_themselves_what_they_do_not_have(house: Company) -> None:
    """Fields beside those that are documented are refused, and so are documented ones that would give rights."""
    await house.begin()
    person = await house.hire()
    assert person.person is not None
    for more in ({"role": "administrator"}, {"active": True}, {"id": house.admin.id}, {"permissions": ["audit.read"]}):
        await house.call(person, "PATCH", "/v1/me", json={"name": "Me", **more}, expect=422)
    own = f"/v1/users/{person.person.id}"
    await house.call(person, "PATCH", own, json={"role": "administrator"}, expect=403)
    asked = {"name": "A key", "permissions": ["people.manage"]}
    await house.call(person, "POST", "/v1/me/keys", json=asked, expect=403)
    body = {"name": "mine", "owner": house.admin.id}
    await house.call(person, "POST", "/v1/collections", json=body, expect=422)
    assert (await house.call(person, "GET", "/v1/me", expect=200)).json()["role"] == "member"
