"""The lexical side of Milvus. The counts of words that it keeps itself are compared with those of the reference."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kaynak.domain import Conflict, CorruptIndex, EngineUnavailable, InvalidRequest, Json, Unsupported
from kaynak.engines import Entry, LexicalEngine, LexicalSpec, MilvusOptions
from kaynak.engines.memory import MemoryLexical
from kaynak.testing.dense import SPEC as VECTORS
from kaynak.testing.dense import point, vector
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import SPEC, LexicalEngineSuite, entry
from kaynak.testing.weighted import HUGE, WEIGHTED, weighed

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus import MilvusEngine, MilvusLexical, sheets
from kaynak.engines.milvus.filters import LABELS, SHEETS
from kaynak.testing.milvus_wire import milvus_wire

VOCABULARY = (
    "heron",
    "bittern",
    "stork",
    "ibis",
    "crane",
    "egret",
    "spoonbill",
    "fox",
    "reed",
    "pond",
    "marsh",
    "delta",
)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[str]:
    with milvus_wire(tmp_path / "wire") as uri:
        yield uri


class TestEmbedded(LexicalEngineSuite):
    """milvus-lite."""

    column = "Milvus embedded"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], LexicalEngine]:
        return lambda: MilvusLexical(MilvusOptions(), tmp_path / "milvus")


class TestServer(LexicalEngineSuite):
    """What is said to servers, to milvus-lite behind a port: the wheel of the real one is too old for words."""

    column = "Milvus server"
    stands_for = "stub"

    @pytest.fixture
    def engine_factory(self, wire: str, tmp_path: Path) -> Callable[[], LexicalEngine]:
        return lambda: MilvusLexical(MilvusOptions(uri=wire), tmp_path / "unused")


def with_engine(root: Path, work: Callable[[MilvusLexical], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = MilvusLexical(MilvusOptions(), root)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


# -- counts


async def assert_counts(engine: LexicalEngine, reference: LexicalEngine) -> None:
    """The ceiling of a word tells how many entries there are, and how many have it."""
    for word in VOCABULARY:
        ours, theirs = [await one.search(NAME, word, 1000) for one in (engine, reference)]
        assert set(ours.ids) == set(theirs.ids), word
        assert (ours.known, ours.ceiling) == (theirs.known, pytest.approx(theirs.ceiling)), word
    assert await engine.count(NAME) == await reference.count(NAME)


class Interrupted:
    """Lets so many changes of a client pass, and then none."""

    def __init__(self, client: Any, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = left
        for name in ("upsert", "insert", "delete"):
            monkeypatch.setattr(client, name, self._guarded(getattr(client, name)))

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **rest: Any) -> Any:
            if self.left == 0:
                raise EngineUnavailable("cut off")
            self.left -= 1
            return call(*args, **rest)

        return guarded


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_the_reference_after_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Writes of random documents, of which some are cut off at a random step, and then repeated or overtaken."""
    chance = random.Random(seed)
    # Sheets of several rows, and rows that are read in several pages, of no more words than these.
    monkeypatch.setattr(sheets, "_WORDS", 3)

    def some(of: int) -> list[Entry]:
        texts = [" ".join(chance.choices(VOCABULARY, k=chance.randint(0, 6))) for _ in range(chance.randint(0, 4))]
        # An id stays, moves to another place, or is new.
        keys = chance.sample([of * 10 + at for at in range(6)], len(texts))
        language = chance.choice(["en", "de", None])
        return [entry(key, text, of=of, language=language) for key, text in zip(keys, texts, strict=True)]

    async def work(engine: MilvusLexical) -> None:
        reference = MemoryLexical()
        for one in (engine, reference):
            await one.create(SPEC)
        for revision in range(1, 16):
            documents = chance.sample(range(8), 3)
            upserts = [one for of in documents for one in some(of)]
            deletes = [document(of) for of in documents]
            if chance.random() < 0.6:
                with monkeypatch.context() as patch:
                    Interrupted(engine._store._client, chance.randint(0, 5), patch)
                    try:
                        await engine.apply(NAME, upserts, deletes, revision)
                    except EngineUnavailable:
                        # The last steps remove what counts no more.
                        assert await engine.revision(NAME) in (revision - 1, revision)
                        # Meanwhile a document was deleted, or has become another one.
                        again = chance.choice(documents)
                        upserts = [one for one in upserts if one.document_id != document(again)]
                        upserts += some(again) if chance.random() < 0.5 else []
            for one in (engine, reference):
                await one.apply(NAME, upserts, deletes, revision)
            await assert_counts(engine, reference)
        await reference.close()

    with_engine(tmp_path / "milvus", work)


DOOMED = """
import asyncio, os, sys
from pathlib import Path
from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusLexical
from kaynak.testing.engines import document
from kaynak.testing.lexical import SPEC, entry

async def main(root, left):
    engine = MilvusLexical(MilvusOptions(), root)
    await engine.create(SPEC)
    await engine.apply("g1", [entry(key, "heron pond", of=key % 3) for key in range(9)], [], 1)
    client = engine._store._client
    for name in ("upsert", "insert", "delete"):
        def call(*args, real=getattr(client, name), **rest):
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), 9)
            return real(*args, **rest)
        setattr(client, name, call)
    await engine.apply("g1", [entry(key, "heron marsh", of=1) for key in range(20, 23)], [document(1)], 2)
    os.kill(os.getpid(), 9)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


# Of a write: sheet, entries, deleting, new label, deleting the old label, deleting old sheets.
@pytest.mark.parametrize("step", range(7))
def test_a_killed_process_leaves_the_truth(tmp_path: Path, step: int) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # where it leaves its socket
    command = [sys.executable, "-c", DOOMED, tmp_path / "milvus", str(step)]
    assert subprocess.run(command, env=environment, check=False).returncode == -9

    async def work(engine: MilvusLexical) -> None:
        assert await engine.revision(NAME) == (1 if step < 4 else 2)
        reference = MemoryLexical()
        await reference.create(SPEC)
        await reference.apply(NAME, [entry(key, "heron pond", of=key % 3) for key in range(9)], [], 1)
        new = [entry(key, "heron marsh", of=1) for key in range(20, 23)]
        for one in (engine, reference):
            await one.apply(NAME, new, [document(1)], 2)
        await assert_counts(engine, reference)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (2, 9)
        await reference.close()

    with_engine(tmp_path / "milvus", work)


READER = """
import asyncio, sys
from pathlib import Path
from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusLexical

async def main():
    engine = MilvusLexical(MilvusOptions(uri=sys.argv[1]), Path(sys.argv[2]))
    for line in sys.stdin:
        revision = await engine.revision("g1")
        found = await engine.search("g1", line, 100)
        print(revision, len(found.ids), round(found.ceiling, 6), flush=True)
    await engine.close()

asyncio.run(main())
"""


def test_who_has_seen_a_revision_knows_its_words(wire: str, tmp_path: Path) -> None:
    """Also in another process, which has counted before."""
    command = [sys.executable, "-c", READER, wire, str(tmp_path)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdin is not None
    assert reader.stdout is not None

    async def main() -> None:
        assert reader.stdin is not None
        assert reader.stdout is not None
        engine, reference = MilvusLexical(MilvusOptions(uri=wire), tmp_path), MemoryLexical()
        for one in (engine, reference):
            await one.create(SPEC)
        for revision, word in enumerate(VOCABULARY, start=1):
            for one in (engine, reference):
                await one.apply(NAME, [entry(revision, f"heron {word}", of=revision)], [], revision)
            for asked in (word, "heron"):
                print(asked, file=reader.stdin, flush=True)
                expected = await reference.search(NAME, asked, 100)
                told = (await asyncio.to_thread(reader.stdout.readline)).split()
                assert told == [str(revision), str(len(expected.ids)), str(round(expected.ceiling, 6))], asked
        await engine.close()
        await reference.close()

    try:
        asyncio.run(main())
    finally:
        reader.stdin.close()
        reader.wait(timeout=20)
        reader.stdout.close()


def test_lost_sheets_are_noticed_and_made_again(tmp_path: Path) -> None:
    async def work(engine: MilvusLexical) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [entry(key, "heron pond", of=key) for key in range(4)], [], 1)
        client = engine._store._client
        assert client is not None
        client.delete(f"kaynak_{NAME}_Words", filter=f"id >= {SHEETS} and id <= {LABELS}")
        with pytest.raises(CorruptIndex, match="damaged"):
            await engine.search(NAME, "heron", 10)
        await engine.apply(NAME, [entry(9, "heron", of=9)], [], 2)
        reference = MemoryLexical()
        await reference.create(SPEC)
        await reference.apply(NAME, [entry(key, "heron pond", of=key) for key in range(4)], [], 1)
        await reference.apply(NAME, [entry(9, "heron", of=9)], [], 2)
        await assert_counts(engine, reference)
        await reference.close()

    with_engine(tmp_path / "milvus", work)


def test_sheets_stay_few(tmp_path: Path) -> None:
    async def work(engine: MilvusLexical) -> None:
        await engine.create(SPEC)
        for revision in range(1, 41):
            text = " ".join(f"word{number}" for number in range(revision * 3, revision * 3 + 20))
            await engine.apply(NAME, [entry(revision, text, of=revision)], [document(max(0, revision - 20))], revision)
        assert (await engine.search(NAME, "word100", 50)).known == 1.0
        kept = engine._tallies[NAME].counts
        assert (kept.total, dict(kept.languages)) == (20, {"en": 20})
        assert len(kept.sheets) < 6
        client = engine._store._client
        assert client is not None
        rows = client.query(f"kaynak_{NAME}_Words", filter=f"id >= {SHEETS} and id <= {LABELS}", output_fields=["id"])
        assert {row["id"] for row in rows} == kept.ids

    with_engine(tmp_path / "milvus", work)


# -- the rest


def test_both_sides_of_a_generation_are_apart(tmp_path: Path) -> None:
    async def work(words: MilvusLexical) -> None:
        vectors = MilvusEngine(MilvusOptions(), tmp_path / "milvus")
        try:
            await asyncio.gather(words.create(SPEC), vectors.create(VECTORS))
            await words.apply(NAME, [entry(1), entry(2)], [], 5)
            await vectors.apply(NAME, [point(3)], [], 7)
            assert (await words.revision(NAME), await words.count(NAME)) == (5, 2)
            assert (await vectors.revision(NAME), await vectors.count(NAME)) == (7, 1)
            assert (await words.search(NAME, "fox", 9)).ids == (1, 2)
            await words.drop(NAME)
            assert not await words.exists(NAME)
            assert (await vectors.search(NAME, vector(1), 9)).ids == (3,)
            await words.create(SPEC)
            await vectors.drop(NAME)
            assert (await words.exists(NAME), await vectors.exists(NAME)) == (True, False)
        finally:
            await vectors.close()

    with_engine(tmp_path / "milvus", work)


@pytest.mark.parametrize(
    "params",
    [
        {"average_length": 0},
        {"average_length": True},
        {"average_length": "long"},
        {"average_length": 50, "weights": "model"},
        {"consistency": "eventually"},
        {"index_type": "SPARSE_WAND"},
    ],
    ids=str,
)
def test_parameters_that_it_does_not_know_are_refused(tmp_path: Path, params: dict[str, Json]) -> None:
    async def work(engine: MilvusLexical) -> None:
        with pytest.raises(Unsupported):
            await engine.create(LexicalSpec(NAME, params))
        assert not await engine.exists(NAME)

    with_engine(tmp_path / "milvus", work)


def test_an_index_is_not_made_anew_with_other_parameters(tmp_path: Path) -> None:
    async def work(engine: MilvusLexical) -> None:
        await engine.create(LexicalSpec(NAME, {"average_length": 40}))
        await engine.apply(NAME, [entry(1)], [], 1)
        await engine.create(LexicalSpec(NAME, {"average_length": 40.0}))
        await engine.create(SPEC)
        others: tuple[Mapping[str, Json], ...] = (
            {"average_length": 41}, {"consistency": "strong"}, {"weights": "model"},
        )  # fmt: skip
        for other in others:
            with pytest.raises(Conflict):
                await engine.create(LexicalSpec(NAME, other))

    with_engine(tmp_path / "milvus", work)


def test_tokens_that_have_no_place_are_refused_and_change_nothing(tmp_path: Path) -> None:
    """Milvus has one place less than there could be tokens, and one is taken for rows that have none."""

    async def work(engine: MilvusLexical) -> None:
        await engine.create(WEIGHTED)
        await engine.apply(NAME, [weighed(1, {HUGE: 0.5, HUGE - 3: 0.25})], [], 1)
        for token in (HUGE - 1, HUGE - 2):
            with pytest.raises(InvalidRequest, match=f"{token:,}"):
                await engine.apply(NAME, [weighed(2, {1: 1.0}), weighed(3, {token: 1.0})], [document(1)], 2)
            with pytest.raises(InvalidRequest, match=f"{token:,}"):
                await engine.search_weights(NAME, {token: 1.0}, 10)
        for token, score in ((HUGE, 0.5), (HUGE - 3, 0.25)):
            assert (await engine.search_weights(NAME, {token: 1.0}, 10)).scores == (score,)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (1, 1)

    with_engine(tmp_path / "milvus", work)
