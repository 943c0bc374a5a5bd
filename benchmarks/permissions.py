"""What permissions cost: searches of people who may read a part of a collection against its owner's, side by side.

    python benchmarks/permissions.py [--chunks 100000] [--lists 1.0] [--queries 100] [--keep DIR]

The whole search of the product runs in this process: its PostgreSQL, pgvector, tantivy, fusion and gate, with synthetic
vectors of 384 dimensions (see ``ann.py``) and texts of random words, which cost nothing to embed. Of each document
``--lists`` says how likely it has a list of readers; who is named by a share of the lists reads that share of them, and
all that has none. Everybody asks each question in turn, so that what else the machine does meets all of them alike.
Recall is that of the dense side after the gate: the share of the ten nearest readable passages, by comparing with all,
that are among the ten best candidates which the searcher was left with.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ann import clustered
from common import machine, percentile
from kaynak.catalog import Catalog, ChunkRow, EmbeddedPostgres, NewVersion
from kaynak.domain import (
    OWNER,
    Block,
    BlockKind,
    Collection,
    GenerationSpec,
    Page,
    ParsedDocument,
    PartSpec,
    Scope,
    SearchMode,
    SearchRequest,
    Span,
    text_hash,
)
from kaynak.embedding import Kind
from kaynak.engines import Candidates
from kaynak.engines.pgvector import PgVectorEngine
from kaynak.engines.tantivy import TantivyEngine
from kaynak.indexing import Followers, Parts
from kaynak.retrieval import Searcher
from kaynak.testing.fake_embedder import WordCounter
from kaynak.testing.world import CHUNKER, FakePool

NAME = "permissions"
SHARES = (0.001, 0.01, 0.1, 0.5, 0.9, 1.0)
DIMENSIONS, OF_A_DOCUMENT, BATCH = 384, 20, 100
WARMING, QUESTIONS = 20, 120  # vectors of questions that are drawn: how many are asked does not change the passages
_NUMBER = re.compile(r"^([cq])(\d+) ")


class Drawn:
    """An embedder that looks vectors up by the number that a text begins with. See `Embedder`."""

    fingerprint = "drawn"
    dimensions = DIMENSIONS
    max_tokens = 254
    tokenizer = WordCounter()

    def __init__(self, passages: NDArray[np.float32], queries: NDArray[np.float32]) -> None:
        self._of = {"c": passages, "q": queries}

    async def embed(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """See `Embedder`."""
        found = [_NUMBER.match(text) for text in texts]
        return np.stack([self._of[one[1]][int(one[2])] for one in found if one])

    async def close(self) -> None:
        """See `Embedder`."""


class Watched(PgVectorEngine):
    """The engine, and what it was last asked and answered."""

    last = Candidates((), (), "exact")
    spent = 0.0
    modes: set[str]

    async def search(self, *arguments: Any, **more: Any) -> Candidates:
        """See `DenseEngine.search`."""
        begin = time.perf_counter()
        self.last = await super().search(*arguments, **more)
        self.spent += (time.perf_counter() - begin) * 1000
        self.modes.add(f"{self.last.mode} {arguments[2]}{'' if more.get('condition') is None else ' filtered'}")
        return self.last


@dataclass
class Person:
    """Somebody, and what was measured of their searches."""

    name: str
    scope: Scope
    readable: NDArray[np.bool_]
    whole: list[float] = field(default_factory=list)
    extra: list[float] = field(default_factory=list)
    dense: list[float] = field(default_factory=list)
    lexical: list[float] = field(default_factory=list)
    gate: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    modes: set[str] = field(default_factory=set)


def words(pick: random.Random, count: int) -> str:
    """Returns random words, as unevenly frequent as words are."""
    return " ".join(f"word{min(int(pick.paretovariate(0.6)), 30_000)}" for _ in range(count))


def lists(documents: int, share: float) -> tuple[dict[str, UUID], list[frozenset[UUID] | None]]:
    """Returns people by the share of the lists that name them, and the list of each document, or None."""
    pick = random.Random(11)
    people = {f"{one:.1%}": UUID(int=pick.getrandbits(128), version=4) for one in SHARES}
    crowd = [UUID(int=pick.getrandbits(128), version=4) for _ in range(500)]
    found: list[set[UUID] | None] = [set(pick.sample(crowd, 3)) for _ in range(documents)]
    for at in pick.sample(range(documents), documents - round(share * documents)):
        found[at] = None
    having = [at for at, one in enumerate(found) if one is not None]
    for wanted, person in zip(SHARES, people.values(), strict=True):
        for at in pick.sample(having, round(wanted * len(having))):
            found[at].add(person)  # type: ignore[union-attr]
    return people, [None if one is None else frozenset(one) for one in found]


async def fill(catalog: Catalog, drawn: Drawn, chunks: int, readers: Sequence[frozenset[UUID] | None]) -> None:
    """Makes the collection in the catalog."""
    pick = random.Random(5)
    spec = GenerationSpec(embedder=PartSpec("drawn"), dense=PartSpec("pgvector"), lexical=PartSpec("tantivy"))
    async with catalog.begin() as unit:
        identity = await unit.collections.create(NAME, "", None)
        await unit.generations.create(identity, spec, CHUNKER, drawn.fingerprint, DIMENSIONS, active=True)
    for first in range(0, chunks // OF_A_DOCUMENT, BATCH):
        numbers = range(first, min(first + BATCH, chunks // OF_A_DOCUMENT))
        parsed = [_parsed(pick, number) for number in numbers]
        async with catalog.begin() as unit:
            made = await unit.documents.ensure_many(identity, [f"doc-{number}" for number in numbers])
            ids = [made[f"doc-{number}"][0] for number in numbers]
            new = [
                NewVersion(one, None, text_hash(text.text) * 2, "a.txt", len(text.text), None, None)
                for one, text in zip(ids, parsed, strict=True)
            ]
            versions = [version for version, _ in await unit.versions.create_many(new)]
            await unit.versions.store_parsed_many(
                [(version, text, "en") for version, text in zip(versions, parsed, strict=True)], "drawn"
            )
            rows = [
                ChunkRow(
                    identity, one, version, CHUNKER, at, Span(page.start, page.end), passage, (), text_hash(passage)
                )
                for one, version, text in zip(ids, versions, parsed, strict=True)
                for at, page in enumerate(text.pages)
                for passage in [text.text[page.start : page.end]]
            ]
            await unit.chunks.insert(rows)
            vectors = await drawn.embed([row.text for row in rows], "document")
            saved = {row.text_hash: vector for row, vector in zip(rows, vectors, strict=True)}
            await unit.embeddings.save(drawn.fingerprint, saved)
            await unit.documents.publish_many(list(zip(ids, versions, strict=True)))
            await unit.documents.restrict(dict(zip(ids, (readers[number] for number in numbers), strict=True)))
            await unit.changes.record(identity, [(one, "put") for one in ids])


def _parsed(pick: random.Random, number: int) -> ParsedDocument:
    first = number * OF_A_DOCUMENT
    passages = [f"c{first + at} {words(pick, 60)}." for at in range(OF_A_DOCUMENT)]
    blocks, pages, start = [], [], 0
    for page, passage in enumerate(passages, start=1):
        blocks.append(Block(BlockKind.PARAGRAPH, start, start + len(passage)))
        pages.append(Page(page, start, start + len(passage)))
        start += len(passage) + 2
    return ParsedDocument("\n\n".join(passages), "text/plain", tuple(blocks), tuple(pages), None)


async def numbers_of(catalog: Catalog) -> Mapping[int, int]:
    """Returns the number of each chunk by its id."""
    async with catalog.read() as unit:
        found = await unit.connection.exec_driver_sql("SELECT id, substring(text FROM 'c(\\d+) ') FROM kaynak.chunks")
        return {key: int(number) for key, number in found}


def people_of(
    collection: Collection, named: Mapping[str, UUID], readers: Sequence[frozenset[UUID] | None]
) -> list[Person]:
    """Returns the owner and everybody else."""
    everything = np.ones(len(readers) * OF_A_DOCUMENT, dtype=bool)
    people = [Person("owner", OWNER, everything)]
    for person in named.values():
        some = np.repeat([one is None or person in one for one in readers], OF_A_DOCUMENT)
        own = frozenset({collection.id})
        scope = Scope(f"user:{person}", own, frozenset(), frozenset(), frozenset({person, UUID(int=7)}))
        people.append(Person(f"{some.mean():.1%}", scope, some))
    return people


class Measuring:
    """Asks, and keeps what came."""

    def __init__(
        self,
        searcher: Searcher,
        engine: Watched,
        vectors: NDArray[np.float32],
        numbers: Mapping[int, int],
        mode: SearchMode,
    ) -> None:
        self._searcher = searcher
        self._engine = engine
        self._vectors = vectors
        self._numbers = numbers
        self._mode = mode

    async def round(self, people: Sequence[Person], text: str, query: NDArray[np.float32], *, kept: bool) -> None:
        """Lets everybody ask one question."""
        mine = {}
        for person in people:
            self._engine.spent, self._engine.modes = 0.0, person.modes
            begin = time.perf_counter()
            found = await self._searcher.search(SearchRequest(text, (NAME,), limit=10, mode=self._mode), person.scope)
            mine[person.name] = whole = (time.perf_counter() - begin) * 1000
            if kept:
                person.whole.append(whole)
                person.dense.append(self._engine.spent)
                person.lexical.append(found.trace.stages.get("lexical", 0.0))
                person.gate.append(found.trace.stages["gate"])
                person.hits.append(len(found.hits))
                person.recalls.append(self._recall(person, query))
        if kept:
            for person in people:
                person.extra.append(mine[person.name] - mine["owner"])

    def _recall(self, person: Person, query: NDArray[np.float32], slack: float = 1e-4) -> float:
        cosines = np.where(person.readable, self._vectors @ query, -2.0)
        wanted = min(10, int(person.readable.sum()))
        if not wanted:
            return 1.0
        least = float(np.partition(cosines, -wanted)[-wanted]) - slack
        last = self._engine.last
        found = [score for key, score in zip(last.ids, last.scores, strict=True) if person.readable[self._numbers[key]]]
        return min(1.0, sum(score >= least for score in found[:10]) / wanted)


def table(people: Sequence[Person]) -> str:
    """Returns what was measured, as a table."""
    lines = [
        "| may read | recall@10 | search p50 ms | p95 ms | against the owner, p50 ms | dense | lexical | gate | how |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    owner = percentile(people[0].whole, 0.5)
    for one in people:
        middle = percentile(one.whole, 0.5)
        stages = " | ".join(f"{percentile(values, 0.5):.1f}" for values in (one.dense, one.lexical, one.gate))
        lines.append(
            f"| {one.name} | {statistics.mean(one.recalls):.4f} | {middle:.1f} | {percentile(one.whole, 0.95):.1f} "
            f"| {middle - owner:+.1f} (paired {percentile(one.extra, 0.5):+.1f}) | {stages} "
            f"| {', '.join(sorted(one.modes))} |"
        )
    return "\n".join(lines)


async def run(args: argparse.Namespace, url: str, folder: Path) -> None:
    """Builds what is not there, and measures."""
    everything = clustered(args.chunks + QUESTIONS, DIMENSIONS, np.random.default_rng(7), 48)
    vectors, queries = everything[: args.chunks], everything[args.chunks :]
    drawn = Drawn(vectors, queries)
    named, readers = lists(args.chunks // OF_A_DOCUMENT, args.lists)
    catalog = await Catalog.open(url)
    engine = Watched(url)
    lexical = TantivyEngine(folder / "tantivy")
    parts = Parts(FakePool({"drawn": drawn}), {"pgvector": engine}, {"tantivy": lexical}, folder / "locks")
    followers = Followers(catalog, parts)
    searcher = Searcher(catalog, parts, followers)
    try:
        if await catalog.current_migration() is None or not await _there(catalog):
            await catalog.migrate()
            begin = time.perf_counter()
            await fill(catalog, drawn, args.chunks, readers)
            print(f"catalog filled in {time.perf_counter() - begin:.0f} s", flush=True)
        else:
            await catalog.migrate()
        async with catalog.read() as unit:
            collection = await unit.collections.get(OWNER, NAME)
        begin = time.perf_counter()
        for follower in followers.of(collection.generation):
            await follower.target.create()
        await followers.catch_up(collection.id, collection.revision, 3600)
        for follower in followers.of(collection.generation):
            await follower.finish()
        print(f"indexed in {time.perf_counter() - begin:.0f} s", flush=True)
        people = people_of(collection, named, readers)
        measuring = Measuring(searcher, engine, vectors, await numbers_of(catalog), args.mode)
        pick = random.Random(3)
        for number in range(args.queries + WARMING):
            # The order changes, so that nobody always comes after the same one.
            order = pick.sample(people, len(people))
            await measuring.round(
                order, f"q{number % QUESTIONS} {words(pick, 5)}", queries[number % QUESTIONS], kept=number >= WARMING
            )
        print(
            f"{machine()}; {args.chunks:,} passages, {args.lists:.0%} with a list of readers, {args.queries} queries\n"
        )
        print(table(people))
    finally:
        await searcher.close()
        await engine.close()
        await lexical.close()
        await catalog.close()


async def _there(catalog: Catalog) -> bool:
    async with catalog.read() as unit:
        return any(one.name == NAME for one in await unit.collections.list(OWNER))


@contextmanager
def place(kept: Path | None) -> Iterator[Path]:
    """Yields where everything lies."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="kaynak-permissions-") as scratch:
        Path(scratch).chmod(0o755)
        yield Path(scratch)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--lists", type=float, default=1.0, help="share of the documents that have a list")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--mode", type=SearchMode, default=SearchMode.HYBRID)
    parser.add_argument("--keep", type=Path, help="directory to build in, and to find again")
    args = parser.parse_args()
    with place(args.keep) as folder:
        server = EmbeddedPostgres.start(folder)
        try:
            asyncio.run(run(args, server.url, folder))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
