from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from kaynak.catalog import Catalog, miscounted
from kaynak.domain import (
    OWNER,
    CollectionNotFound,
    Conflict,
    EngineUnavailable,
    GenerationNotFound,
    GenerationSpec,
    GenerationState,
    IndexCheck,
    IndexGeneration,
    IndexVerdict,
    InvalidRequest,
    PartSpec,
    Unsupported,
)
from kaynak.embedding import Embedder
from kaynak.embedding.soundness import Sound
from kaynak.engines import Point
from kaynak.engines.memory import MemoryDense, MemoryLexical
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.indexing import Indexes, Wanted
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio

SOME = {f"d{number:02}": f"The text of document {number}.\n\nIt has a second paragraph." for number in range(12)}
LATER = {f"later-{number}": f"Something that came later, number {number}." for number in range(3)}
GOOD = IndexVerdict(True, 0, (), datetime(2026, 1, 1, tzinfo=UTC))
BAD = IndexVerdict(False, 0, (IndexCheck("counts", False, 1, 2, "1 of 2 passages"),), GOOD.created_at)


class Poisoned(MemoryDense):
    """Refuses points of some documents, and is away as often as it is told."""

    refused: frozenset[UUID] = frozenset()
    away = 0

    async def apply(self, name: str, upserts: Sequence[Point], deletes: Sequence[UUID], revision: int) -> None:
        if self.away:
            self.away -= 1
            raise EngineUnavailable("The engine is away.")
        if any(one.document_id in self.refused for one in upserts):
            raise InvalidRequest("A number is too large.")
        await super().apply(name, upserts, deletes, revision)


@pytest.fixture
def workshop(catalog: Catalog, tmp_path: Path) -> Workshop:
    made = Workshop(
        catalog,
        tmp_path,
        dense={"memory": MemoryDense(), "memory-2": Poisoned(), "pgvector": PgVectorEngine(catalog.url, connections=2)},
        lexical={"memory": MemoryLexical(), "memory-2": MemoryLexical()},
    )
    made.models.others["small"] = FakeEmbedder(8)
    return made


@pytest.fixture
async def indexes(workshop: Workshop):
    yield Indexes(workshop.catalog, workshop.parts, workshop.followers)
    await workshop.dense["pgvector"].close()


def embedded(embedder: Embedder) -> int:
    assert isinstance(embedder, FakeEmbedder)
    return sum(len(texts) for texts, kind in embedder.calls if kind == "document")


async def built(indexes: Indexes, **parts: str) -> IndexGeneration:
    wanted = Wanted(**{name: PartSpec(value) for name, value in parts.items()})
    begun = await indexes.build(OWNER, "handbook", wanted)
    async with asyncio.timeout(20):
        seen = [now async for now in indexes.watch(OWNER, "handbook", begun.id)]
    return seen[-1]


async def held(workshop: Workshop, generation: IndexGeneration) -> tuple[int, int]:
    spec, key = generation.generation.spec, generation.generation.key
    return await workshop.dense[spec.dense.name].count(key), await workshop.lexical[spec.lexical.name].count(key)


async def chunks(catalog: Catalog, generation: IndexGeneration) -> int:
    async with catalog.read() as unit:
        documents = await unit.documents.ids(generation.generation.collection_id, limit=1000)
        return sum((await unit.chunks.count_of_documents(generation.generation, documents)).values())


async def test_it_is_built_beside_the_one_that_is_searched(workshop: Workshop, indexes: Indexes) -> None:
    made = await workshop.collection()
    await workshop.bring(SOME)
    new = await built(indexes, chunker="sentence", embedder="small")
    assert (new.state, new.generation.active, new.lag) == (GenerationState.READY, False, 0)
    count = await chunks(workshop.catalog, new)
    assert await held(workshop, new) == (count, count)
    assert new.chunks == count
    async with workshop.catalog.read() as unit:
        assert await miscounted(unit.connection) == 0
    assert embedded(workshop.models.others["small"]) > 0
    async with workshop.catalog.read() as unit:
        assert await unit.generations.active(made.id) == made.generation


async def test_a_move_to_another_engine_embeds_nothing(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    before = embedded(workshop.embedder)
    for engine in ("pgvector", "memory-2"):
        new = await built(indexes, dense=engine)
        count = await chunks(workshop.catalog, new)
        assert await held(workshop, new) == (count, count)
    assert embedded(workshop.embedder) == before


async def test_other_chunks_embed_only_new_texts(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring({"short": "One short sentence.", "long": "word " * 700})
    before = embedded(workshop.embedder)
    new = await built(indexes, chunker="fixed")
    fresh = embedded(workshop.embedder) - before
    assert 0 < fresh < await chunks(workshop.catalog, new)


async def test_what_comes_meanwhile_is_in_both(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    new = await built(indexes, chunker="sentence", embedder="small", dense="pgvector")
    async with workshop.working():
        await workshop.done(await workshop.send(LATER))
        document = await workshop.documents.find(OWNER, "handbook", "d00")
        await workshop.documents.delete(OWNER, document.id)
        async with asyncio.timeout(15):
            while (now := await indexes.get(OWNER, "handbook", new.id)).lag:
                await asyncio.sleep(0.05)
    count = await chunks(workshop.catalog, now)
    assert await held(workshop, now) == (count, count)
    first = (await indexes.list(OWNER, "handbook"))[-1]
    assert await held(workshop, first) == (await chunks(workshop.catalog, first),) * 2


async def test_a_new_title_is_embedded_in_all(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    new = await built(indexes, chunker="sentence", embedder="small")
    small = workshop.models.others["small"]
    before = embedded(small)
    async with workshop.working():
        document = await workshop.documents.find(OWNER, "handbook", "d03")
        await workshop.documents.update(OWNER, document.id, title="A title that is new")
        async with asyncio.timeout(15):
            while embedded(small) == before or (await indexes.get(OWNER, "handbook", new.id)).lag:
                await asyncio.sleep(0.05)
    assert any("A title that is new" in text for texts, _ in small.calls for text in texts)
    assert await held(workshop, new) == (await chunks(workshop.catalog, new),) * 2


async def test_switching_and_going_back(workshop: Workshop, indexes: Indexes) -> None:
    made = await workshop.collection()
    await workshop.bring(SOME)
    with pytest.raises(Conflict):
        await indexes.rollback(OWNER, "handbook")
    new = await built(indexes, embedder="small")
    with pytest.raises(Conflict, match="not verified"):
        await indexes.switch(OWNER, "handbook", new.id)
    await indexes.judge(OWNER, "handbook", new.id, BAD)
    with pytest.raises(Conflict, match="1 of 2 passages"):
        await indexes.switch(OWNER, "handbook", new.id)
    await indexes.judge(OWNER, "handbook", new.id, GOOD)
    assert (await indexes.switch(OWNER, "handbook", new.id)).generation.id == new.id
    await workshop.bring(LATER)
    assert (await indexes.rollback(OWNER, "handbook")).generation.id == made.generation.id
    # What came while the other one was searched is there.
    first = await indexes.get(OWNER, "handbook", made.generation.id)
    assert await held(workshop, first) == (await chunks(workshop.catalog, first),) * 2
    assert (await indexes.rollback(OWNER, "handbook")).generation.id == new.id


async def test_removing_frees_what_no_other_needs(workshop: Workshop, indexes: Indexes) -> None:
    made = await workshop.collection()
    await workshop.bring(SOME)
    new = await built(indexes, chunker="sentence", embedder="small")
    with pytest.raises(Conflict, match="go through"):
        await indexes.remove(OWNER, "handbook", made.generation.id)
    await indexes.remove(OWNER, "handbook", new.id)
    with pytest.raises(GenerationNotFound):
        await indexes.get(OWNER, "handbook", new.id)
    assert not await workshop.dense["memory"].exists(new.generation.key)
    async with workshop.catalog.read() as unit:
        small = workshop.models.others["small"].fingerprint
        hashes = [key for key, _ in await unit.embeddings.sample(made.generation, 100)]
        assert len(hashes) > 0
        found = await unit.connection.exec_driver_sql(
            "SELECT count(*) FILTER (WHERE embedder_fingerprint = %s), count(*) FROM kaynak.embeddings", (small,)
        )
        assert found.one() == (0, len(hashes))
        cut = await unit.connection.exec_driver_sql("SELECT count(DISTINCT chunker_fingerprint) FROM kaynak.chunks")
        assert cut.scalar_one() == 1


async def test_the_same_twice_is_refused(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    begun = await asyncio.gather(
        *(indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("pgvector"))) for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in begun) == ["Conflict", "Conflict", "IndexGeneration"]
    with pytest.raises(InvalidRequest):
        await indexes.build(OWNER, "handbook", Wanted(dense=PartSpec("nothing")))
    with pytest.raises(Unsupported, match="“pgvector” has no index of words here"):
        await indexes.build(OWNER, "handbook", Wanted(lexical=PartSpec("pgvector")))
    with pytest.raises(CollectionNotFound):
        await indexes.build(OWNER, "elsewhere", Wanted())
    assert len(await indexes.list(OWNER, "handbook")) == 2


async def test_a_document_that_an_index_cannot_take_does_not_hold_up_the_others(
    workshop: Workshop, indexes: Indexes
) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    poison = {(await workshop.documents.find(OWNER, "handbook", name)).id for name in ("d03", "d07")}
    engine = workshop.dense["memory-2"]
    assert isinstance(engine, Poisoned)
    engine.refused, engine.away = frozenset(poison), 2
    new = await built(indexes, dense="memory-2")
    total = await chunks(workshop.catalog, new)
    dense, lexical = await held(workshop, new)
    assert lexical == total > dense > 0
    assert new.faults == 2
    async with workshop.catalog.read() as unit:
        faults = await unit.index_states.faults(new.id)
    assert {one.document_id for one in faults} == poison
    assert all("too large" in one.error for one in faults)
    # It is tried again with the next change of the document, and forgiven.
    engine.refused = frozenset()
    await workshop.bring({"d03": "Another text.", "d07": "Another one, too."})
    await workshop.followers.catch_up(new.generation.collection_id, new.revision + 2, generation=new.generation)
    assert (await indexes.get(OWNER, "handbook", new.id)).faults == 0
    assert await held(workshop, new) == (await chunks(workshop.catalog, new),) * 2


async def test_one_that_was_made_just_now_is_found(
    workshop: Workshop, indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await workshop.collection()

    async def before(*_: object) -> list[IndexGeneration]:
        return []

    monkeypatch.setattr(Indexes, "list", before)
    assert (await indexes.get(OWNER, "handbook", made.generation.id)).generation == made.generation
    with pytest.raises(GenerationNotFound):
        await indexes.get(OWNER, "handbook", 10**30)


async def test_what_another_process_could_not_write_is_forgiven_too(workshop: Workshop, indexes: Indexes) -> None:
    made = await workshop.collection()
    await workshop.bring(SOME)
    document = await workshop.documents.find(OWNER, "handbook", "d03")
    async with workshop.catalog.begin() as unit:
        await unit.index_states.fault(made.generation.id, "dense", document.id, "It was too large, elsewhere.")
    await workshop.bring({"d03": "Another text."})
    assert (await indexes.get(OWNER, "handbook", made.generation.id)).faults == 0


async def test_a_model_that_gives_no_numbers(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring(SOME)

    class Odd(FakeEmbedder):
        async def embed(self, texts, kind):
            vectors = await super().embed(texts, kind)
            for at, text in enumerate(texts):
                if "document 5" in text:
                    vectors[at] = np.nan
            return vectors

    workshop.models.others["odd"] = Odd(4)
    new = await built(indexes, embedder="odd")
    async with workshop.catalog.read() as unit:
        faults = await unit.index_states.faults(new.id)
    bad = (await workshop.documents.find(OWNER, "handbook", "d05")).id
    assert {one.document_id for one in faults} == {bad}
    assert all("not finite" in one.error for one in faults)


async def test_a_text_of_which_a_model_makes_nothing_sound(workshop: Workshop, indexes: Indexes) -> None:
    """It does not hold up the others; a model that makes nothing sound of anything is waited for."""
    await workshop.collection()
    await workshop.bring(SOME)

    class Odd(FakeEmbedder):
        spoiled = "document 5"

        async def embed(self, texts, kind):
            vectors = await super().embed(texts, kind)
            return [one * np.nan if self.spoiled in text else one for one, text in zip(vectors, texts, strict=True)]

    workshop.models.others["odd"] = Sound(Odd(4), "The odd model")
    new = await built(indexes, embedder="odd")
    async with workshop.catalog.read() as unit:
        faults = await unit.index_states.faults(new.id)
    bad = (await workshop.documents.find(OWNER, "handbook", "d05")).id
    assert {one.document_id for one in faults} == {bad}
    assert all("none (NaN)" in one.error for one in faults)
    ill = Odd(8)
    ill.spoiled = ""
    workshop.models.others["ill"] = Sound(ill, "The ill model")
    begun = await indexes.build(OWNER, "handbook", Wanted(embedder=PartSpec("ill")))
    await workshop.followers.fill(begun.generation, 1)
    now = await indexes.get(OWNER, "handbook", begun.id)
    assert (now.state, now.faults) == (GenerationState.BUILDING, 0)
    assert any("NaN" in (one.error or "") for one in now.sides)


async def test_another_model_under_the_same_name_is_noticed(workshop: Workshop, indexes: Indexes) -> None:
    await workshop.collection()
    await workshop.bring(SOME)
    begun = await indexes.build(OWNER, "handbook", Wanted(embedder=PartSpec("small")))
    good = workshop.models.others["small"]
    workshop.models.others["small"] = other = FakeEmbedder(8)
    other.fingerprint = "another"
    await workshop.followers.fill(begun.generation, 1)
    now = await indexes.get(OWNER, "handbook", begun.id)
    assert now.state is GenerationState.BUILDING
    assert any("not the one" in (one.error or "") for one in now.sides) or not now.sides
    workshop.models.others["small"] = good
    async with asyncio.timeout(20):
        assert [one async for one in indexes.watch(OWNER, "handbook", begun.id)][-1].state is GenerationState.READY


async def test_spec_of_the_searched_one_is_kept_where_nothing_else_is_wanted() -> None:
    spec = GenerationSpec(dense=PartSpec("memory"), lexical=PartSpec("memory-2"))
    assert Wanted(dense=PartSpec("pgvector")).over(spec) == GenerationSpec(
        dense=PartSpec("pgvector"), lexical=PartSpec("memory-2")
    )
