from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from kaynak.domain import (
    Ailment,
    Conflict,
    Examination,
    Finding,
    Generation,
    GenerationSpec,
    GenerationState,
    IndexCheck,
    IndexEstimate,
    IndexGeneration,
    IndexVerdict,
    Making,
    SideState,
    new_id,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
COLLECTION = new_id()


def generation(
    number: int, *, active: bool = False, error: str | None = None, making: Making | None = None, **more: Any
) -> IndexGeneration:
    made = Generation(number, COLLECTION, GenerationSpec(), "c", "e", 8, active)
    sides = (
        SideState("dense", "", 3 if more.get("state") is None else 0, None, 0, 40, error, NOW, making),
        SideState("lexical", "host", 3, None, 0, 0, None, NOW),
    )
    fields = {"state": GenerationState.READY, "faults": 0, "verdict": None} | more
    return IndexGeneration(
        generation=made,
        chunks=100,
        embedded=50,
        revision=3,
        sides=sides,
        created_at=NOW,
        activated_at=NOW if active else None,
        **fields,
    )


GOOD = IndexVerdict(True, 3, (IndexCheck("recall", True, 1.0, 0.95, "100.0% of the nearest"),), NOW)
BAD = IndexVerdict(False, 3, (IndexCheck("recall", False, 0.5, 0.95, "50.0% of the nearest"),), NOW)


class Indexes:
    def __init__(self) -> None:
        self.wanted: list[Any] = []
        self.verdict = GOOD
        self.questions: Any = None
        self.forced = False
        self.removed: list[int] = []

    async def list(self, scope, name):
        return [
            generation(2, state=GenerationState.BUILDING, error="Qdrant is away.", faults=2),
            generation(1, active=True, verdict=GOOD, making=Making("checking the graph")),
        ]

    async def get(self, scope, name, number):
        return generation(number)

    async def estimate(self, scope, name, wanted):
        self.wanted.append(wanted)
        return IndexEstimate(
            1200, 300, 45_000, None if wanted.embedder else 0.0, None if wanted.embedder else 12, 9_000_000
        )

    async def build(self, scope, name, wanted):
        self.wanted.append(wanted)
        return generation(2, state=GenerationState.BUILDING)

    async def watch(self, scope, name, number):
        yield generation(2, state=GenerationState.BUILDING)
        yield generation(2, state=GenerationState.BUILDING, error="The key is wrong.")
        yield generation(2, state=GenerationState.BUILDING, making=Making("building the graph", 0.434))
        yield generation(2)

    async def verify(self, scope, name, number, *, questions, sample):
        self.questions = questions
        return self.verdict

    async def switch(self, scope, name, number, *, force=False):
        if number == 9:
            raise Conflict("Index generation 9 was not verified.", hint="Verify it.")
        self.forced = force
        return SimpleNamespace(name=name, generation=SimpleNamespace(id=number))

    async def rollback(self, scope, name):
        return SimpleNamespace(name=name, generation=SimpleNamespace(id=1))

    async def remove(self, scope, name, number):
        self.removed.append(number)


@pytest.fixture
def indexes(services: Any) -> Indexes:
    services.indexes = services.estimating = services.verifier = Indexes()
    return services.indexes


def test_listing_says_what_is_waited_for(kaynak, indexes):
    listed = kaynak("index", "list", "handbook")
    assert "searched" in listed.stdout
    assert "building" in listed.stdout
    assert "Generation 2, dense: Qdrant is away." in listed.stderr
    assert "Generation 1, dense: checking the graph" in listed.stderr
    assert "cannot take 2 documents" in listed.stderr
    items = kaynak("index", "list", "handbook", "--json").document["items"]
    assert [(one["id"], one["active"], one["state"]) for one in items] == [(2, False, "building"), (1, True, "ready")]


def test_building_says_how_far_it_is(kaynak, indexes, monkeypatch):
    monkeypatch.setattr("kaynak.cli.index._SAID_SECONDS", 0.0)
    said = kaynak("index", "build", "handbook").stderr
    assert "dense waits: The key is wrong." in said
    assert "Generation 2: 50 of 100 passages embedded, dense: building the graph, 43%, lexical done" in said


def test_building_names_parts_and_parameters(kaynak, indexes):
    built = kaynak("index", "build", "handbook", "--dense", "pgvector", "-p", "dense.m=32", "-p", "dense.kind=fine")
    assert built.exit_code == 0, built.output
    assert "1,200 passages, 300 texts to embed (45,000 tokens, free), about 12 s, 9 MB on disk." in built.stderr
    assert "Generation 2: 50 of 100 passages embedded, dense 40, lexical done" in built.stderr
    assert "Generation 2 is built. Next: kaynak index verify handbook 2" in built.stdout
    spec = indexes.wanted[-1].dense
    assert (spec.name, spec.params) == ("pgvector", {"m": 32, "kind": "fine"})
    assert indexes.wanted[-1].embedder is None
    begun = kaynak("index", "build", "handbook", "--no-wait", "--json").document
    assert begun["state"] == "building"
    assert "a worker goes on" in kaynak("index", "build", "handbook", "--no-wait").stdout


@pytest.mark.parametrize("bad", ["m=32", "dense.m", "lexical.k=1", "=1"])
def test_a_parameter_belongs_to_a_part_that_is_named(kaynak, indexes, bad):
    refused = kaynak("index", "build", "handbook", "--dense", "pgvector", "-p", bad)
    assert refused.exit_code == 2
    assert "Write: --dense pgvector -p dense.m=32" in refused.stderr


def test_estimates(kaynak, indexes):
    said = kaynak("index", "build", "handbook", "--embedder", "openai:m", "--estimate")
    assert "price unknown" in said.stdout
    assert "as long as the provider takes" in said.stdout
    assert kaynak("index", "build", "handbook", "--estimate", "--json").document["tokens"] == 45_000


def test_verifying_says_what_passed(kaynak, indexes, tmp_path):
    path = tmp_path / "questions.jsonl"
    lines = [{"text": "Leave?", "documents": ["a.md"]}, {"text": "Lunch?", "documents": {"b.md": 2}}]
    path.write_text("\n\n".join(map(json.dumps, lines)))
    passed = kaynak("index", "verify", "handbook", "2", "--questions", path)
    assert passed.exit_code == 0, passed.output
    assert "✓ recall: 100.0% of the nearest" in passed.stdout
    assert [(one.text, one.documents) for one in indexes.questions] == [
        ("Leave?", {"a.md": 1.0}),
        ("Lunch?", {"b.md": 2.0}),
    ]
    indexes.verdict = BAD
    failed = kaynak("index", "verify", "handbook", "2")
    assert (failed.exit_code, "✗ recall" in failed.stdout) == (1, True)
    assert kaynak("index", "verify", "handbook", "2", "--json").document["passed"] is False
    for line in (
        '{"text": "Leave?"}',
        '{"text": "Leave?", "documents": "a.md"}',
        f'{{"text": "Leave?", "documents": {{"a.md": {10**400}}}}}',
    ):
        path.write_text(line)
        broken = kaynak("index", "verify", "handbook", "2", "-q", path)
        assert (broken.exit_code, "Line 1 of" in broken.stderr) == (2, True)
    assert kaynak("index", "verify", "handbook", "2", "-q", tmp_path / "none").exit_code == 2


def test_switching_and_going_back(kaynak, indexes):
    assert "searched through generation 2" in kaynak("index", "switch", "handbook", "2", "--force").stdout
    assert indexes.forced
    assert kaynak("index", "switch", "handbook", "9").exit_code == 5
    assert "searched through generation 1" in kaynak("index", "rollback", "handbook").stdout


def test_removing_asks_first(kaynak, indexes):
    assert kaynak("index", "rm", "handbook", "2").exit_code == 1
    assert indexes.removed == []
    assert "Removed generation 2" in kaynak("index", "rm", "handbook", "2", "-y").stdout
    assert kaynak("index", "rm", "handbook", "3", "--json").document == {"removed": 3}
    assert indexes.removed == [2, 3]


def test_the_doctor(kaynak, services):
    well = Examination(("catalog", "pgvector g1"), ("arangodb: not configured.",), ())
    findings = (
        Finding("pgvector g1", Ailment.MISSING, 3, "3 passages are not in it.", hint="Repair it."),
        Finding("catalog", Ailment.ORPHANED, 1, "1 embedding belongs to nothing.", repaired=True),
    )
    found = well

    async def examine(scope, *, repair):
        return found

    services.doctor = SimpleNamespace(examine=examine)
    said = kaynak("doctor")
    assert (said.exit_code, "All is well. Looked at: catalog, pgvector g1." in said.stdout) == (0, True)
    assert "Not looked at: arangodb" in said.stderr
    found = Examination(("catalog",), (), findings)
    said = kaynak("doctor", "--repair")
    assert said.exit_code == 1
    assert "WRONG  pgvector g1: missing. 3 passages are not in it." in said.stdout
    assert "mended  catalog: orphaned." in said.stdout
    shown = kaynak("doctor", "--json")
    assert (shown.exit_code, shown.document["healthy"], len(shown.document["findings"])) == (1, False, 2)
