"""What one may not read is not there, whichever door one tries."""

from __future__ import annotations

import json

import pytest

from kaynak.domain import OWNER

pytestmark = pytest.mark.anyio

ANNA, EMRE, VERA, HUGO, NINA, ROOT = (
    f"{name}@example.org" for name in ("anna", "emre", "vera", "hugo", "nina", "root")
)
NAMES = {"shared.txt", "salaries.txt", "board.txt"}
READS = {
    None: NAMES,
    ANNA: NAMES,
    ROOT: NAMES,
    EMRE: {"shared.txt"},
    VERA: {"shared.txt"},
    HUGO: {"shared.txt", "salaries.txt"},
}
HIDDEN = {who: NAMES - names for who, names in READS.items()}
WORDS = {"salaries.txt": ("moonstones", "salaries"), "board.txt": ("Sunderland", "board.txt")}
QUESTIONS = {
    "shared.txt": "When is lunch served?",
    "salaries.txt": "How much does the director earn every month?",
    "board.txt": "Which plant will be closed?",
}


def tells(answer, who):
    """Returns the words of hidden documents that an answer has."""
    return [word for name in HIDDEN[who] for word in WORDS[name] if word in answer.text]


@pytest.mark.parametrize("who", READS)
async def test_lists_and_counts_hold_what_may_be_read_and_nothing_else(company, handbook, who):
    listed = await company.call(who, "GET", f"/v1/collections/{handbook}/documents")
    assert {one["external_id"] for one in listed.json()["items"]} == READS[who]
    shown = (await company.call(who, "GET", f"/v1/collections/{handbook}")).json()
    assert shown["documents"] == shown["chunks"] == len(READS[who])
    assert shown["restricted"] == len(READS[who]) - 1
    all_of_them = (await company.call(who, "GET", "/v1/collections")).json()["items"]
    assert shown in all_of_them
    models = (await company.call(who, "GET", "/v1/models")).json()["data"]
    assert next(one for one in models if one["id"].endswith(handbook))["kaynak"]["documents"] == len(READS[who])
    for name in NAMES:
        found = await company.call(who, "GET", f"/v1/collections/{handbook}/documents?external_id={name}")
        assert len(found.json()["items"]) == (name in READS[who])
        condition = json.dumps({"_id": name})
        found = await company.call(who, "GET", f"/v1/collections/{handbook}/documents", params={"filter": condition})
        assert len(found.json()["items"]) == (name in READS[who])


@pytest.mark.parametrize("who", [*READS, NINA])
@pytest.mark.parametrize("name", sorted(NAMES))
async def test_a_document_is_there_on_every_path_or_on_none(company, handbook, who, name):
    document = await company.document(handbook, name)
    text = await company.kaynak.documents.text(OWNER, document.id)
    expected = 200 if name in READS.get(who, ()) else 404
    missing = None
    for path in (
        f"/v1/documents/{document.id}",
        f"/v1/documents/{document.id}/text",
        f"/v1/documents/{document.id}/content",
        f"/v1/documents/{document.id}/chunks",
        f"/v1/documents/{document.id}/view",
        f"/v1/documents/{document.id}/view?start=0&end=5",
        f"/v1/documents/{document.id}/text?version=1",
        f"/v1/citations/{text.version_id}?start=0&end=5",
    ):
        answer = await company.call(who, "GET", path)
        assert answer.status_code == expected, path
        # It looks as if it had never been.
        strange = path.replace(str(document.id), str(text.version_id)).replace(
            f"citations/{text.version_id}", f"citations/{document.id}"
        )
        missing = await company.call(who, "GET", strange)
        assert missing.status_code == 404
        if expected == 404:
            assert _without_ids(answer) == _without_ids(missing)
    for method, body in (("PATCH", {"metadata": {}}), ("DELETE", None)):
        if expected == 404:
            answer = await company.call(who, method, f"/v1/documents/{document.id}", json=body)
            assert answer.status_code == 404
            assert (await company.document(handbook, name)).revision == document.revision
    picture = await company.call(who, "GET", f"/v1/documents/{document.id}/pages/1.png")
    assert picture.status_code == 404
    assert ("no page 1" in picture.text) == (expected == 200)


def _without_ids(answer):
    told = {**answer.json(), "request_id": ""}
    told["detail"] = " ".join(word for word in told["detail"].split() if not word.startswith("“"))
    return told


@pytest.mark.parametrize("who", READS)
@pytest.mark.parametrize("name", sorted(NAMES))
async def test_searches_and_answers_stay_within_what_may_be_read(company, handbook, who, name):
    question = QUESTIONS[name]
    for mode in ("hybrid", "lexical", "dense"):
        body = {"query": question, "collections": [handbook], "mode": mode, "explain": True}
        found = await company.call(who, "POST", "/v1/search", json=body)
        assert not tells(found, who)
        hits = {hit["external_id"] for hit in found.json()["hits"]}
        assert hits <= READS[who]
        assert (name in hits) == (name in READS[who])
        trace = found.json()["trace"]["collections"][handbook]
        assert trace["dense"] <= len(READS[who])
        assert trace["lexical"] <= len(READS[who])
    by_address = await company.call(who, "GET", "/v1/search", params={"q": question, "collection": handbook})
    assert not tells(by_address, who)
    asked = await company.call(who, "POST", "/v1/ask", json={"question": question, "collections": [handbook]})
    assert asked.status_code == 200
    assert not tells(asked, who)
    assert {one["external_id"] for one in asked.json()["citations"]} <= READS[who]
    stream = await company.call(
        who,
        "POST",
        "/v1/ask",
        json={"question": question, "collections": [handbook], "fresh": True},
        headers={"accept": "text/event-stream"},
    )
    assert "event: done" in stream.text
    assert not tells(stream, who)
    body = {"model": f"kaynak/{handbook}", "messages": [{"role": "user", "content": question}]}
    for more in ({}, {"stream": True}):
        completion = await company.call(who, "POST", "/v1/chat/completions", json={**body, **more})
        assert completion.status_code == 200
        assert not tells(completion, who)


@pytest.mark.parametrize("who", READS)
@pytest.mark.parametrize("name", sorted(NAMES))
async def test_why_a_document_is_not_found_is_told_of_those_that_may_be_read(company, handbook, who, name):
    body = {"query": "bicycle shed", "collections": [handbook], "explain_document": name, "limit": 1}
    told = (await company.call(who, "POST", "/v1/search", json=body)).json()["trace"]["absent"]
    strange = await company.call(who, "POST", "/v1/search", json={**body, "explain_document": "never.txt"})
    unknown = strange.json()["trace"]["absent"]
    if name in READS[who]:
        assert told["stage"] != "unknown"
    else:
        assert {**told, "external_id": ""} == {**unknown, "external_id": ""}


@pytest.mark.parametrize("who", READS)
async def test_agents_see_what_their_person_sees(company, handbook, who):
    async def tool(name, arguments):
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
        accept = {"accept": "application/json, text/event-stream"}
        return await company.call(who, "POST", "/mcp", json=call, headers=accept)

    for name, question in QUESTIONS.items():
        for which, argument in (("search", "query"), ("ask", "question")):
            answer = await tool(which, {argument: question, "collections": [handbook]})
            assert answer.status_code == 200
            assert not tells(answer, who)
        document = await company.document(handbook, name)
        version = (await company.kaynak.documents.text(OWNER, document.id)).version_id
        answer = await tool("read_passage", {"version_id": str(version), "start": 0, "end": 20})
        assert ('"isError":true' in answer.text.replace(" ", "")) == (name not in READS[who])
        assert not tells(answer, who)
    listed = await tool("list_collections", {})
    assert f"{handbook} ({len(READS[who])} documents)" in listed.text


async def test_a_collection_that_is_not_shared_is_not_there(company, handbook):
    for method, path, body in (
        ("GET", f"/v1/collections/{handbook}", None),
        ("PATCH", f"/v1/collections/{handbook}", {"description": "Mine."}),
        ("DELETE", f"/v1/collections/{handbook}", None),
        ("GET", f"/v1/collections/{handbook}/documents", None),
        ("POST", f"/v1/collections/{handbook}/documents", {"external_id": "a", "text": "b"}),
        ("POST", f"/v1/collections/{handbook}/documents/batch", {"documents": [{"external_id": "a", "text": "b"}]}),
        ("GET", f"/v1/collections/{handbook}/grants", None),
        ("PUT", f"/v1/collections/{handbook}/grants/{NINA}", {"role": "owner"}),
        ("DELETE", f"/v1/collections/{handbook}/grants/{ANNA}", None),
        ("POST", "/v1/search", {"query": "lunch", "collections": [handbook]}),
        ("POST", "/v1/ask", {"question": "When is lunch?", "collections": [handbook]}),
        ("POST", "/v1/conversations", {"collections": [handbook]}),
    ):
        answer = await company.call(NINA, method, path, json=body)
        assert answer.status_code == 404, (method, path)
        strange = await company.call(
            NINA, method, path.replace(handbook, "never"), json=json.loads(json.dumps(body).replace(handbook, "never"))
        )
        told, untold = answer.json(), strange.json()
        assert told["detail"].replace(handbook, "never") == untold["detail"]
    assert handbook not in (await company.call(NINA, "GET", "/v1/collections")).text
    assert handbook not in (await company.call(NINA, "GET", "/v1/models")).text


async def test_filters_cannot_name_the_readers(company, handbook):
    condition = {"_readers": {"$exists": False}}
    body = {"query": "lunch", "collections": [handbook], "filter": condition}
    assert (await company.call(VERA, "POST", "/v1/search", json=body)).status_code == 422
    listing = {"filter": json.dumps({"$not": {"_readers.0": "x"}})}
    assert (await company.call(VERA, "GET", f"/v1/collections/{handbook}/documents", params=listing)).status_code == 422
