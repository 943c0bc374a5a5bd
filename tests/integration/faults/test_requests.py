"""Requests that mean nothing, and many of them at once: refused with the place of the fault, and forgotten."""

from __future__ import annotations

import asyncio
import json

import pytest

HUGE = "lighthouse " * 9_100  # 100,100 characters
DEEP: dict[str, object] = {"a": 1}
for _ in range(500):
    DEEP = {"$not": DEEP}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"query": HUGE}, "invalid-query"),
        ({"query": ""}, "invalid-query"),
        ({"query": " \n\t\u3000"}, "invalid-query"),
        ({"collections": ["nowhere-at-all"]}, "collection-not-found"),
        ({"collections": []}, "invalid-request"),
        ({"filter": {"a": {"$where": "1"}}}, "invalid-filter"),
        ({"filter": {"$or": []}}, "invalid-filter"),
        ({"filter": {"a": {"$in": "not a list"}}}, "invalid-filter"),
        ({"filter": ["not", "an", "object"]}, "invalid"),
        ({"filter": DEEP}, "invalid"),
        ({"limit": 0}, "invalid-request"),
        ({"offset": 10**9}, "invalid-request"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_search_that_cannot_be_answered_says_why(service, change, kind: str) -> None:
    name = service.collection()
    body = {"query": "lighthouse", "collections": [name], **change}
    answer = service.ask("POST", "/v1/search", json=body)
    assert answer.status_code in {404, 422}, answer.text
    assert answer.json()["type"].startswith(f"urn:kaynak:error:{kind}")
    assert answer.json()["hint"], answer.text
    assert HUGE[:100] not in answer.text
    if {"query", "filter"} & set(change):
        more = {"filter": body["filter"]} if "filter" in body else {}
        refused = service.ask("POST", "/v1/ask", json={"question": body["query"], "collections": [name], **more})
        assert (refused.status_code, refused.json()["type"]) == (422, answer.json()["type"])
        # A client refuses to send an address that is longer than this.
        params = {"q": body["query"][:9000], "collection": name, **{key: json.dumps(more[key]) for key in more}}
        if len(str(params)) < 20_000:
            assert service.ask("GET", "/v1/search", params=params).status_code == 422
    service.works(name)


def test_uploads_to_an_unknown_collection_keep_nothing(service) -> None:
    name = service.collection()
    before = sorted((service.settings.data_dir / "blobs").rglob("*"))
    path = "/v1/collections/nowhere-at-all/documents"
    for body in ({"files": [("file", ("a.txt", b"Homeless."))]}, {"json": {"external_id": "a", "text": "Homeless."}}):
        answer = service.ask("POST", path, **body)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:kaynak:error:collection-not-found")
        assert answer.json()["hint"]
    assert sorted((service.settings.data_dir / "blobs").rglob("*")) == before
    service.works(name)


def test_odd_queries_are_only_words(service) -> None:
    name = service.collection()
    for query in (
        "אור \u202eשלום 🦔",
        "👩‍👩‍👧‍👦" * 200,
        "a" * 8192,
        "\"'`$(rm -rf)%s{0}\\",
        "AND OR NOT ( *",
        "¿" * 8000,
    ):
        answer = service.ask("POST", "/v1/search", json={"query": query, "collections": [name]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["degraded"] == []
    service.works(name)


def test_one_id_from_many_at_once_is_one_document(service) -> None:
    name = service.collection()
    path = f"/v1/collections/{name}/documents"

    async def burst() -> list[object]:
        sends = []
        for number in range(24):
            text = f"The falcon carries parcel {number % 4}."
            if number % 2:
                sends.append(service.asked("POST", path, json={"external_id": "same.txt", "text": text}))
            else:
                sends.append(service.asked("POST", path, files=[("file", ("same.txt", text.encode()))]))
        return await asyncio.gather(*sends)

    answers = service.run(burst())
    assert {answer.status_code for answer in answers} <= {200, 202}
    for answer in answers:
        if answer.status_code == 202:
            service.finished(answer.json()["job"]["id"])
    assert sorted(service.documents(name)) == ["anchor.txt", "same.txt"]
    text = service.text(name, "same.txt")
    hits = service.found(name, "falcon parcel", limit=50)
    assert [hit["text"] for hit in hits if hit["external_id"] == "same.txt"] == [text]
    service.works(name)


def test_making_and_removing_one_collection_at_once_leaves_it_or_not(service) -> None:
    name = service.collection()

    async def burst() -> list[int]:
        asks = []
        for _ in range(6):
            asks.append(service.asked("POST", "/v1/collections", json={"name": "contested"}))
            asks.append(service.asked("DELETE", "/v1/collections/contested"))
            asks.append(service.asked("POST", "/v1/search", json={"query": "x", "collections": ["contested"]}))
        return [answer.status_code for answer in await asyncio.gather(*asks)]

    statuses = service.run(burst())
    assert set(statuses) <= {200, 201, 204, 404, 409, 503}, statuses
    service.ask("DELETE", "/v1/collections/contested")
    assert service.ask("GET", "/v1/collections/contested").status_code == 404
    service.works(name)


def test_numbers_of_more_than_64_bits_come_back_as_they_were(service) -> None:
    name = service.collection()
    sent = {"wide": 1e30, "least": -(2**63), "most": 2**64 - 1, "small": 1e-300, "list": [{"n": 1e200}]}
    document = service.found(name, "steps of the lighthouse")[0]["document_id"]
    assert service.ask("PATCH", f"/v1/documents/{document}", json={"metadata": sent}).status_code == 200
    service.works(name)  # the indexes have followed
    shown = service.ask("GET", f"/v1/documents/{document}").json()["metadata"]
    found = next(hit for hit in service.found(name, "steps of the lighthouse") if hit["document_id"] == document)
    listed = service.ask("GET", f"/v1/collections/{name}/documents").json()["items"]
    for metadata in (shown, found["metadata"], next(one for one in listed if one["id"] == document)["metadata"]):
        assert metadata == sent
    filtered = {"query": "lighthouse", "collections": [name], "filter": {"wide": {"$gt": 1e29}}}
    assert [hit["document_id"] for hit in service.ask("POST", "/v1/search", json=filtered).json()["hits"]] == [document]
