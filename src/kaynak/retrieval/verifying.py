from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kaynak.catalog import Catalog
from kaynak.domain import (
    Collection,
    Conflict,
    EmbedderUnavailable,
    EngineUnavailable,
    Generation,
    GroupBy,
    IndexCheck,
    IndexGeneration,
    IndexSide,
    IndexVerdict,
    InvalidRequest,
    Scope,
    SearchMode,
    SearchRequest,
)
from kaynak.domain.sentences import sentence_spans
from kaynak.indexing import Followers, Indexes, Parts
from kaynak.retrieval.exactness import recall, weights_recall
from kaynak.retrieval.searcher import Searcher

SAMPLE = 100
"""Passages that are looked for."""
COMPARED = 30
"""Queries of which the first documents are compared with those of the generation that is searched."""
DEPTH = 10
RECALL_LEAST = 0.95
"""Share of the truly nearest passages that an index has to find."""
KNOWN_LOST, ONE_LOST = 0.05, 1.5
"""Share of the known documents that a new generation may miss more than the one that is searched; one, of a few."""
QUESTIONS_LOST = 0.02
AGREED_LEAST = 0.9
_COUNT_TRIES, _COUNT_SECONDS = 20, 0.25
_CATCH_UP = 60.0
_QUERY = 300
_WORDS = 0.7


@dataclass(frozen=True, slots=True)
class TestQuestion:
    """A question whose answer is known.

    Attributes:
        text: The question.
        documents: External ids of the documents that answer it, with how well they do: 1 and more.
    """

    text: str
    documents: Mapping[str, float]

    __test__ = False  # not one of pytest's


class Verifier:
    """Compares an index generation with the one that is searched, with the catalog, and with exact search.

    Args:
        catalog: The truth.
        parts: Engines and models.
        followers: Bring it up to date.
        indexes: Knows the generations, and keeps what was found.
    """

    def __init__(self, catalog: Catalog, parts: Parts, followers: Followers, indexes: Indexes) -> None:
        self._catalog = catalog
        self._parts = parts
        self._followers = followers
        self._indexes = indexes

    async def verify(
        self,
        scope: Scope,
        collection: str,
        number: int,
        *,
        questions: Sequence[TestQuestion] = (),
        sample: int = SAMPLE,
    ) -> IndexVerdict:
        """Returns whether searches may go through a generation, and keeps that with it.

        Args:
            scope: Who asks.
            collection: Name of the collection.
            number: Of the generation.
            questions: Questions whose answers are known.
            sample: Passages that are looked for.

        Raises:
            GenerationNotFound: The collection has none of that number.
            Forbidden: The caller may not manage it.
            Conflict: It is not built yet.
            EngineUnavailable: One of its engines does not answer.
            EmbedderUnavailable: Its model does not, or is another one by now.
            RevisionTimeout: Its indexes do not get the last changes in time.
        """
        if not 1 <= sample <= 1000:
            raise InvalidRequest(f"A sample has 1 to 1,000 passages, not {sample}.")
        now = await self._indexes.get(scope, collection, number)
        if now.state != "ready":
            raise Conflict(f"Index generation {number} is {now.state}.", hint="Wait until it is ready.")
        generation = now.generation
        # What is found is told in numbers only, so it is looked at as a whole, whoever may read what.
        whole = Scope("verifier", frozenset({generation.collection_id}))
        async with self._catalog.read() as unit:
            searched = await unit.collections.get_by_id(whole, generation.collection_id)
        await self._followers.catch_up(searched.id, searched.revision, _CATCH_UP, generation=generation)
        searcher = Searcher(self._catalog, self._parts, self._followers)
        looks = _Looks(searcher, whole, searched, generation)
        try:
            checks = [*await self._counts(now, whole), await self._recall(generation, sample)]
            if generation.weights_fingerprint is not None:
                checks.append(await self._weights_recall(generation, sample))
            checks += await self._known_items(looks, searched, generation, sample)
            if questions:
                checks.append(await _answers(looks, questions))
        finally:
            await searcher.close()
        passed = all(one.passed for one in checks)
        verdict = IndexVerdict(passed, searched.revision, tuple(checks), datetime.now(UTC))
        await self._indexes.judge(scope, collection, number, verdict)
        return verdict

    async def _counts(self, now: IndexGeneration, whole: Scope) -> list[IndexCheck]:
        """Compares how many passages the indexes have with how many they should have, at one revision."""
        generation = now.generation
        sides: tuple[IndexSide, ...] = ("dense", "lexical")
        engines = dict(zip(sides, (self._parts.dense_of(generation), self._parts.lexical_of(generation)), strict=True))
        checks: list[IndexCheck] = []
        for _ in range(_COUNT_TRIES):
            async with self._catalog.read() as unit:
                before = (await unit.collections.get_by_id(whole, generation.collection_id)).revision
                wanted = await unit.chunks.count_indexed(generation)
            reached = [await engine.revision(generation.key) for engine in engines.values()]
            counts = {side: await engine.count(generation.key) for side, engine in engines.items()}
            async with self._catalog.read() as unit:
                after = (await unit.collections.get_by_id(whole, generation.collection_id)).revision
            checks = [_count(side, counts[side], wanted[side]) for side in sides]
            if all(one.passed for one in checks) or (before == after and min(reached) >= after):
                return checks
            await asyncio.sleep(_COUNT_SECONDS)  # something has just come in
        return checks

    async def _recall(self, generation: Generation, sample: int) -> IndexCheck:
        engine = self._parts.dense_of(generation)
        async with self._catalog.read() as unit:
            rows = await unit.embeddings.sample(generation, sample)
        texts = [_remembered(text) for _, text in rows]
        embedder = await self._parts.embedders.get(generation.spec.embedder.name)
        if embedder.fingerprint != generation.embedder_fingerprint:
            raise EmbedderUnavailable(
                f"The model “{generation.spec.embedder.name}” is not the one that it was built with.",
                hint="Put the old model back, or build a new generation: kaynak index build",
            )
        queries = await embedder.embed(texts, "query")
        found = await recall(self._catalog, generation, engine, queries, DEPTH) if rows else 1.0
        said = f"{found:.1%} of the {DEPTH} nearest passages, for {len(rows)} queries"
        return IndexCheck("recall", found >= RECALL_LEAST, found, RECALL_LEAST, said)

    async def _weights_recall(self, generation: Generation, sample: int) -> IndexCheck:
        async with self._catalog.read() as unit:
            items = await unit.chunks.sample(generation, sample)
        weigher = await self._parts.embedders.sparse(generation.spec.embedder.name)
        if weigher.fingerprint != generation.weights_fingerprint:
            raise EngineUnavailable("What weighs tokens is not what the generation was built with.")
        queries = await weigher.embed_sparse([_remembered(text) for _, text in items], "query")
        engine = self._parts.weighted_of(generation)
        found = await weights_recall(self._catalog, generation, engine, queries, DEPTH)
        said = f"{found:.1%} of the {DEPTH} passages nearest by their weights, for {len(items)} queries"
        return IndexCheck("recall of weights", found >= RECALL_LEAST, found, RECALL_LEAST, said)

    async def _known_items(
        self, looks: _Looks, searched: Collection, generation: Generation, sample: int
    ) -> list[IndexCheck]:
        """Looks for documents by a sentence of theirs, through both generations."""
        async with self._catalog.read() as unit:
            items = await unit.chunks.sample(generation, sample)
        # Of a few documents, many are among the first ten by chance.
        first = max(1, min(DEPTH, searched.documents // 4))
        # A lexical side of another kind has to find what the one of now finds; of the same kind, it is compared below.
        alike = generation.weights_fingerprint == searched.generation.weights_fingerprint
        modes = {SearchMode.DENSE: "by meaning"} | ({} if alike else {SearchMode.LEXICAL: "on the lexical side"})
        kept = dict.fromkeys(modes, (0, 0))
        shared: list[float] = []
        for at, (document, text) in enumerate(items):
            query = _remembered(text)
            for mode, (here, there) in kept.items():
                found = await looks.at(query, generation, mode)
                before = await looks.at(query, searched.generation, mode)
                kept[mode] = here + (document in found[:first]), there + (document in before[:first])
            if at < COMPARED:
                new, old = await looks.at(query, generation), await looks.at(query, searched.generation)
                shared.append(len(set(new) & set(old)) / max(1, len(set(new) | set(old))))
        count = max(1, len(items))
        checks = [_known(modes[mode], here / count, there / count, count) for mode, (here, there) in kept.items()]
        same = alike and (generation.embedder_fingerprint, generation.chunker_fingerprint) == (
            searched.generation.embedder_fingerprint,
            searched.generation.chunker_fingerprint,
        )
        agreed = sum(shared) / len(shared) if shared else 1.0
        agreement = IndexCheck(
            "agreement",
            not same or agreed >= AGREED_LEAST,
            agreed,
            AGREED_LEAST if same else None,
            f"{agreed:.0%} of what both find in the first {DEPTH} is the same",
        )
        return [*checks, agreement]


def _known(how: str, here: float, there: float, count: int) -> IndexCheck:
    least = max(0.0, there - max(KNOWN_LOST, ONE_LOST / count))
    said = f"{here:.0%} of documents found {how} by words of theirs; {there:.0%} as it is now"
    return IndexCheck("known documents" if how == "by meaning" else "known words", here >= least, here, least, said)


def _count(side: str, found: int, wanted: int) -> IndexCheck:
    return IndexCheck(f"{side} count", found == wanted, found, wanted, f"{found:,} of {wanted:,} passages")


class _Looks:
    """Searches of one collection through a chosen generation."""

    def __init__(self, searcher: Searcher, scope: Scope, searched: Collection, generation: Generation) -> None:
        self._searcher = searcher
        self._scope = scope
        self._collection = searched
        self.generation = generation

    @property
    def searched(self) -> Generation:
        """The generation that is searched now."""
        return self._collection.generation

    async def at(self, query: str, generation: Generation, mode: SearchMode = SearchMode.HYBRID) -> list[str]:
        """Returns the external ids of the first documents."""
        request = SearchRequest(query, (self._collection.name,), mode=mode, limit=DEPTH, group_by=GroupBy.DOCUMENT)
        through = replace(self._collection, generation=generation)
        found = await self._searcher.search(request, self._scope, collections=[through])
        if found.degraded:
            raise EngineUnavailable("; ".join(found.degraded))
        return [hit.external_id for hit in found.hits]


async def _answers(looks: _Looks, questions: Sequence[TestQuestion]) -> IndexCheck:
    here = [_ndcg(await looks.at(one.text, looks.generation), one.documents) for one in questions]
    there = [_ndcg(await looks.at(one.text, looks.searched), one.documents) for one in questions]
    value, least = sum(here) / len(here), max(0.0, sum(there) / len(there) - QUESTIONS_LOST)
    said = f"nDCG@{DEPTH} {value:.3f} for {len(questions)} questions; {sum(there) / len(there):.3f} as it is now"
    return IndexCheck("questions", value >= least, value, least, said)


def _ndcg(found: Sequence[str], documents: Mapping[str, float]) -> float:
    gained = sum(documents.get(one, 0.0) / math.log2(at + 2) for at, one in enumerate(found[:DEPTH]))
    best = sorted(documents.values(), reverse=True)[:DEPTH]
    ideal = sum(gain / math.log2(at + 2) for at, gain in enumerate(best))
    return gained / ideal if ideal else 1.0


def _remembered(text: str) -> str:
    """Returns what somebody might remember of a passage: most of the words of a sentence from its middle.

    Not the sentence as it stands: of equal texts, a model that understands nothing makes equal vectors, too.
    """
    spans = [one for one in sentence_spans(text) if len(one.of(text).split()) > 3]
    words = (spans[len(spans) // 2].of(text) if spans else text).split()
    return " ".join(words[: max(1, round(len(words) * _WORDS))])[:_QUERY] or "?"
