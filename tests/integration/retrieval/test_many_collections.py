"""Collections with different models in one search: none drowns another."""

from __future__ import annotations

import numpy as np
import pytest

from kaynak.domain import OWNER, GroupBy, SearchMode, SearchRequest
from kaynak.testing.fake_embedder import FakeEmbedder

pytestmark = pytest.mark.anyio

TOPICS = ["boats", "coffee", "taxes", "penguins", "trains"]
PLANTED = {"alike": "widgets calibrated by hand", "apart": "gadgets polished with oil"}
COLLECTIONS = ("alike", "apart")


class Alike(FakeEmbedder):
    """A model whose vectors all point in much the same direction: unrelated texts have a cosine of about .5."""

    def __init__(self):
        super().__init__(dimensions=48)
        self.fingerprint = "alike"

    async def embed(self, texts, kind):
        vectors = await super().embed(texts, kind)
        if not len(vectors):
            return vectors
        shared = np.zeros(vectors.shape[1], np.float32)
        shared[0] = 1.0
        mixed = vectors + shared
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


async def filled(world):
    world.pool.embedders["alike"] = Alike()
    collections = [await world.collection("alike", embedder="alike"), await world.collection("apart")]
    for one in collections:
        for topic in TOPICS:
            for number in range(3):
                words = " ".join(f"{topic}{part}{number}" for part in "abcdef")
                await world.add(one, f"{topic}-{number}", [f"All of {topic}: {words} in {one.name}."])
        await world.add(one, "planted", [f"The rules explain {PLANTED[one.name]}."])
        both = "Zebra stripes are counted on every second morning of the month."
        await world.add(one, "both", [f"{both} Signed, {one.name}."])
    await world.index(*collections)


def ask(query, mode, **more):
    return SearchRequest(query, COLLECTIONS, mode=mode, **more)


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_the_answer_comes_first_whichever_collection_has_it(world, mode):
    await filled(world)
    for name, planted in PLANTED.items():
        hits = (await world.searcher.search(ask(planted, mode), OWNER)).hits
        assert (hits[0].collection, hits[0].external_id) == (name, "planted"), mode


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_what_both_have_stands_together_at_the_top(world, mode):
    await filled(world)
    request = ask("zebra stripes counted every second morning", mode, group_by=GroupBy.DOCUMENT)
    hits = (await world.searcher.search(request, OWNER)).hits
    assert {(hit.collection, hit.external_id) for hit in hits[:2]} == {(name, "both") for name in COLLECTIONS}
    assert hits[1].score > 0.6 * hits[0].score


@pytest.mark.parametrize("mode", [SearchMode.DENSE, SearchMode.HYBRID])
async def test_a_topic_of_both_is_shown_from_both(world, mode):
    await filled(world)
    for topic in TOPICS:
        hits = (await world.searcher.search(ask(f"all of {topic}", mode, limit=6), OWNER)).hits
        from_each = [sum(hit.collection == name for hit in hits) for name in COLLECTIONS]
        assert min(from_each) >= 2, (topic, from_each)


async def test_the_trace_tells_each_collections_weights_and_background(world):
    await filled(world)
    trace = (await world.searcher.search(ask("zebra stripes", SearchMode.HYBRID, explain=True), OWNER)).trace
    assert set(trace.collections) == set(COLLECTIONS)
    backgrounds = {name: trace.collections[name]["background_cosine"] for name in COLLECTIONS}
    assert backgrounds["alike"] > backgrounds["apart"] + 0.2
