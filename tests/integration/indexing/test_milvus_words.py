"""A collection whose words move to Milvus and back: what is found stays the same, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    GenerationState,
    IndexGeneration,
    PartSpec,
    SearchMode,
    SearchRequest,
    Unsupported,
)
from kaynak.engines.memory import MemoryDense
from kaynak.engines.tantivy import TantivyEngine
from kaynak.indexing import Doctor, Indexes, Proving, Wanted, follower, preparing
from kaynak.retrieval import Searcher, Verifier
from kaynak.testing.fake_sparse import token
from kaynak.testing.workshop import MEMORY, Workshop

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusEngine, MilvusLexical

pytestmark = pytest.mark.anyio

BIRDS = ("heron", "bittern", "stork", "ibis", "crane", "egret")


def text(number: int) -> str:
    """Returns a passage; all are of one length, which tantivy rounds and Milvus' side takes from the first write."""
    birds = [BIRDS[number % 6], *["heron"] * (number % 5)]
    rest = ["reed" + chr(97 + at % 26) * (1 + at // 26) for at in range(number, number + 80 - len(birds))]
    return f"The {' '.join(birds)} of valley{number:02} saw the pond: {' '.join(rest)}."


SOME = {f"d{number:02}": text(number) for number in range(30)}
QUESTIONS = ("heron", "pond", "bittern of valley07", "which stork saw a heron", "valley11 egret", "herons of the ponds")


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workshop]:
    monkeypatch.setattr(follower, "CHANGES", 4)
    monkeypatch.setattr(preparing, "SLICE", 4)
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense(), "milvus": MilvusEngine(MilvusOptions(), tmp_path / "milvus")},
        lexical={
            "tantivy": TantivyEngine(tmp_path / "tantivy"),
            "milvus": MilvusLexical(MilvusOptions(), tmp_path / "milvus"),
        },
        spec=replace(MEMORY, chunker=PartSpec("sentence", {"target_tokens": 200}), lexical=PartSpec("tantivy")),
    )
    await made.collection()
    await made.bring(SOME)
    yield made
    for engine in (*made.dense.values(), *made.lexical.values()):
        await engine.close()


@pytest.fixture
async def searcher(workshop: Workshop) -> AsyncIterator[Searcher]:
    made = Searcher(workshop.catalog, workshop.parts, workshop.followers)
    yield made
    await made.close()


@pytest.fixture
def indexes(workshop: Workshop) -> Indexes:
    return Indexes(workshop.catalog, workshop.parts, workshop.followers)


@pytest.fixture
def doctor(workshop: Workshop) -> Doctor:
    return Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers)


async def moved(workshop: Workshop, indexes: Indexes, wanted: Wanted) -> IndexGeneration:
    """Builds, verifies and switches, as the commands do."""
    begun = await indexes.build(OWNER, "handbook", wanted)
    async with asyncio.timeout(60):
        async for now in indexes.watch(OWNER, "handbook", begun.id):
            assert not [one.error for one in now.sides if one.error]
    assert now.state is GenerationState.READY
    verdict = await Verifier(workshop.catalog, workshop.parts, workshop.followers, indexes).verify(
        OWNER, "handbook", begun.id, sample=10
    )
    assert verdict.passed, [str(one) for one in verdict.checks]
    await indexes.switch(OWNER, "handbook", begun.id)
    return now


async def rankings(searcher: Searcher) -> list[list[str]]:
    found = [
        await searcher.search(SearchRequest(one, ("handbook",), mode=SearchMode.LEXICAL, limit=20), OWNER)
        for one in QUESTIONS
    ]
    assert not any(one.degraded for one in found)
    return [[hit.external_id for hit in one.hits] for one in found]


async def test_words_move_to_milvus_and_back(
    workshop: Workshop, indexes: Indexes, searcher: Searcher, doctor: Doctor
) -> None:
    before = await rankings(searcher)
    assert all(before)
    # Both sides of one generation are in the same files, under the same name.
    new = await moved(workshop, indexes, Wanted(dense=PartSpec("milvus"), lexical=PartSpec("milvus")))
    key = new.generation.key
    assert new.generation.spec.lexical.name == "milvus"
    assert await workshop.lexical["milvus"].count(key) == await workshop.dense["milvus"].count(key) == len(SOME)
    assert await rankings(searcher) == before
    examination = await doctor.examine(OWNER)
    assert (examination.findings, examination.unchecked) == ((), ())
    assert f"milvus {key}" in examination.checked
    (first,) = [one for one in await indexes.list(OWNER, "handbook") if one.id != new.id]
    await indexes.remove(OWNER, "handbook", first.id)
    back = await moved(workshop, indexes, Wanted(dense=PartSpec("memory"), lexical=PartSpec("tantivy")))
    assert back.generation.spec.lexical.name == "tantivy"
    assert await rankings(searcher) == before
    await indexes.remove(OWNER, "handbook", new.id)
    assert not await workshop.lexical["milvus"].exists(key)


async def test_documents_change_and_go_without_a_trace(
    workshop: Workshop, indexes: Indexes, searcher: Searcher, doctor: Doctor
) -> None:
    new = await moved(workshop, indexes, Wanted(lexical=PartSpec("milvus")))
    milvus, key = workshop.lexical["milvus"], new.generation.key
    await workshop.bring({"d03": "The spoonbill came to valley03.", "new": "A spoonbill and an avocet."})
    latest = (await workshop.collections.get(OWNER, "handbook")).revision
    await workshop.followers.catch_up(new.generation.collection_id, latest)
    assert (await rankings(searcher))[0]
    assert len((await milvus.search(key, "spoonbill", 10)).ids) == 2
    assert (await milvus.search(key, "ibis valley03", 10, coverage=True)).known == 1.0
    gone = await workshop.documents.find(OWNER, "handbook", "new")
    proving = Proving(workshop.catalog, workshop.blobs, workshop.followers)
    proof = await proving.proof(OWNER, "handbook", {gone.id: "new"})
    await workshop.documents.delete(OWNER, gone.id)
    examination = await proof()
    assert (examination.findings, examination.unchecked) == ((), ())
    assert f"milvus {key}" in examination.checked
    # Not even a word of it.
    assert (await milvus.search(key, "avocet", 10)).known == 0.0
    assert (await doctor.examine(OWNER)).findings == ()


async def test_the_doctor_mends_what_milvus_has_lost(
    workshop: Workshop, indexes: Indexes, searcher: Searcher, doctor: Doctor
) -> None:
    before = await rankings(searcher)
    new = await moved(workshop, indexes, Wanted(lexical=PartSpec("milvus")))
    milvus, key = workshop.lexical["milvus"], new.generation.key
    document = await workshop.documents.find(OWNER, "handbook", "d05")
    await milvus.apply(key, [], [document.id], await milvus.revision(key))
    assert await milvus.count(key) == len(SOME) - 1
    assert (await doctor.examine(OWNER)).findings
    assert all(one.repaired for one in (await doctor.examine(OWNER, repair=True)).findings)
    assert await milvus.count(key) == len(SOME)
    assert (await doctor.examine(OWNER)).findings == ()
    assert await rankings(searcher) == before


async def test_learnt_weights_may_lie_in_milvus(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    with pytest.raises(Unsupported, match="tantivy") as refused:
        await indexes.build(OWNER, "handbook", Wanted(lexical=PartSpec("tantivy", {"weights": "model"})))
    assert "Milvus" in (refused.value.hint or "")
    begun = await indexes.build(OWNER, "handbook", Wanted(lexical=PartSpec("milvus", {"weights": "model"})))
    async with asyncio.timeout(60):
        seen = [one async for one in indexes.watch(OWNER, "handbook", begun.id)]
    now = seen[-1]
    assert now.state is GenerationState.READY
    engine, key = workshop.parts.weighted_of(now.generation), now.generation.key
    assert await engine.count(key) == len(SOME)
    assert len((await engine.search_weights(key, {token("valley07"): 1.0}, 100)).ids) == 1
    assert (await doctor.examine(OWNER)).findings == ()
