from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaynak.domain import (
    Conflict,
    CorruptIndex,
    EngineUnavailable,
    InvalidRequest,
    Misconfigured,
    StorageFull,
    Unsupported,
    matches,
    parse_filter,
)
from kaynak.engines import (
    DenseSpec,
    EngineOptions,
    Entry,
    LexicalCandidates,
    LexicalEngine,
    LexicalSpec,
    QdrantOptions,
    VectorField,
    dense_engine,
)
from kaynak.engines.memory import MemoryLexical
from kaynak.engines.qdrant import QdrantDense, QdrantLexical, edge_tuning
from kaynak.engines.qdrant.edge import EdgeTransport
from kaynak.engines.qdrant.edge_shards import shard_at
from kaynak.engines.qdrant.payloads import MAX_ORDERED
from kaynak.testing.dense import SPEC, point, vector
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import entry

PLACE = "kaynak_g1_vectors"


def run(root: Path, work: Callable[[QdrantDense], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = QdrantDense(EdgeTransport(root))
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


async def tuned(root: Path) -> tuple[int, int]:
    """Waits for the graphs; returns how many points there are, and how many have a graph."""
    thread = edge_tuning.tuning_of(shard_at(root / PLACE))._thread
    if thread is not None:
        await asyncio.to_thread(thread.join)
    with shard_at(root / PLACE).use(None) as shard:
        return shard.info().points_count, shard.info().indexed_vectors_count


# -- one process, several engines


def test_another_process_is_told_who_has_it(tmp_path: Path) -> None:
    code = f"""
    import asyncio
    from pathlib import Path
    from kaynak.domain import EngineUnavailable
    from kaynak.engines.qdrant import QdrantDense
    from kaynak.engines.qdrant.edge import EdgeTransport
    from kaynak.testing.dense import SPEC, point
    async def main():
        engine = QdrantDense(EdgeTransport(Path({str(tmp_path)!r})))
        for call in (lambda: engine.count("g1"), lambda: engine.create(SPEC), lambda: engine.drop("g1")):
            try:
                await call()
            except EngineUnavailable as exc:
                print("away:", exc.hint)
        await engine.close()
    asyncio.run(main())
    """

    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [], 1)
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
        )
        assert done.stdout.count("away: One process at a time can") == 3
        assert await engine.count(NAME) == 1

    run(tmp_path, work)


def test_engines_of_a_process_share_a_shard_until_the_last_leaves(tmp_path: Path) -> None:
    async def work(first: QdrantDense) -> None:
        await first.create(SPEC)
        second = QdrantDense(EdgeTransport(tmp_path))
        await second.apply(NAME, [point(1)], [], 1)
        await second.close()
        assert await first.count(NAME) == 1
        with pytest.raises(EngineUnavailable):
            await second.count(NAME)

    run(tmp_path, work)
    assert shard_at(tmp_path / PLACE)._edge is None
    assert shard_at(tmp_path / PLACE)._lock is None


def test_one_engine_drops_what_another_has_open(tmp_path: Path) -> None:
    async def work(first: QdrantDense) -> None:
        second = QdrantDense(EdgeTransport(tmp_path))
        await first.create(SPEC)
        await second.apply(NAME, [point(1)], [], 1)
        await first.drop(NAME)
        with pytest.raises(CorruptIndex):
            await second.search(NAME, vector(1), 1)
        await first.create(DenseSpec(NAME, (VectorField("text", 4),)))
        assert (await second.search(NAME, vector(1, 4), 1)).ids == ()
        await second.close()

    run(tmp_path, work)
    assert not list(tmp_path.glob("*.new")) + list(tmp_path.glob("*.old"))


def test_what_was_written_outlives_a_kill(tmp_path: Path) -> None:
    code = f"""
    import asyncio, os, signal
    from pathlib import Path
    from kaynak.engines.qdrant import QdrantDense
    from kaynak.engines.qdrant.edge import EdgeTransport
    from kaynak.testing.dense import SPEC, point
    async def main():
        engine = QdrantDense(EdgeTransport(Path({str(tmp_path)!r})))
        await engine.create(SPEC)
        for turn in range(1, 4):
            await engine.apply("g1", [point(turn * 10 + key) for key in range(5)], [], turn)
        os.kill(os.getpid(), signal.SIGKILL)
    asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL

    async def work(engine: QdrantDense) -> None:
        assert (await engine.revision(NAME), await engine.count(NAME)) == (3, 15)

    run(tmp_path, work)


def test_a_damaged_index_is_corrupt_and_can_be_made_anew(tmp_path: Path) -> None:
    async def write(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key) for key in range(50)], [], 1)

    async def look(engine: QdrantDense) -> None:
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, vector(1), 1)
        assert not await engine.exists(NAME)
        await engine.drop(NAME)
        await engine.create(SPEC)
        assert await engine.count(NAME) == 0

    run(tmp_path, write)
    for file in (tmp_path / PLACE / "segments").rglob("segment.json"):
        file.unlink()
    run(tmp_path, look)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)

        def full(*args: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageFull):
                await engine.apply(NAME, [point(1)], [], 1)
        assert await engine.revision(NAME) == 0
        await engine.apply(NAME, [point(1)], [], 1)
        assert await engine.revision(NAME) == 1

    run(tmp_path, work)


# -- graphs


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> DenseSpec:
    """Makes graphs of a few points."""
    monkeypatch.setattr(edge_tuning, "_FIRST", 500)
    return DenseSpec(NAME, (VectorField("text", 32),), {"indexing_threshold": 10})


def many(first: int, count: int) -> list[Any]:
    return [point(key, key // 5 + 1, {"mod": key % 10}, vector(key, 32)) for key in range(first, first + count)]


async def recall(engine: QdrantDense, condition: object = None) -> float:
    found = 0
    for seed in range(9000, 9020):
        query = vector(seed, 32)
        exact = await engine.search(NAME, query, 10, condition=parse_filter(condition), exact=True)
        quick = await engine.search(NAME, query, 10, condition=parse_filter(condition))
        assert (exact.mode, quick.mode) == ("exact", "ann")
        found += len(set(exact.ids) & set(quick.ids))
    return found / 200


@pytest.mark.parametrize("quantization", ["none", "int8", "binary"])
def test_graphs_are_built_beside_what_serves(tmp_path: Path, eager: DenseSpec, quantization: str) -> None:
    spec = DenseSpec(NAME, eager.fields, {**eager.params, "quantization": quantization, "on_disk": True})
    if quantization == "binary":
        spec = DenseSpec(NAME, eager.fields, {**spec.params, "oversampling": 16})

    async def work(engine: QdrantDense) -> None:
        engine._exact_rows = 50
        await engine.create(spec)
        await engine.apply(NAME, many(0, 1500), [], 1)
        # Meanwhile searches are answered, and writes wait their turn.
        assert len((await engine.search(NAME, vector(1, 32), 10)).ids) == 10
        await engine.apply(NAME, many(1500, 10), [document(1)], 2)
        points, indexed = await tuned(tmp_path)
        assert points == 1506  # the header among them
        assert indexed >= 1490
        assert (await engine.count(NAME), await engine.revision(NAME)) == (1505, 2)
        assert await recall(engine) >= 0.95
        assert await recall(engine, {"mod": {"$lt": 5}}) >= 0.95

    run(tmp_path, work)
    run(tmp_path, lambda engine: _counts(engine, 1505, 2))
    assert sorted(one.name for one in tmp_path.iterdir()) == [PLACE, f"{PLACE}.lock"]


async def _counts(engine: QdrantDense, count: int, revision: int) -> None:
    assert (await engine.count(NAME), await engine.revision(NAME)) == (count, revision)


def test_closing_and_dropping_give_the_building_up(
    tmp_path: Path, eager: DenseSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_tuning, "_PROGRAM", "import time; time.sleep(600)")

    async def write(engine: QdrantDense) -> None:
        await engine.create(eager)
        await engine.apply(NAME, many(0, 1000), [], 1)
        await until(lambda: edge_tuning.tuning_of(shard_at(tmp_path / PLACE))._process is not None)

    async def drop(engine: QdrantDense) -> None:
        await write(engine)
        await engine.drop(NAME)
        assert not await engine.exists(NAME)

    run(tmp_path, write)
    assert not (tmp_path / f"{PLACE}.new").exists()
    run(tmp_path, lambda engine: _counts(engine, 1000, 1))
    run(tmp_path, drop)


async def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_building_that_fails_changes_nothing(tmp_path: Path, eager: DenseSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_tuning, "_PROGRAM", "raise SystemExit(3)")

    async def work(engine: QdrantDense) -> None:
        await engine.create(eager)
        await engine.apply(NAME, many(0, 1000), [], 1)
        assert (await tuned(tmp_path))[1] == 0
        monkeypatch.setattr(shutil, "copytree", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        await engine.apply(NAME, many(1000, 10), [], 2)
        await tuned(tmp_path)
        await _counts(engine, 1010, 2)

    run(tmp_path, work)


def test_a_crash_between_two_renames_is_mended(tmp_path: Path) -> None:
    async def write(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [], 1)

    run(tmp_path, write)
    (tmp_path / PLACE).rename(tmp_path / f"{PLACE}.old")
    (tmp_path / f"{PLACE}.new").mkdir()
    run(tmp_path, lambda engine: _counts(engine, 1, 1))
    assert sorted(one.name for one in tmp_path.iterdir()) == [PLACE, f"{PLACE}.lock"]


# -- specifications


@pytest.mark.parametrize(
    "params",
    [
        {"m": 1},
        {"m": 16.0},
        {"m": True},
        {"ef_construct": 0},
        {"hnsw_ef": "many"},
        {"quantization": "product"},
        {"oversampling": 2},
        {"quantization": "int8", "oversampling": 0.5},
        {"on_disk": "yes"},
        {"tenant": 7},
        {"memmap_threshold": 20000},
    ],
    ids=str,
)
def test_parameters_that_mean_nothing_are_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    async def work(engine: QdrantDense) -> None:
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec(NAME, SPEC.fields, params))
        assert not await engine.exists(NAME)

    run(tmp_path, work)


def test_an_index_is_not_made_over_another(tmp_path: Path) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        for other in (DenseSpec(NAME, (VectorField("text", 8, "dot"),)), DenseSpec(NAME, SPEC.fields, {"m": 32})):
            with pytest.raises(Conflict):
                await engine.create(other)
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec("g2", (VectorField("text", 70_000),)))

    run(tmp_path, work)


def test_ids_that_qdrant_cannot_hold_are_refused(tmp_path: Path) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        with pytest.raises(InvalidRequest):
            await engine.apply(NAME, [point(1), replace(point(1), id=-1)], [], 1)
        assert await engine.count(NAME) == 0
        await engine.apply(NAME, [point((1 << 63) - 1)], [], 1)
        assert (await engine.search(NAME, vector(1), 5)).ids == ((1 << 63) - 1,)

    run(tmp_path, work)


def test_without_a_url_it_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = dense_engine("qdrant", EngineOptions("", tmp_path))
    assert not engine.capabilities.shared
    assert dense_engine(
        "qdrant", EngineOptions("", tmp_path, qdrant=QdrantOptions("http://127.0.0.1:1"))
    ).capabilities.shared
    monkeypatch.delitem(sys.modules, "kaynak.engines.qdrant.edge")
    monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    with pytest.raises(Misconfigured) as caught:
        dense_engine("qdrant", EngineOptions("", tmp_path))
    assert caught.value.hint == "Install it: pip install 'kaynak[qdrant-embedded]'"


# -- filters


def test_ranges_over_what_order_keys_cannot_tell_apart(tmp_path: Path) -> None:
    """All names begin with a letter, so that each of them has to be looked at."""
    payloads = [{"name": f"n{key:04d}", "size": 2**60 + key} for key in range(400)]
    conditions = (
        {"name": {"$gte": "n0390"}},
        {"name": {"$lt": "n0003"}},
        {"size": {"$gt": 2**60 + 395}},
        {"$not": {"size": {"$lte": 2**60 + 397}}},
        {"$and": [{"name": {"$gte": "n0100"}}, {"$not": {"name": {"$gt": "n0104"}}}]},
        {"name": {"$gt": "z"}},
    )

    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, payload=one) for key, one in enumerate(payloads)], [], 1)
        for one in conditions:
            condition = parse_filter(one)
            expected = [key for key, payload in enumerate(payloads) if matches(condition, payload)]
            for limit in (3, 50):
                found = await engine.search(NAME, vector(1), limit, condition=condition)
                everything = await engine.search(NAME, vector(1), 400, condition=condition)
                assert sorted(everything.ids) == expected
                assert found.ids == everything.ids[:limit]
            assert await engine.count(NAME, condition) == len(expected)

    run(tmp_path, work)


def test_a_tenant_has_a_field_of_its_own(tmp_path: Path) -> None:
    payloads: list[dict[str, Any]] = [{"customer": f"c{key % 3}", "a": key % 2} for key in range(12)]
    payloads += [{"customer": ["c0", "c1"]}, {"customer": None}, {}]

    async def work(engine: QdrantDense) -> None:
        await engine.create(DenseSpec(NAME, SPEC.fields, {"tenant": "customer"}))
        await engine.apply(NAME, [point(key, payload=one) for key, one in enumerate(payloads)], [], 1)
        for one in ({"customer": "c1"}, {"customer": {"$in": ["c0", None]}}, {"customer": {"$ne": "c2"}, "a": 1}):
            condition = parse_filter(one)
            expected = {key for key, payload in enumerate(payloads) if matches(condition, payload)}
            assert set((await engine.search(NAME, vector(1), 50, condition=condition)).ids) == expected

    run(tmp_path, work)


def test_only_so_many_paths_get_an_index_for_ranges(tmp_path: Path) -> None:
    payload = {f"p{number}": number for number in range(MAX_ORDERED + 20)}

    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1, payload=payload), point(2)], [], 1)
        for number in range(MAX_ORDERED + 20):
            assert await engine.count(NAME, parse_filter({f"p{number}": {"$gte": number}})) == 1
            assert await engine.count(NAME, parse_filter({f"p{number}": {"$gt": number}})) == 0
        indexed = await engine._transport.indexed(PLACE)
        assert len([key for key in indexed if key.startswith("numbers")]) <= MAX_ORDERED

    run(tmp_path, work)


def test_rare_combinations_of_frequent_values_are_counted(tmp_path: Path) -> None:
    """Their shares say that many match, and few do: they are found all the same, and exactly."""

    async def work(engine: QdrantDense) -> None:
        engine._exact_rows = 100
        await engine.create(SPEC)
        points = [point(key, payload={"a": key % 2, "b": (key + (key < 20)) % 2}) for key in range(1000)]
        await engine.apply(NAME, points, [], 1)
        found = await engine.search(NAME, vector(1), 50, condition=parse_filter({"a": 0, "b": 1}))
        assert (sorted(found.ids), found.mode) == (list(range(0, 20, 2)), "exact")
        found = await engine.search(NAME, vector(1), 50, condition=parse_filter({"a": 0}))
        assert found.mode == "ann"

    run(tmp_path, work)


# -- words


def test_the_usual_length_is_kept_from_the_first_write(tmp_path: Path) -> None:
    async def main() -> None:
        engine = QdrantLexical(EdgeTransport(tmp_path))
        await engine.create(LexicalSpec(NAME))
        long = " ".join(f"word{number}" for number in range(400))
        await engine.apply(NAME, [entry(key, f"fox {long}", of=key) for key in range(200)], [], 1)
        (first,) = {round(one, 5) for one in (await engine.search(NAME, "fox", 5)).scores}
        other = QdrantLexical(EdgeTransport(tmp_path))
        await other.apply(NAME, [entry(500, f"fox {long}", of=500)], [], 2)
        kept = await other._layout(NAME)
        assert kept.average is not None
        assert 300 < kept.average < 400
        found = await other.search(NAME, "fox", 300)
        assert len({round(one, 5) for one in found.scores}) == 1
        assert found.scores[0] == pytest.approx(first, rel=0.01)
        await engine.create(LexicalSpec(NAME))
        await engine.close()
        await other.close()

    asyncio.run(main())


@pytest.mark.parametrize("params", [{"average_length": 0}, {"average_length": "long"}, {"m": 16}], ids=str)
def test_parameters_of_words_that_mean_nothing_are_refused(tmp_path: Path, params: dict[str, Any]) -> None:
    async def main() -> None:
        engine = QdrantLexical(EdgeTransport(tmp_path))
        with pytest.raises(Unsupported):
            await engine.create(LexicalSpec(NAME, params))
        await engine.create(LexicalSpec(NAME, {"average_length": 50, "on_disk": True, "tenant": "customer"}))
        assert (await engine._layout(NAME)).average == 50
        await engine.close()

    asyncio.run(main())


def test_what_was_deleted_weighs_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        engine = QdrantLexical(EdgeTransport(tmp_path))
        await engine.create(LexicalSpec(NAME))
        items = [entry(key, "fox" if key < 10 else "dog", of=key) for key in range(100)]
        await engine.apply(NAME, items, [], 1)
        before = await engine.search(NAME, "fox", 1)
        await engine.apply(NAME, [], [document(key) for key in range(5)], 2)
        after = await engine.search(NAME, "fox", 1)
        assert after.ceiling > before.ceiling
        assert after.scores[0] <= after.ceiling
        await engine.apply(NAME, [], [document(key) for key in range(10)], 3)
        gone = await engine.search(NAME, "fox dog", 10)
        assert gone.known == 0.5
        await engine.close()

    asyncio.run(main())


_texts = st.lists(st.sampled_from(("fox", "foxes", "run", "kitapların", "ışık", "abc-123", "the")), max_size=8).map(
    " ".join
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    st.lists(st.tuples(_texts, _texts, st.sampled_from(["en", "tr", None])), min_size=1, max_size=12),
    st.lists(_texts, min_size=1, max_size=5),
)
def test_words_and_the_textbook_agree(records: list[tuple[str, str, str | None]], queries: list[str]) -> None:
    """Scores differ by the length of the usual entry; what matches, its ceiling and its coverage must not."""
    entries = [
        Entry(key, document(key), text, context, language, {}) for key, (text, context, language) in enumerate(records)
    ]

    async def answers(engine: LexicalEngine) -> list[LexicalCandidates]:
        try:
            await engine.create(LexicalSpec(NAME))
            await engine.apply(NAME, entries, [], 1)
            return [await engine.search(NAME, query, 100, coverage=True) for query in queries]
        finally:
            await engine.close()

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(answers(QdrantLexical(EdgeTransport(Path(folder)))))
    for ours, textbook in zip(found, asyncio.run(answers(MemoryLexical())), strict=True):
        shares = dict(zip(textbook.ids, textbook.coverage, strict=True))
        assert set(ours.ids) == set(shares)
        assert (ours.known, ours.ceiling) == (textbook.known, pytest.approx(textbook.ceiling))
        assert ours.coverage == pytest.approx([shares[key] for key in ours.ids])


def test_scores_are_those_of_the_vectors(tmp_path: Path) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(DenseSpec(NAME, (VectorField("text", 8, "l2"),)))
        await engine.apply(NAME, [point(key) for key in range(20)], [], 1)
        found = await engine.search(NAME, vector(3), 5)
        assert (found.ids[0], found.scores[0]) == (3, pytest.approx(0.0, abs=1e-3))
        distances = [-float(np.linalg.norm(vector(3) - vector(key))) for key in found.ids]
        assert found.scores == pytest.approx(distances, abs=1e-3)

    run(tmp_path, work)
