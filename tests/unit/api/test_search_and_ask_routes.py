from __future__ import annotations

import pytest

from kaynak.domain import EngineUnavailable, GroupBy, SearchMode


@pytest.fixture
def filled(api, handbook):
    for n in range(3):
        body = {"external_id": f"{n}", "text": f"text {n}", "metadata": {"n": n}}
        api("POST", f"/v1/collections/{handbook}/documents", json=body)
    return handbook


def test_a_search_returns_hits_and_its_timing(api, filled):
    answer = api("POST", "/v1/search", json={"query": "text", "collections": [filled], "limit": 2})
    assert answer.status_code == 200
    assert len(answer.json()["hits"]) == 2
    assert answer.json()["more"] is True
    assert answer.headers["server-timing"] == "lexical;dur=1.50, gate;dur=0.25, total;dur=2.00"


def test_every_option_reaches_the_searcher(api, filled, services):
    body = {
        "query": "text",
        "collections": [filled, filled],
        "mode": "lexical",
        "filter": {"n": {"$gte": 1}},
        "limit": 7,
        "offset": 3,
        "group_by": "document",
        "min_revision": {filled: 4},
        "dense_weight": 0.25,
        "explain": True,
        "explain_document": "x",
    }
    api("POST", "/v1/search", json=body)
    request = services.searcher.requests[-1]
    assert request.collections == (filled,)
    assert (request.mode, request.group_by, request.limit, request.offset) == (
        SearchMode.LEXICAL,
        GroupBy.DOCUMENT,
        7,
        3,
    )
    assert (request.min_revision, request.dense_weight, request.explain_document) == ({filled: 4}, 0.25, "x")
    assert request.filter is not None


def test_the_simple_form_asks_the_same(api, filled, services):
    answer = api("GET", "/v1/search", params={"q": "text", "collection": filled, "filter": '{"n": 1}', "limit": 3})
    assert answer.status_code == 200
    assert services.searcher.requests[-1].filter is not None
    assert api("GET", "/v1/search", params={"q": "text"}).status_code == 422


@pytest.mark.parametrize("query", ["", " \n\t", "x" * 100_000, "a\x00b"])
def test_a_query_that_cannot_be_asked_is_refused(api, filled, query):
    for path, field in (("/v1/search", "query"), ("/v1/ask", "question")):
        answer = api("POST", path, json={field: query, "collections": [filled]})
        assert answer.status_code == 422, path
        assert len(answer.content) < 1000
    answer = api("GET", "/v1/search", params={"q": query[:10_000], "collection": filled})
    assert answer.json()["type"] == "urn:kaynak:error:invalid-query"


@pytest.mark.parametrize(
    "change",
    [
        {"collections": []},
        {"collections": "handbook"},
        {"limit": 0},
        {"limit": 201},
        {"limit": 1.5},
        {"offset": -1},
        {"mode": "psychic"},
        {"dense_weight": 1.1},
        {"dense_weight": "NaN"},
        {"min_revision": {"handbook": "soon"}},
        {"filter": []},
        {"querry": "x"},
        {"query": None},
        {"query": 5},
    ],
)
def test_a_malformed_search_is_refused(api, filled, change):
    answer = api("POST", "/v1/search", json={"query": "text", "collections": [filled], **change})
    assert answer.status_code == 422


def test_a_filter_names_the_place_of_its_fault(api, filled):
    body = {"query": "text", "collections": [filled], "filter": {"a": {"$bad": 1}}}
    problem = api("POST", "/v1/search", json=body).json()
    assert problem["type"] == "urn:kaynak:error:invalid-filter"
    assert "filter.a" in problem["detail"]


def test_a_body_beyond_a_megabyte_is_refused(api, filled):
    body = {"query": "x" * 2_000_000, "collections": [filled]}
    assert api("POST", "/v1/search", json=body).status_code == 413


def test_an_unknown_collection_is_said(api, filled):
    answer = api("POST", "/v1/search", json={"query": "text", "collections": [filled, "nowhere"]})
    assert answer.json()["type"] == "urn:kaynak:error:collection-not-found"


def test_an_engine_that_is_away_is_a_503_that_says_when_to_come_back(api, filled, services):
    services.searcher.failure = EngineUnavailable("The engine does not answer.")
    answer = api("POST", "/v1/search", json={"query": "text", "collections": [filled]})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


def test_an_answer_has_its_citations(api, filled):
    answer = api("POST", "/v1/ask", json={"question": "what?", "collections": [filled]}).json()
    assert answer["found"]
    assert answer["citations"][0]["quote"] == "text "


def events(text):
    for block in text.split("\n\n"):
        if block and not block.startswith(":"):
            _, name, data = block.split("\n")
            yield name.removeprefix("event: "), data.removeprefix("data: ")


def test_an_answer_can_be_streamed(api, filled):
    headers = {"Accept": "text/event-stream"}
    answer = api("POST", "/v1/ask", json={"question": "what?", "collections": [filled]}, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in events(answer.text)] == [
        "sources",
        "status",
        "delta",
        "citation",
        "verdict",
        "usage",
        "done",
    ]


def test_an_error_before_the_first_event_keeps_its_status(api, filled):
    headers = {"Accept": "text/event-stream"}
    answer = api("POST", "/v1/ask", json={"question": "what?", "collections": ["nowhere"]}, headers=headers)
    assert answer.status_code == 404


def test_an_error_after_the_first_event_is_an_event_without_internals(api, filled, services):
    services.asker.fail_after_first = True
    headers = {"Accept": "text/event-stream"}
    answer = api("POST", "/v1/ask", json={"question": "what?", "collections": [filled]}, headers=headers)
    names = [name for name, _ in events(answer.text)]
    assert names == ["sources", "error"]
    assert "urn:kaynak:error:internal" in answer.text
    assert "secret" not in answer.text
