from __future__ import annotations

import pytest

from kaynak.domain import Misconfigured


def test_a_collection_lives_its_life(api):
    made = api("POST", "/v1/collections", json={"name": "handbook", "description": "d", "language": "en"})
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/collections/handbook"
    assert api("GET", "/v1/collections/handbook").json() == made.json()
    changed = api("PATCH", "/v1/collections/handbook", json={"name": "rules", "description": ""})
    assert (changed.json()["name"], changed.json()["description"]) == ("rules", "")
    assert api("DELETE", "/v1/collections/rules").status_code == 204
    assert api("GET", "/v1/collections/rules").status_code == 404


def test_the_parts_of_a_collection_can_be_chosen(api):
    body = {"name": "c", "chunker": {"name": "fixed", "params": {"size": 100}}, "dense": {"name": "memory"}}
    spec = api("POST", "/v1/collections", json=body).json()["generation"]["spec"]
    assert spec["chunker"] == {"name": "fixed", "params": {"size": 100}}
    assert spec["embedder"]["name"] == "minilm"
    assert spec["dense"]["name"] == "memory"


def test_a_second_one_of_the_same_name_is_refused(api, handbook):
    problem = api("POST", "/v1/collections", json={"name": handbook}).json()
    assert problem["type"] == "urn:kaynak:error:collection-exists"
    assert problem["hint"]


def test_an_unknown_collection_is_named_in_the_problem(api):
    problem = api("GET", "/v1/collections/nowhere").json()
    assert problem["type"] == "urn:kaynak:error:collection-not-found"
    assert "nowhere" in problem["detail"]


def test_lists_come_in_pages(api):
    for number in range(5):
        api("POST", "/v1/collections", json={"name": f"c{number}"})
    names, after = [], None
    while True:
        page = api("GET", "/v1/collections", params={"limit": 2, **({"after": after} if after else {})}).json()
        names += [item["name"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert names == [f"c{number}" for number in range(5)]


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "W10", "bnVsbA", "WyJkb2N1bWVudHMiLCJhIl0", "WyJjb2xsZWN0aW9ucyIsMV0", "ü", "a" * 2000, "AAAA="],
)
def test_a_cursor_that_is_not_ours_is_refused(api, cursor):
    answer = api("GET", "/v1/collections", params={"after": cursor})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:kaynak:error:invalid-request"


@pytest.mark.parametrize("limit", [0, -1, 201, 10**30, "many"])
def test_a_page_has_bounds(api, limit):
    assert api("GET", "/v1/collections", params={"limit": limit}).status_code == 422


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a/", "ü", "a" * 65, "a\x00"])
def test_a_bad_name_is_refused(api, name):
    assert api("POST", "/v1/collections", json={"name": name}).status_code == 422


def test_a_misspelt_field_is_refused_by_its_name(api):
    answer = api("POST", "/v1/collections", json={"name": "c", "langauge": "en"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.langauge"


def test_a_model_that_the_caller_named_and_that_does_not_exist_is_the_callers_fault(api, services):
    async def unknown(*args, **kwargs):
        raise Misconfigured("“x” is no model.", hint="Use minilm.")

    services.collections.create = unknown
    assert api("POST", "/v1/collections", json={"name": "c", "embedder": {"name": "x"}}).status_code == 422
    assert api("POST", "/v1/collections", json={"name": "c"}).status_code == 500
