"""Limits of how often somebody may ask, as clients meet them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from fastapi import FastAPI

from kaynak.api import deps
from kaynak.domain import OWNER, Unauthenticated
from kaynak.limiting import MemoryLimiter, Purpose, Rates

PERSON = replace(OWNER, subject="user:1")


@pytest.fixture
def as_person(app: FastAPI, services):
    """Signs in one person, with two tokens of each kind."""
    services.rates = Rates(MemoryLimiter(), dict.fromkeys(Purpose, 2))
    app.dependency_overrides[deps._current_scope] = lambda: PERSON
    yield
    app.dependency_overrides.clear()


@pytest.fixture
def as_nobody(app: FastAPI, services):
    services.rates = Rates(MemoryLimiter(), dict.fromkeys(Purpose, 2))

    def nobody() -> None:
        raise Unauthenticated("Nobody is signed in.", hint="Sign in.")

    app.dependency_overrides[deps._current_scope] = nobody
    yield
    app.dependency_overrides.clear()


def test_answers_tell_how_much_is_left(api, as_person):
    answer = api("GET", "/v1/collections")
    assert answer.headers["ratelimit-policy"] == '"general";q=2;w=60'
    assert re.fullmatch(r'"general";r=1;t=(29|30)', answer.headers["ratelimit"])
    api("GET", "/v1/jobs")
    refused = api("GET", "/v1/collections")
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:kaynak:error:rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert refused.headers["ratelimit"].startswith('"general";r=0;t=')


def test_questions_and_uploads_have_budgets_of_their_own(api, as_person):
    assert api("POST", "/v1/collections", json={"name": "c"}).status_code == 201
    document = {"external_id": "a.txt", "text": "Leave is 26 days."}
    upload = [api("POST", "/v1/collections/c/documents", json=document) for _ in range(3)]
    assert [answer.status_code for answer in upload] == [202, 200, 429]
    question = {"question": "How many days?", "collections": ["c"]}
    assert [api("POST", "/v1/ask", json=question).status_code for _ in range(3)] == [200, 200, 429]
    assert api("GET", "/v1/collections").status_code == 200
    assert api("GET", "/v1/collections").status_code == 429


def test_openais_dialect_says_it_in_its_own_words(api, as_person):
    assert api("POST", "/v1/collections", json={"name": "c"}).status_code == 201
    api("GET", "/v1/jobs")
    refused = api("GET", "/v1/embeddings")
    assert refused.status_code == 405
    import asyncio

    import httpx

    async def embed() -> httpx.Response:
        transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.post("/v1/embeddings", json={"model": "minilm", "input": "x"})

    answer = asyncio.run(embed())
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert int(answer.headers["retry-after"]) >= 1


def test_the_owner_of_a_laptop_is_not_limited(api, services):
    services.rates = Rates(MemoryLimiter(), dict.fromkeys(Purpose, 1))
    for _ in range(3):
        answer = api("GET", "/v1/collections")
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def test_supervisors_are_not_limited(api, as_person):
    assert {api("GET", path).status_code for path in ("/health", "/ready") for _ in range(4)} == {200}


def test_an_address_that_keeps_failing_to_say_who_asks_is_slowed(api, as_nobody):
    assert [api("GET", "/v1/collections").status_code for _ in range(4)][2:] == [429, 429]


def test_every_limited_operation_declares_it(api):
    for path, methods in api.openapi["paths"].items():
        for method, operation in methods.items():
            assert "429" in operation["responses"], f"{method} {path}"
