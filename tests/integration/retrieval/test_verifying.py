"""A generation is switched to only if it is as good as the one that is searched."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import numpy as np
import pytest

from kaynak.catalog import Catalog
from kaynak.domain import (
    OWNER,
    Collection,
    Conflict,
    EmbedderUnavailable,
    EngineUnavailable,
    Forbidden,
    GenerationNotFound,
    IndexVerdict,
    InvalidRequest,
    PartSpec,
    Scope,
)
from kaynak.engines import Candidates
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.indexing import Indexes, Wanted
from kaynak.retrieval import TestQuestion, Verifier
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.fake_sparse import FakeSparseEmbedder, token
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

ANIMALS = ("heron", "otter", "badger", "falcon", "beaver", "weasel", "lynx", "marten", "bittern", "stoat", "adder")
SOME = {name: f"The {name} of the {name} valley. A {name} is seen there each spring by {name} men." for name in ANIMALS}


class Deaf(FakeEmbedder):
    """Gives every text a direction that has nothing to do with its words."""

    def _vector(self, text):
        seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
        vector = np.random.default_rng(seed).standard_normal(self.dimensions).astype(np.float32)
        return vector / np.linalg.norm(vector)


class Forgetful(MemoryDense):
    """Finds only every other point, and says it is an approximation."""

    away = False

    async def search(self, name, vector, limit, **more):
        if self.away:
            raise EngineUnavailable("The engine is away.")
        found = await super().search(name, vector, limit, **more)
        return Candidates(found.ids[::2], found.scores[::2], "ann", True)


class Mumbling(FakeSparseEmbedder):
    """Weighs nothing but what all passages have."""

    async def embed_sparse(self, texts, kind):
        return [
            {key: weight for key, weight in one.items() if key == token("valley")}
            for one in await super().embed_sparse(texts, kind)
        ]


class Skipping(MemoryLexical):
    """Finds only every other entry by weights."""

    skips = False

    async def search_weights(self, name, weights, limit, **more):
        found = await super().search_weights(name, weights, limit, **more)
        step = 2 if self.skips else 1
        return Candidates(found.ids[::step], found.scores[::step], "exact")


@pytest.fixture
def workshop(catalog: Catalog, tmp_path: Path) -> Workshop:
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense(), "memory-2": Forgetful(), "memory-3": MemoryDense()},
        lexical={"memory": MemoryLexical(), "memory-2": Skipping()},
        embedder=FakeEmbedder(64),
    )
    made.models.others |= {"deaf": Deaf(64), "large": FakeEmbedder(128)}
    made.models.others["deaf"].fingerprint = "deaf"
    return made


@pytest.fixture
def indexes(workshop: Workshop) -> Indexes:
    return Indexes(workshop.catalog, workshop.parts, workshop.followers)


@pytest.fixture
def verifier(workshop: Workshop, indexes: Indexes) -> Verifier:
    return Verifier(workshop.catalog, workshop.parts, workshop.followers, indexes)


async def begun(workshop: Workshop) -> Collection:
    made = await workshop.collection()
    await workshop.bring(SOME)
    return made


async def built(indexes: Indexes, **parts: str) -> int:
    made = await indexes.build(OWNER, "handbook", Wanted(**{name: PartSpec(value) for name, value in parts.items()}))
    async with asyncio.timeout(20):
        return [now async for now in indexes.watch(OWNER, "handbook", made.id)][-1].id


def failed(verdict: IndexVerdict) -> set[str]:
    return {one.name for one in verdict.checks if not one.passed}


async def test_a_good_generation_passes_and_is_switched_to(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await begun(workshop)
    for parts in ({"dense": "memory-3"}, {"embedder": "large"}, {"chunker": "sentence"}):
        number = await built(indexes, **parts)
        verdict = await verifier.verify(OWNER, "handbook", number)
        assert verdict.passed, verdict
        assert (await indexes.get(OWNER, "handbook", number)).verdict == verdict
    assert (await indexes.switch(OWNER, "handbook", number)).generation.id == number


async def test_a_model_that_understands_nothing_is_refused(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await begun(workshop)
    number = await built(indexes, embedder="deaf")
    verdict = await verifier.verify(OWNER, "handbook", number)
    assert failed(verdict) == {"known documents"}, verdict
    with pytest.raises(Conflict, match="did not pass"):
        await indexes.switch(OWNER, "handbook", number)
    assert (await indexes.switch(OWNER, "handbook", number, force=True)).generation.id == number


async def test_an_index_that_forgets_is_refused(workshop: Workshop, indexes: Indexes, verifier: Verifier) -> None:
    await begun(workshop)
    number = await built(indexes, dense="memory-2")
    verdict = await verifier.verify(OWNER, "handbook", number)
    assert "recall" in failed(verdict)


async def test_passages_that_are_not_there_are_counted(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await begun(workshop)
    number = await built(indexes, dense="memory-3")
    engine = workshop.dense["memory-3"]
    document = (await workshop.documents.find(OWNER, "handbook", "otter")).id
    await engine.apply(f"g{number}", [], [document], await engine.revision(f"g{number}"))
    verdict = await verifier.verify(OWNER, "handbook", number)
    assert "dense count" in failed(verdict)


async def test_own_questions_count(workshop: Workshop, indexes: Indexes, verifier: Verifier) -> None:
    await begun(workshop)
    number = await built(indexes, embedder="deaf", dense="memory-3")
    good = [TestQuestion(f"{name} valley men", {name: 1.0}) for name in ANIMALS]
    verdict = await verifier.verify(OWNER, "handbook", number, questions=good, sample=5)
    (check,) = [one for one in verdict.checks if one.name == "questions"]
    assert check.wanted is not None
    assert "11 questions" in check.detail
    number = await built(indexes, dense="memory-3")
    verdict = await verifier.verify(OWNER, "handbook", number, questions=good, sample=5)
    assert verdict.passed, verdict


async def test_what_cannot_be_verified_says_why(workshop: Workshop, indexes: Indexes, verifier: Verifier) -> None:
    made = await begun(workshop)
    with pytest.raises(GenerationNotFound):
        await verifier.verify(OWNER, "handbook", 99)
    with pytest.raises(InvalidRequest):
        await verifier.verify(OWNER, "handbook", made.generation.id, sample=0)
    reader = Scope("person", frozenset({made.id}))
    with pytest.raises(Forbidden):
        await verifier.verify(reader, "handbook", made.generation.id)
    waiting = await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("memory-3")))
    with pytest.raises(Conflict, match="building"):
        await verifier.verify(OWNER, "handbook", waiting.id)
    number = await built(indexes, dense="memory-2")
    engine = workshop.dense["memory-2"]
    assert isinstance(engine, Forgetful)
    engine.away = True
    with pytest.raises(EngineUnavailable):
        await verifier.verify(OWNER, "handbook", number)


async def test_another_model_under_the_same_name_is_not_taken_for_an_engine_that_is_away(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await begun(workshop)
    new = await built(indexes, dense="memory-2")
    workshop.models.embedder.fingerprint = "another"
    with pytest.raises(EmbedderUnavailable, match="not the one"):
        await verifier.verify(OWNER, "handbook", new)


async def test_an_empty_collection_is_as_good_as_it_can_be(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await workshop.collection()
    number = await built(indexes, dense="memory-3")
    assert (await verifier.verify(OWNER, "handbook", number)).passed


async def learnt(indexes: Indexes, engine: str = "memory-2") -> int:
    wanted = Wanted(lexical=PartSpec(engine, {"weights": "model"}))
    made = await indexes.build(OWNER, "handbook", wanted)
    async with asyncio.timeout(20):
        return [now async for now in indexes.watch(OWNER, "handbook", made.id)][-1].id


async def test_learnt_weights_are_compared_with_words(workshop: Workshop, indexes: Indexes, verifier: Verifier) -> None:
    await begun(workshop)
    number = await learnt(indexes)
    verdict = await verifier.verify(OWNER, "handbook", number)
    assert verdict.passed, verdict
    checks = {one.name: one for one in verdict.checks}
    assert (checks["recall of weights"].value, checks["known words"].value) == (1.0, 1.0)
    assert checks["agreement"].wanted is None  # they need not agree
    await indexes.switch(OWNER, "handbook", number)
    moved = {
        one.name: one for one in (await verifier.verify(OWNER, "handbook", await learnt(indexes, "memory"))).checks
    }
    assert "known words" not in moved
    assert (moved["agreement"].value, moved["agreement"].wanted) == (1.0, 0.9)


async def test_weights_that_say_nothing_are_refused(workshop: Workshop, indexes: Indexes, verifier: Verifier) -> None:
    await begun(workshop)
    workshop.models.weigher = Mumbling()
    number = await learnt(indexes)
    assert failed(await verifier.verify(OWNER, "handbook", number)) == {"known words"}


async def test_an_index_of_weights_that_forgets_is_refused(
    workshop: Workshop, indexes: Indexes, verifier: Verifier
) -> None:
    await begun(workshop)
    number = await learnt(indexes)
    engine = workshop.lexical["memory-2"]
    assert isinstance(engine, Skipping)
    engine.skips = True
    assert "recall of weights" in failed(await verifier.verify(OWNER, "handbook", number))
    workshop.models.weigher.fingerprint = "another"
    with pytest.raises(EngineUnavailable):
        await verifier.verify(OWNER, "handbook", number)
