"""Generations whose lexical index holds what the model has learnt of tokens: nothing is weighed twice, lost or left."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kaynak.catalog import Catalog, retitled_passages
from kaynak.chunking import embedding_text
from kaynak.domain import (
    OWNER,
    Ailment,
    EmbedderUnavailable,
    GenerationState,
    IndexGeneration,
    PartSpec,
    Unsupported,
)
from kaynak.embedding import M3Model
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.qdrant import QdrantLexical
from kaynak.engines.qdrant.edge import EdgeTransport
from kaynak.engines.tantivy import TantivyEngine
from kaynak.indexing import Doctor, Estimating, Followers, Indexes, Proving, Wanted, follower, preparing
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.fake_sparse import token
from kaynak.testing.tiny_m3 import write_tiny_m3
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The heron of valley{number:02}.\n\nIt has a second paragraph." for number in range(12)}
TEXTS = len(SOME)
LEARNT = PartSpec("qdrant", {"weights": "model"})
ELSEWHERE = PartSpec("memory", {"weights": "model"})


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workshop]:
    monkeypatch.setattr(follower, "CHANGES", 4)
    monkeypatch.setattr(preparing, "SLICE", 4)
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense()},
        lexical={
            "memory": MemoryLexical(),
            "tantivy": TantivyEngine(tmp_path / "tantivy"),
            "qdrant": QdrantLexical(EdgeTransport(tmp_path / "qdrant")),
        },
    )
    made.models.others["wordless"] = FakeEmbedder(8)
    await made.collection()
    await made.bring(SOME)
    yield made
    for engine in made.lexical.values():
        await engine.close()


@pytest.fixture
def indexes(workshop: Workshop) -> Indexes:
    return Indexes(workshop.catalog, workshop.parts, workshop.followers)


@pytest.fixture
def doctor(workshop: Workshop) -> Doctor:
    return Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers)


async def built(indexes: Indexes, lexical: PartSpec = LEARNT) -> tuple[IndexGeneration, list[str]]:
    """Builds a generation; returns it, and what it was seen to wait for."""
    begun = await indexes.build(OWNER, "handbook", Wanted(lexical=lexical))
    waits: list[str] = []
    async with asyncio.timeout(40):
        async for now in indexes.watch(OWNER, "handbook", begun.id):
            waits += [one.error for one in now.sides if one.error]
    assert now.state is GenerationState.READY
    return now, waits


def weighed(workshop: Workshop) -> list[str]:
    return [text for texts, kind in workshop.models.weigher.calls for text in texts if kind == "document"]


async def kept(workshop: Workshop) -> int:
    async with workshop.catalog.read() as unit:
        found = await unit.connection.exec_driver_sql(
            "SELECT count(*) FROM kaynak.embeddings WHERE embedder_fingerprint = %s",
            (workshop.models.weigher.fingerprint,),
        )
        return int(found.scalar_one())


async def finds(workshop: Workshop, generation: IndexGeneration, word: str) -> int:
    engine = workshop.parts.weighted_of(generation.generation)
    return len((await engine.search_weights(generation.generation.key, {token(word): 1.0}, 100)).ids)


async def test_what_cannot_weigh_is_refused(workshop: Workshop, indexes: Indexes) -> None:
    with pytest.raises(Unsupported, match="tantivy") as refused:
        await indexes.build(OWNER, "handbook", Wanted(lexical=PartSpec("tantivy", {"weights": "model"})))
    assert "qdrant" in (refused.value.hint or "")
    with pytest.raises(Unsupported, match="wordless"):
        await indexes.build(OWNER, "handbook", Wanted(embedder=PartSpec("wordless"), lexical=LEARNT))
    with pytest.raises(Unsupported, match="must be"):
        await indexes.build(OWNER, "handbook", Wanted(lexical=PartSpec("qdrant", {"weights": "words"})))
    assert len(await indexes.list(OWNER, "handbook")) == 1


async def test_a_move_to_another_engine_weighs_nothing(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    new, _ = await built(indexes)
    assert new.generation.weights_fingerprint == workshop.models.weigher.fingerprint
    assert sorted(weighed(workshop)) == sorted(set(weighed(workshop)))
    assert (len(weighed(workshop)), await kept(workshop)) == (TEXTS, TEXTS)
    assert await workshop.lexical["qdrant"].count(new.generation.key) == TEXTS
    assert await finds(workshop, new, "heron") == len(SOME)
    other, _ = await built(indexes, ELSEWHERE)
    assert await workshop.lexical["memory"].count(other.generation.key) == TEXTS
    assert await finds(workshop, other, "valley07") == 1
    assert len(weighed(workshop)) == TEXTS
    assert (await doctor.examine(OWNER)).findings == ()


async def test_documents_come_change_and_go(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    new, _ = await built(indexes)
    await indexes.switch(OWNER, "handbook", new.id, force=True)
    async with workshop.working():
        await workshop.done(await workshop.send({"later": "A bittern came later."}))
        document = await workshop.documents.find(OWNER, "handbook", "d03")
        await workshop.documents.update(OWNER, document.id, title="Cormorants")
        async with asyncio.timeout(20):
            while not await finds(workshop, new, "bittern") or await finds(workshop, new, "cormorants") < 1:
                await asyncio.sleep(0.05)
    assert len(weighed(workshop)) == len(set(weighed(workshop)))
    gone = await workshop.documents.find(OWNER, "handbook", "d05")
    proving = Proving(workshop.catalog, workshop.blobs, workshop.followers)
    proof = await proving.proof(OWNER, "handbook", {gone.id: "d05"})
    before = await kept(workshop)
    await workshop.documents.delete(OWNER, gone.id)
    examination = await proof()
    assert (examination.findings, examination.unchecked) == ((), ())
    assert f"qdrant {new.generation.key}" in examination.checked
    assert await finds(workshop, new, "valley05") == 0
    assert await kept(workshop) == before - 1
    assert (await doctor.examine(OWNER)).findings == ()


async def test_a_collection_may_begin_with_weights(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    tantivy = replace(workshop.spec, lexical=PartSpec("tantivy", {"weights": "model"}))
    with pytest.raises(Unsupported):
        await workshop.collections.create(OWNER, "fresh", spec=tantivy)
    made = await workshop.collections.create(OWNER, "fresh", spec=replace(workshop.spec, lexical=LEARNT))
    assert made.generation.weights_fingerprint == workshop.models.weigher.fingerprint
    await workshop.bring({"a": "A heron.", "b": "A bittern."}, "fresh")
    await workshop.followers.catch_up(made.id, 2)
    (only,) = await indexes.list(OWNER, "fresh")
    assert (await finds(workshop, only, "heron"), await finds(workshop, only, "bittern")) == (1, 1)
    await workshop.bring({"a": "A cormorant."}, "fresh")
    await workshop.followers.catch_up(made.id, 3)
    assert (await finds(workshop, only, "heron"), await finds(workshop, only, "cormorant")) == (0, 1)
    assert await kept(workshop) == 2
    assert (await doctor.examine(OWNER)).findings == ()


async def test_what_is_weighed_too_late_is_not_kept(workshop: Workshop) -> None:
    async with workshop.catalog.begin() as unit:
        await unit.token_weights.save("fake-weights", {b"text of a passage that was deleted": {1: 0.5}})
    assert await kept(workshop) == 0


async def test_removing_a_generation_frees_its_weights(workshop: Workshop, indexes: Indexes) -> None:
    first, _ = await built(indexes)
    second, _ = await built(indexes, ELSEWHERE)
    await indexes.remove(OWNER, "handbook", first.id)
    assert await kept(workshop) == TEXTS
    await indexes.remove(OWNER, "handbook", second.id)
    assert await kept(workshop) == 0
    async with workshop.catalog.read() as unit:
        assert len(await unit.embeddings.sample(first.generation, 100)) == TEXTS


async def test_an_outage_and_a_restart_in_the_middle(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    weigher = workshop.models.weigher
    begun = await indexes.build(OWNER, "handbook", Wanted(lexical=LEARNT))
    for _ in range(2):
        await workshop.followers.fill(begun.generation, 0.01)
    weigher.failures = [EmbedderUnavailable("The model sleeps.")] * 3
    done = len(weighed(workshop))
    assert 0 < done < TEXTS
    # Another process goes on, which knows nothing but what is stored.
    again = Followers(workshop.catalog, workshop.parts)
    others = Indexes(workshop.catalog, workshop.parts, again)
    waits = []
    async with asyncio.timeout(40):
        async for now in others.watch(OWNER, "handbook", begun.id):
            waits += [(one.side, one.error) for one in now.sides if one.error]
    assert ("lexical", "The model sleeps.") in waits
    assert now.state is GenerationState.READY
    assert {side for side, _ in waits} == {"lexical"}
    asked = [text for texts, _ in weigher.calls for text in texts]
    assert len(asked) <= TEXTS + 3 * preparing.SLICE
    assert set(asked) == set(weighed(workshop))
    assert await kept(workshop) == await workshop.lexical["qdrant"].count(begun.generation.key) == TEXTS
    assert (await doctor.examine(OWNER)).findings == ()


async def test_a_document_without_sound_weights_holds_up_nobody(
    workshop: Workshop, indexes: Indexes, doctor: Doctor
) -> None:
    workshop.models.weigher.odd = {"valley04": math.nan}
    new, _ = await built(indexes)
    assert new.faults == 1
    assert await workshop.lexical["qdrant"].count(new.generation.key) == TEXTS - 1
    async with workshop.catalog.read() as unit:
        counts = await unit.chunks.count_indexed(new.generation)
    assert counts == {"dense": TEXTS, "lexical": TEXTS - 1}
    found = await doctor.examine(OWNER)
    assert [(one.ailment, one.count) for one in found.findings] == [(Ailment.REFUSED, 1)]
    workshop.models.weigher.odd = {}
    assert all(one.repaired for one in (await doctor.examine(OWNER, repair=True)).findings)
    assert await workshop.lexical["qdrant"].count(new.generation.key) == TEXTS
    assert (await doctor.examine(OWNER)).findings == ()


async def test_lost_weights_are_made_again(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    new, _ = await built(indexes)
    async with workshop.catalog.begin() as unit:
        await unit.connection.exec_driver_sql(
            "DELETE FROM kaynak.embeddings WHERE embedder_fingerprint = 'fake-weights' AND text_hash = "
            "(SELECT min(text_hash) FROM kaynak.embeddings)"
        )
    found = await doctor.examine(OWNER)
    assert (Ailment.MISSING, f"generation {new.generation.key}") in [(one.ailment, one.where) for one in found.findings]
    assert all(one.repaired for one in (await doctor.examine(OWNER, repair=True)).findings)
    assert (await doctor.examine(OWNER)).findings == ()
    assert await kept(workshop) == TEXTS


async def test_another_head_is_another_generation(workshop: Workshop, indexes: Indexes, doctor: Doctor) -> None:
    new, _ = await built(indexes)
    await indexes.switch(OWNER, "handbook", new.id, force=True)
    workshop.models.weigher.fingerprint = "other weights"
    found = await doctor.examine(OWNER)
    assert [(one.ailment, one.where) for one in found.findings] == [
        (Ailment.MISCONFIGURED, f"generation {new.generation.key}")
    ]
    await workshop.bring({"later": "A bittern came later."})
    lexical = workshop.followers.of(new.generation)[1]
    with pytest.raises(EmbedderUnavailable, match="not the one"):
        await lexical.step()
    assert await finds(workshop, new, "bittern") == 0
    newest, _ = await built(indexes)
    assert newest.generation.weights_fingerprint == "other weights"
    assert newest.generation.spec == new.generation.spec


async def test_what_it_takes_is_said_before(workshop: Workshop, indexes: Indexes) -> None:
    estimating = Estimating(workshop.catalog, workshop.parts)
    words = await estimating.estimate(OWNER, "handbook", Wanted(lexical=PartSpec("qdrant")))
    learnt = await estimating.estimate(OWNER, "handbook", Wanted(lexical=LEARNT))
    assert (words.texts, learnt.texts) == (0, TEXTS)
    assert learnt.tokens > 0
    assert learnt.bytes > words.bytes
    await built(indexes)
    assert (await estimating.estimate(OWNER, "handbook", Wanted(lexical=ELSEWHERE))).texts == 0


async def test_the_real_head_from_text_to_score(
    workshop: Workshop, indexes: Indexes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = M3Model.load(write_tiny_m3(tmp_path / "m3", seed=3), threads=1)
    monkeypatch.setattr(workshop.models, "weigher", model)
    try:
        new, _ = await built(indexes)
        assert new.generation.weights_fingerprint == model.fingerprint
        (query,) = await model.embed_sparse(["the heron of valley07"], "query")
        found = await workshop.parts.weighted_of(new.generation).search_weights(new.generation.key, query, 100)
        async with workshop.catalog.read() as unit:
            documents = await unit.documents.ids(new.generation.collection_id, limit=100)
            passages = await retitled_passages(unit.connection, new.generation, documents)
        texts = [embedding_text(one.title, one.headings, one.text) for one in passages]
        weights = await model.embed_sparse(texts, "document")
        scores = {
            passage.id: sum(query[key] * weight for key, weight in one.items() if key in query)
            for passage, one in zip(passages, weights, strict=True)
        }
        assert len(found.ids) == TEXTS
        assert found.scores == pytest.approx([scores[key] for key in found.ids], rel=2e-3)
    finally:
        await model.close()
