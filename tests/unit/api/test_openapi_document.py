from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from kaynak import domain
from kaynak.api.schemas.answers import AnswerView, CitationView, SentenceView
from kaynak.api.schemas.collections import CollectionView, GenerationView, PartView, SpecView
from kaynak.api.schemas.conversations import ConversationView, MatchView, MessageView
from kaynak.api.schemas.documents import BlockView, ChunkView, DocumentView, PageView
from kaynak.api.schemas.jobs import JobItemView, JobView, StageView
from kaynak.api.schemas.models import ListedModelView, PriceView, ProviderView
from kaynak.api.schemas.search import AbsenceView, ExplanationView, HitView, SearchView, SideView, TraceView
from kaynak.api.schemas.spending import BudgetView, UsageLineView, UsageView
from kaynak.generation import models


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_is_described(api):
    for name, operation in operations(api.openapi):
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation.get("tags"), name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{name}: {parameter['name']}"


def test_every_field_of_every_schema_is_described(api):
    schemas = api.openapi["components"]["schemas"]
    assert {"SearchBody", "TextDocument", "UploadForm", "Problem", "CollectionCreate"} <= set(schemas)
    for name, schema in schemas.items():
        assert schema.get("description"), name
        for field, described in schema.get("properties", {}).items():
            # A field that says the same as its type leaves it to the type.
            referred = schemas.get(described.get("$ref", "").rpartition("/")[2], {})
            assert described.get("description") or referred.get("description"), f"{name}.{field}"


def test_every_reference_leads_somewhere(api):
    schemas = api.openapi["components"]["schemas"]

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            reference = node.get("$ref")
            if reference is not None:
                assert reference.removeprefix("#/components/schemas/") in schemas, reference
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(api.openapi)


def test_every_error_is_declared_as_a_problem_document_with_its_type(api):
    for name, operation in operations(api.openapi):
        responses = operation["responses"]
        assert {"400", "403", "422", "500", "503"} <= set(responses), name
        if "{" in name:
            assert "404" in responses, name
        for status, response in responses.items():
            assert response["description"], name
            if int(status) >= 400:
                content = response["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, name
                for example in content["examples"].values():
                    assert example["value"]["type"].startswith("urn:kaynak:error:")
                    assert example["value"]["status"] == int(status)


def test_request_bodies_have_examples_and_refuse_unknown_fields(api):
    schemas = api.openapi["components"]["schemas"]
    bodies = [
        content["schema"]["$ref"].rpartition("/")[2]
        for _, operation in operations(api.openapi)
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json"
    ]
    assert len(bodies) >= 6
    for name in bodies:
        assert schemas[name].get("examples"), name
        assert schemas[name].get("additionalProperties") is False, name


@pytest.mark.parametrize(
    ("view", "noun"),
    [
        (AbsenceView, domain.AbsenceExplanation),
        (AnswerView, domain.Answer),
        (BlockView, domain.Block),
        (BudgetView, domain.Budget),
        (ChunkView, domain.Chunk),
        (CitationView, domain.Citation),
        (CollectionView, domain.Collection),
        (ConversationView, domain.Conversation),
        (DocumentView, domain.Document),
        (ExplanationView, domain.HitExplanation),
        (GenerationView, domain.Generation),
        (HitView, domain.Hit),
        (JobItemView, domain.JobItem),
        (JobView, domain.Job),
        (MatchView, domain.ConversationMatch),
        (MessageView, domain.ConversationMessage),
        (ListedModelView, models.ListedModel),
        (PageView, domain.Page),
        (PartView, domain.PartSpec),
        (PriceView, models.Price),
        (ProviderView, models.ProviderStatus),
        (SearchView, domain.SearchResult),
        (SentenceView, domain.AnswerSentence),
        (SideView, domain.SideScore),
        (SpecView, domain.GenerationSpec),
        (StageView, domain.StageProgress),
        (TraceView, domain.SearchTrace),
        (UsageLineView, domain.UsageLine),
        (UsageView, domain.UsageReport),
    ],
)
def test_what_is_described_is_what_is_sent(view, noun):
    assert set(view.model_fields) == {field.name for field in dataclasses.fields(noun)}


def test_the_documentation_needs_no_network(api):
    page = api("GET", "/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for name in ("/docs", "/docs/docs.js", "/docs/docs.css"):
        content = api("GET", name)
        assert content.status_code == 200
        assert "http://" not in content.text
        assert "https://" not in content.text
    assert api("GET", "/").headers["location"] == "/docs"
    assert api("GET", "/openapi.json").json() == api.openapi


def test_what_models_do_wrong_is_declared_wherever_they_write(api):
    found = dict(operations(api.openapi))
    errors = (domain.ModelRefused, domain.ModelUnavailable, domain.StreamTruncated, domain.BudgetExceeded)
    for name in ("POST /v1/ask", "POST /v1/conversations/{conversation}/messages"):
        declared = {
            kind
            for response in found[name]["responses"].values()
            for kind in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
        }
        assert {error.type for error in errors} <= declared, name
