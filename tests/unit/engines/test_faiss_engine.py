from __future__ import annotations

import asyncio
import errno
import json
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kaynak.domain import (
    Conflict,
    CorruptIndex,
    EngineUnavailable,
    Json,
    StorageFull,
    Unsupported,
    parse_filter,
)
from kaynak.engines import DenseSpec, Point, VectorField
from kaynak.engines.faiss import FaissEngine, opened, searching, store
from kaynak.engines.faiss import engine as engines
from kaynak.engines.faiss.faults import translated
from kaynak.engines.faiss.places import write_lock
from kaynak.testing.dense import DIMENSIONS, SPEC, TEXT, point, vector
from kaynak.testing.engines import NAME, document

Work = Callable[[FaissEngine], Awaitable[None]]


def run(root: Path, work: Work, **options: Any) -> None:
    async def main() -> None:
        engine = FaissEngine(root, **{"build_rows": 100, **options})
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


def state(root: Path) -> dict[str, Any]:
    """Returns where the index stands, as its database says."""
    connection = sqlite3.connect(database(root))
    connection.row_factory = sqlite3.Row
    try:
        return dict(connection.execute("SELECT * FROM state").fetchone())
    finally:
        connection.close()


def database(root: Path) -> Path:
    (path,) = (root / NAME).glob(f"*/{store.FILE}")
    return path


def index_files(root: Path, suffix: str) -> list[Path]:
    return sorted((root / NAME).glob(f"*/*{suffix}"))


async def fill(engine: FaissEngine, count: int = 300, params: Mapping[str, Json] | None = None) -> None:
    await engine.create(DenseSpec(NAME, (TEXT,), params or {}))
    await engine.apply(NAME, [point(key, key, {"mod": key % 10}) for key in range(count)], [], 1)
    await engine.settle()


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The root of an index of 300 points, for which there are files of faiss."""
    run(tmp_path, fill)
    assert state(tmp_path)["generation"] == 1
    return tmp_path


async def nearest(engine: FaissEngine, seed: int, limit: int = 10) -> tuple[int, ...]:
    return (await engine.search(NAME, vector(seed), limit)).ids


# -- damage


@pytest.mark.parametrize("suffix", [".faiss", ".npz"])
@pytest.mark.parametrize("how", ["cut", "emptied", "removed", "flipped"])
def test_a_damaged_file_is_never_served_and_built_anew(filled: Path, suffix: str, how: str) -> None:
    (path,) = index_files(filled, suffix)
    data = path.read_bytes()
    flipped = data[:700] + bytes([data[700] ^ 0x10]) + data[701:]
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "emptied": b"", "flipped": flipped}[how])

    async def work(engine: FaissEngine) -> None:
        wanted = (await engine.search(NAME, vector(5), 10, exact=True)).ids
        assert await nearest(engine, 5) == wanted
        await engine.apply(NAME, [], [document(wanted[0])], 2)
        assert await nearest(engine, 5, 9) == wanted[1:]
        await engine.settle()
        assert state(filled)["generation"] == 2
        assert await nearest(engine, 5, 9) == wanted[1:]

    run(filled, work)
    (whole,) = index_files(filled, suffix)
    assert whole != path


def test_rows_are_not_added_to_a_damaged_file(filled: Path) -> None:
    (path,) = index_files(filled, ".faiss")
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)

    async def work(engine: FaissEngine) -> None:
        await engine.apply(NAME, [point(key, key) for key in range(300, 450)], [], 2)
        await engine.settle()
        found = state(filled)
        assert (found["generation"], found["covered"], found["trained"]) == (2, 450, 450)
        assert (await nearest(engine, 5))[0] == 5

    run(filled, work)


def test_a_file_cut_under_a_running_server_is_noticed(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "_CHECK_EVERY", -1.0)

    async def work(engine: FaissEngine) -> None:
        wanted = await nearest(engine, 5)
        (path,) = index_files(filled, ".faiss")
        path.write_bytes(b"")
        assert await nearest(engine, 5) == wanted
        await engine.settle()
        assert await nearest(engine, 5) == wanted
        assert state(filled)["generation"] == 2

    run(filled, work)


@pytest.mark.parametrize("how", ["no database", "cut", "emptied", "removed"])
def test_a_damaged_database_is_corrupt(filled: Path, how: str) -> None:
    path = database(filled)
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes({"no database": b"x" * 4096 + data[4096:], "cut": data[:16384], "emptied": b""}[how])

    async def work(engine: FaissEngine) -> None:
        assert not await engine.exists(NAME)
        for call in (
            engine.search(NAME, vector(1), 1),
            engine.revision(NAME),
            engine.apply(NAME, [point(1)], [], 2),
            engine.create(SPEC),
        ):
            with pytest.raises(CorruptIndex):
                await call
        await engine.drop(NAME)
        await engine.create(SPEC)
        assert await engine.revision(NAME) == 0

    run(filled, work)


def test_an_altered_vector_is_noticed(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key) for key in range(20)], [], 1)

    run(tmp_path, work)
    path = database(tmp_path)
    unit = vector(7) / np.linalg.norm(vector(7))
    at = path.read_bytes().index(unit.astype("<f4").tobytes()[:12])
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\x01")

    async def look(engine: FaissEngine) -> None:
        for _ in range(2):
            with pytest.raises(CorruptIndex):
                await engine.search(NAME, vector(1), 1)

    run(tmp_path, look)


@pytest.mark.parametrize("what", ["format = 99", "spec = '{'", "spec = '{\"fields\": 3}'"])
def test_an_index_of_another_version_is_corrupt(filled: Path, what: str) -> None:
    connection = sqlite3.connect(database(filled))
    with connection:
        connection.execute(f"UPDATE state SET {what}")
    connection.close()

    async def work(engine: FaissEngine) -> None:
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, vector(1), 1)

    run(filled, work)


def test_errors_have_meanings(tmp_path: Path) -> None:
    for raised, expected in (
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EACCES, "Permission denied"), EngineUnavailable),
        (FileNotFoundError(errno.ENOENT, "gone"), CorruptIndex),
        (MemoryError(), EngineUnavailable),
        (sqlite3.ProgrammingError("our own mistake"), sqlite3.ProgrammingError),
        (CorruptIndex("as it is"), CorruptIndex),
    ):
        with pytest.raises(expected), translated(NAME, tmp_path / "a" / "b"):
            raise raised


def test_what_cannot_be_opened_now_is_not_lost(filled: Path, tmp_path: Path) -> None:
    for code, directory, expected in (
        (sqlite3.SQLITE_CANTOPEN, filled / NAME, EngineUnavailable),
        (sqlite3.SQLITE_CANTOPEN, tmp_path / "none", CorruptIndex),
        (sqlite3.SQLITE_IOERR_READ, filled / NAME, EngineUnavailable),
        (sqlite3.SQLITE_IOERR_SHORT_READ, filled / NAME, CorruptIndex),
        (sqlite3.SQLITE_BUSY, filled / NAME, EngineUnavailable),
        (sqlite3.SQLITE_NOTADB, filled / NAME, CorruptIndex),
    ):
        raised = sqlite3.OperationalError("said by SQLite")
        raised.sqlite_errorcode = code
        with pytest.raises(expected), translated(NAME, directory):
            raise raised


def test_a_full_disk_leaves_everything_as_it_was(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = database(filled).stat().st_size // 16384
    monkeypatch.setattr(store, "_SETTINGS", store._SETTINGS + f"PRAGMA max_page_count = {pages + 1};")

    async def full(engine: FaissEngine) -> None:
        with pytest.raises(StorageFull):
            await engine.apply(NAME, [point(key, key) for key in range(1000, 6000)], [document(1)], 2)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (1, 300)
        assert (await nearest(engine, 1))[0] == 1

    run(filled, full)
    monkeypatch.undo()

    async def again(engine: FaissEngine) -> None:
        await engine.apply(NAME, [point(key, key) for key in range(1000, 6000)], [document(1)], 2)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (2, 5299)

    run(filled, again)


def test_a_build_that_fails_is_told_and_nothing_else(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kaynak.engines.faiss.building.write_files", full)

    async def work(engine: FaissEngine) -> None:
        await engine.apply(NAME, [point(key, key) for key in range(300, 600)], [], 2)
        await engine.settle()
        assert state(filled)["generation"] == 1
        assert (await nearest(engine, 400))[0] == 400

    run(filled, work)


@pytest.mark.parametrize("what", ["index", "root"])
def test_a_directory_deleted_under_a_running_server_is_noticed(filled: Path, what: str) -> None:
    async def work(engine: FaissEngine) -> None:
        assert await nearest(engine, 5)
        shutil.rmtree(filled if what == "root" else filled / NAME)
        for call in (engine.search(NAME, vector(5), 1), engine.revision(NAME), engine.apply(NAME, [], [], 1)):
            with pytest.raises(CorruptIndex):
                await call
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [], 5)
        assert await nearest(engine, 5) == (1,)

    run(filled, work)


# -- what is built


def test_rows_are_added_to_files_and_files_made_anew_when_much_is_gone(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await fill(engine)
        first = state(tmp_path)
        await engine.apply(NAME, [point(key, key) for key in range(300, 450)], [document(3)], 2)
        await engine.settle()
        added = state(tmp_path)
        assert (added["generation"], added["covered"], added["dead"]) == (2, 450, 1)
        assert added["trained"] == first["trained"]
        assert 3 not in await nearest(engine, 3)
        assert (await nearest(engine, 440))[0] == 440
        await engine.apply(NAME, [], [document(key) for key in range(150)], 3)
        await engine.settle()
        anew = state(tmp_path)
        assert (anew["generation"], anew["covered"], anew["dead"]) == (3, 300, 0)
        assert (await nearest(engine, 200))[0] == 200
        # One generation of files is there, and none that is not finished.
        assert [path.name.split("-")[0] for path in index_files(tmp_path, ".*") if "-" in path.name][:1] == ["3"]
        assert len(index_files(tmp_path, ".faiss")) == len(index_files(tmp_path, ".npz")) == 1
        await engine.apply(NAME, [], [document(key) for key in range(150, 440)], 4)
        await engine.settle()
        assert state(tmp_path)["files"] == "{}"
        assert sorted(await nearest(engine, 1, 20)) == list(range(440, 450))

    run(tmp_path, work)


def test_an_index_is_fitted_anew_when_it_has_outgrown_what_it_was_fitted_to(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await fill(engine, 150, {"type": "ivf"})
        for turn in range(1, 6):
            keys = range(turn * 150, turn * 150 + 150)
            await engine.apply(NAME, [point(key, key) for key in keys], [], turn + 1)
            await engine.settle()
        assert state(tmp_path)["trained"] > 600

    run(tmp_path, work)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf", "sq", "pq"])
def test_mass_deletes_do_not_shorten_results(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(engine: FaissEngine) -> None:
        await fill(engine, 3000, {"type": kind})
        monkeypatch.setattr(engines, "due", lambda *_: False)
        await engine.apply(NAME, [], [document(key) for key in range(2700)], 2)
        for limit in (10, 300):
            found = await engine.search(NAME, vector(1), limit)
            assert len(found.ids) == limit
            assert not found.short
            assert set(found.ids) <= set(range(2700, 3000))
        monkeypatch.undo()
        await engine.apply(NAME, [], [], 3)
        await engine.settle()
        assert state(tmp_path)["covered"] == 300
        assert len((await engine.search(NAME, vector(1), 300)).ids) == 300

    run(tmp_path, work)


def test_writes_are_seen_while_files_are_built(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), {"ef_construction": 1000, "m": 64}))
        for turn in range(40):
            keys = range(turn * 50, turn * 50 + 50)
            gone = turn - 1
            await engine.apply(NAME, [point(key, key) for key in keys], [document(gone)] if turn else [], turn)
            assert (await nearest(engine, turn * 50 + 49))[0] == turn * 50 + 49
            assert gone not in await nearest(engine, abs(gone))
        await engine.settle()
        assert await engine.count(NAME) == 2000 - 39
        assert (await engine.search(NAME, vector(1999), 1)).ids == (1999,)

    run(tmp_path, work)


def test_new_files_are_opened_while_the_old_ones_are_searched(filled: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        other = FaissEngine(filled, build_rows=100)
        try:
            assert (await nearest(other, 5))[0] == 5
            for turn in range(4):
                keys = range(1000 * turn, 1000 * turn + 300)
                await engine.apply(NAME, [point(key, key) for key in keys], [document(turn)], turn + 2)
                await engine.settle()
                for _ in range(3):
                    assert (await nearest(other, 1000 * turn + 200))[0] == 1000 * turn + 200
                    assert turn == 0 or turn not in await nearest(other, turn)
                    await other.settle()
            view = other._indexes[NAME]._view
            assert view is not None
            assert view.files is not None
            assert view.files.generation == state(filled)["generation"]
        finally:
            await other.close()

    run(filled, work)


def test_closing_gives_up_a_build(tmp_path: Path) -> None:
    async def main() -> None:
        engine = FaissEngine(tmp_path, build_rows=100)
        await engine.create(DenseSpec(NAME, (VectorField("text", 128),), {"m": 64, "ef_construction": 1000}))
        points = [Point(key, document(key), {"text": vector(key, 128)}, {}) for key in range(4000)]
        await engine.apply(NAME, points, [], 1)
        await engine.close()
        assert not [one.name for one in threading.enumerate() if one.name.startswith("faiss")]
        with pytest.raises(EngineUnavailable):
            await engine.search(NAME, vector(1, 128), 1)

    asyncio.run(main())
    assert state(tmp_path)["generation"] == 0


def test_an_index_may_be_dropped_while_it_is_built(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        for turn in range(3):
            await engine.create(DenseSpec(NAME, (TEXT,), {"m": 64, "ef_construction": 1000}))
            await engine.apply(NAME, [point(key, key) for key in range(2000)], [], 1)
            await engine.drop(NAME)
            await engine.create(SPEC)
            await engine.apply(NAME, [point(turn)], [], 1)
            assert await nearest(engine, turn) == (turn,)
            await engine.settle()
            await engine.drop(NAME)

    run(tmp_path, work)
    assert {path.suffix for path in tmp_path.iterdir()} == {".lock"}


# -- searching


def test_few_vectors_of_a_field_beside_many_of_another(tmp_path: Path) -> None:
    """The field that has too few for product quantization is kept as it came."""
    picture = VectorField("picture", 4, "l2")

    async def work(engine: FaissEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT, picture), {"type": "pq"}))
        points = [
            Point(
                key, document(key), {"text": vector(key)} | ({"picture": vector(key, 4)} if key % 50 == 7 else {}), {}
            )
            for key in range(600)
        ]
        await engine.apply(NAME, points, [], 1)
        await engine.settle()
        assert json.loads(state(tmp_path)["files"])
        for exact in (False, True):
            found = await engine.search(NAME, vector(57, 4), 20, field="picture", exact=exact)
            assert (found.ids[0], found.mode, len(found.ids)) == (57, "exact", 12)
            assert found.scores[0] == 0.0
            assert (await engine.search(NAME, vector(50), 1, field="text", exact=exact)).ids == (50,)

    run(tmp_path, work)


def test_more_rows_than_the_memory_should_hold_are_read_from_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kaynak.engines.faiss.view.MOST_BYTES", 40_000)

    async def work(engine: FaissEngine) -> None:
        await engine.create(SPEC)
        for turn in range(3):
            keys = range(turn * 1000, turn * 1000 + 1000)
            await engine.apply(NAME, [point(key, key, {"mod": key % 10}) for key in keys], [document(turn)], turn + 1)
            assert (await nearest(engine, turn * 1000 + 500))[0] == turn * 1000 + 500
            for at, condition in (
                (502, None),
                (502, parse_filter({"mod": 2})),
                (502, parse_filter({"mod": {"$ne": 9}})),
            ):
                found = await engine.search(NAME, vector(at), 3, condition=condition)
                assert found.ids[0] == at

    run(tmp_path, work, build_rows=10_000)


@pytest.mark.parametrize("params", [{"type": "flat"}, {"type": "ivf", "nlist": 8, "nprobe": 8}, {"type": "hnsw"}])
def test_many_equal_vectors_are_cut_by_id(
    tmp_path: Path, params: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_GATHERED", 0)
    monkeypatch.setattr(searching, "_READ", 0)
    same = vector(7)

    async def work(engine: FaissEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), params))
        keys = [(key * 7919) % 2003 for key in range(2003)]
        await engine.apply(NAME, [point(key, key, at=same) for key in keys[:1500]], [], 1)
        await engine.settle()
        await engine.apply(NAME, [point(key, key, at=same) for key in keys[1500:]], [], 2)
        found = await engine.search(NAME, same, 10)
        assert (found.ids, found.mode) == (tuple(range(10)), "exact")

    run(tmp_path, work, build_rows=1200)


def test_values_that_python_takes_for_equal_are_different_filters(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await engine.create(SPEC)
        payloads: list[dict[str, Json]] = [{"a": 1}, {"a": True}, {"a": 1.0}]
        await engine.apply(NAME, [point(key, key, one) for key, one in enumerate(payloads)], [], 1)
        for value, wanted in ((1, 2), (True, 1), (1.0, 2)):
            assert await engine.count(NAME, parse_filter({"a": value})) == wanted
        await engine.apply(NAME, [point(5, 5, {"a": True})], [document(1)], 2)
        assert await engine.count(NAME, parse_filter({"a": True})) == 1

    run(tmp_path, work)


def test_payloads_go_with_their_last_point(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1, 1, {"a": "secret"}), point(2, 2, {"a": "secret"})], [], 1)
        await engine.apply(NAME, [], [document(1)], 2)
        assert await engine.count(NAME, parse_filter({"a": "secret"})) == 1
        await engine.apply(NAME, [], [document(2)], 3)

    run(tmp_path, work)
    connection = sqlite3.connect(database(tmp_path))
    for table in ("points", "payloads", "postings", "v_text"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


def test_scan_pages_through_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_PAGE", 7)

    async def work(engine: FaissEngine) -> None:
        await engine.create(SPEC)
        keys = [-(2**63), -1, *range(30), 2**62]
        await engine.apply(NAME, [point(key, 3, at=vector(1)) for key in keys], [], 1)
        assert [key async for key, _ in engine.scan(NAME)] == keys

    run(tmp_path, work)


# -- specifications


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"type": "annoy"}, "flat, hnsw, ivf, sq, pq, ivfpq"),
        ({"type": "flat", "m": 16}, "type"),
        ({"type": "hnsw", "nlist": 4}, "ef_search"),
        ({"type": "hnsw", "m": 1}, "m of the type hnsw"),
        ({"type": "hnsw", "m": True}, "m of the type hnsw"),
        ({"type": "hnsw", "m": 50, "ef_construction": 60}, "twice m"),
        ({"type": "hnsw", "bits": 7}, "4, 8, 16, 32"),
        ({"type": "sq", "bits": 12}, "4, 8, 16"),
        ({"type": "ivf", "nlist": 4, "nprobe": 5}, "nprobe"),
        ({"type": "pq", "subquantizers": 3}, "divide"),
        ({"type": "pq", "bits": 9}, "bits of the type pq"),
    ],
    ids=lambda one: "-".join(f"{key}={value}" for key, value in one.items()) if isinstance(one, dict) else "",
)
def test_what_cannot_be_is_refused(tmp_path: Path, params: dict[str, Json], said: str) -> None:
    async def work(engine: FaissEngine) -> None:
        with pytest.raises(Unsupported) as caught:
            await engine.create(DenseSpec(NAME, (TEXT,), params))
        assert said in f"{caught.value.message} {caught.value.hint}"
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec(NAME, (VectorField("text", 20_000),)))
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec(NAME, (VectorField("text", DIMENSIONS, "hamming"),)))  # type: ignore[arg-type]

    run(tmp_path, work)


def test_the_same_name_built_differently_is_a_conflict(tmp_path: Path) -> None:
    async def work(engine: FaissEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), {"type": "hnsw", "m": 24}))
        await engine.create(DenseSpec(NAME, (TEXT,)))
        for other in ({"m": 16}, {"type": "flat"}):
            with pytest.raises(Conflict):
                await engine.create(DenseSpec(NAME, (TEXT,), other))

    run(tmp_path, work)


def test_a_writer_that_never_ends_is_not_waited_for_forever(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.engines.faiss.places._WAIT", 0.05)

    async def work(engine: FaissEngine) -> None:
        with write_lock(filled, NAME):
            with pytest.raises(EngineUnavailable):
                await engine.apply(NAME, [point(1)], [], 9)
            assert await nearest(engine, 1)
        await engine.apply(NAME, [point(1)], [], 9)

    run(filled, work)


def test_a_root_that_cannot_be_made_is_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def work(engine: FaissEngine) -> None:
        with pytest.raises(EngineUnavailable):
            await engine.health()

    run(tmp_path / "file" / "root", work)
