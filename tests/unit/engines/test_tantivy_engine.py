from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kaynak.domain import Conflict, CorruptIndex, EngineUnavailable, StorageFull, parse_filter
from kaynak.engines import LexicalSpec
from kaynak.engines.tantivy import TantivyEngine, faults, reader, writer
from kaynak.engines.tantivy.faults import translated
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import SPEC, entry


def run(root: Path, work: Callable[[TantivyEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = TantivyEngine(root)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The root of an index with entries of three commits, one of them with deletes."""

    async def fill(engine: TantivyEngine) -> None:
        await engine.create(SPEC)
        for turn in range(3):
            entries = [entry(turn * 100 + key, f"fox number{key}", of=key + 1) for key in range(50)]
            await engine.apply(NAME, entries, [document(1)], turn + 1)

    run(tmp_path, fill)
    return tmp_path


def segment_files(root: Path, suffix: str) -> list[Path]:
    return sorted((root / NAME).glob(f"*.{suffix}"))


# -- damage


@pytest.mark.parametrize("suffix", ["idx", "term", "fast", "fieldnorm", "store", "pos"])
@pytest.mark.parametrize("how", ["cut", "emptied", "removed", "flipped"])
def test_a_damaged_file_is_noticed_when_opened(filled: Path, suffix: str, how: str) -> None:
    path = max(segment_files(filled, suffix), key=lambda file: file.stat().st_size)
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        middle = len(data) // 3
        flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        path.write_bytes({"cut": data[: len(data) // 2], "emptied": b"", "flipped": flipped}[how])

    async def work(engine: TantivyEngine) -> None:
        assert not await engine.exists(NAME)
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, "fox", 5)
        with pytest.raises(CorruptIndex):
            await engine.apply(NAME, [entry(1)], [], 9)
        await engine.drop(NAME)
        await engine.create(SPEC)
        assert await engine.revision(NAME) == 0

    run(filled, work)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\x00" * 50, b'{"segments": [{}]}', b'{"segments": 3}', b"{"])
@pytest.mark.parametrize("file", ["meta.json", "kaynak.json"])
def test_damaged_records_are_noticed(filled: Path, file: str, content: bytes) -> None:
    (filled / NAME / file).write_bytes(content)

    async def work(engine: TantivyEngine) -> None:
        with pytest.raises(CorruptIndex):
            await engine.revision(NAME)

    run(filled, work)


def test_a_file_cut_under_a_running_server_is_noticed(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a map beyond the end of its file kills the process, so this must not be left to tantivy."""
    monkeypatch.setattr(reader, "_CHECK_EVERY", -1.0)

    async def work(engine: TantivyEngine) -> None:
        assert (await engine.search(NAME, "fox", 5)).ids
        path = max(segment_files(filled, "idx"), key=lambda file: file.stat().st_size)
        os.truncate(path, 10)
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, "fox", 5)

    run(filled, work)


def test_a_directory_deleted_under_a_running_server_is_noticed(filled: Path) -> None:
    async def work(engine: TantivyEngine) -> None:
        assert (await engine.search(NAME, "fox", 5)).ids
        subprocess.run(["rm", "-rf", str(filled / NAME)], check=True)
        for call in (engine.search(NAME, "fox", 5), engine.revision(NAME), engine.apply(NAME, [], [], 1)):
            with pytest.raises(CorruptIndex):
                await call
        await engine.create(SPEC)
        await engine.apply(NAME, [entry(1)], [], 5)
        assert (await engine.search(NAME, "fox", 5)).ids == (1,)

    run(filled, work)


def test_the_whole_root_may_vanish(filled: Path) -> None:
    async def work(engine: TantivyEngine) -> None:
        await engine.count(NAME)
        subprocess.run(["rm", "-rf", str(filled)], check=True)
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, "fox", 5)
        await engine.create(SPEC)
        assert await engine.revision(NAME) == 0

    run(filled, work)


def test_an_index_of_another_version_is_rebuilt(filled: Path) -> None:
    spec = filled / NAME / "kaynak.json"
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "analysis": -1}))

    async def work(engine: TantivyEngine) -> None:
        with pytest.raises(CorruptIndex):
            await engine.search(NAME, "fox", 5)
        with pytest.raises(Conflict):
            await engine.create(LexicalSpec(NAME))

    run(filled, work)


def test_panics_and_disk_faults_have_meanings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {})
    for raised, expected in (
        (panic("index out of bounds"), CorruptIndex),
        (ValueError("An IO error occurred: 'No space left on device (os error 28)'"), StorageFull),
        (OSError(errno.ENOSPC, "No space left on device"), StorageFull),
        (OSError(errno.EACCES, "Permission denied"), EngineUnavailable),
        (ValueError("Failed to acquire Lockfile: LockBusy."), EngineUnavailable),
        (FileNotFoundError(errno.ENOENT, "gone"), CorruptIndex),
    ):
        with pytest.raises(expected), translated(NAME, tmp_path / "a" / "b"):
            raise raised
    with pytest.raises(KeyboardInterrupt), translated(NAME, tmp_path):
        raise KeyboardInterrupt
    monkeypatch.setattr(faults, "_space_left", lambda _: 0)
    with pytest.raises(StorageFull), translated(NAME, tmp_path):
        raise ValueError("An error occurred in a thread: 'an index writer was killed'")


# -- writers


def test_a_failed_write_leaves_nothing_behind(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(engine: TantivyEngine) -> None:
        before = sorted([one async for one in engine.scan(NAME)])
        real = writer.entry_terms

        def fails(text: str, context: str, language: str | None) -> list[str]:
            if text == "bad":
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(text, context, language)

        monkeypatch.setattr(writer, "entry_terms", fails)
        with pytest.raises(StorageFull):
            await engine.apply(NAME, [entry(900), entry(901, "bad")], [document(2)], 50)
        assert sorted([one async for one in engine.scan(NAME)]) == before
        assert await engine.revision(NAME) == 3
        await engine.apply(NAME, [entry(900)], [], 51)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (51, len(before) + 1)

    run(filled, work)


def test_a_writer_that_never_ends_is_not_waited_for_forever(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_LOCK_WAIT", 0.05)

    async def work(engine: TantivyEngine) -> None:
        with writer.write_lock(filled, NAME):
            with pytest.raises(EngineUnavailable):
                await engine.apply(NAME, [entry(1)], [], 9)
            assert (await engine.search(NAME, "fox", 1)).ids
        await engine.apply(NAME, [entry(1)], [], 9)

    run(filled, work)


_CHILD = """
import asyncio, sys
from pathlib import Path
from kaynak.engines.tantivy import TantivyEngine
from kaynak.testing.lexical import entry
from kaynak.testing.engines import NAME, document

async def main():
    root, first, turns = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    engine = TantivyEngine(root)
    print("ready", flush=True)
    for turn in range(turns):
        key = first + turn
        entries = [entry(key * 10 + at, "fox " * 50, of=key) for at in range(5)]
        await engine.apply(NAME, entries, [document(key)], await engine.revision(NAME) + 1)
        print(key, flush=True)
    await engine.close()

asyncio.run(main())
"""


def child(root: Path, first: int, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_CHILD), str(root), str(first), str(turns)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_take_turns(filled: Path) -> None:
    children = [child(filled, first, 6) for first in (1000, 2000)]

    async def work(engine: TantivyEngine) -> None:
        while any(one.poll() is None for one in children):
            await engine.search(NAME, "fox", 10)
            await asyncio.sleep(0.02)
        keys = {key async for key, _ in engine.scan(NAME)}
        for first in (1000, 2000):
            assert {(first + turn) * 10 + at for turn in range(6) for at in range(5)} <= keys

    run(filled, work)
    for one in children:
        one.communicate()
        assert one.returncode == 0


@pytest.mark.untraced
def test_a_killed_writer_leaves_the_last_commit(filled: Path) -> None:
    committed = 0
    for attempt in range(4):
        process = child(filled, 1000 + attempt * 100, 10_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2 + attempt)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        done = [int(line) for line in [*lines, *rest] if line.strip().isdigit()]
        committed += len(done)

        async def work(engine: TantivyEngine, done: list[int] = done, committed: int = committed) -> None:
            keys = {key async for key, _ in engine.scan(NAME)}
            written = {key // 10 for key in keys if key >= 10_000}
            # Whole documents only, and every one that was acknowledged.
            assert all(number * 10 + at in keys for number in written for at in range(5))
            assert set(done) <= written
            assert await engine.revision(NAME) >= 3 + committed
            await engine.apply(NAME, [], [], await engine.revision(NAME))

        run(filled, work)


def test_segments_and_files_stay_few(tmp_path: Path) -> None:
    async def work(engine: TantivyEngine) -> None:
        await engine.create(SPEC)
        for turn in range(40):
            await engine.apply(NAME, [entry(turn, of=turn + 1)], [document(turn // 2)], turn)
        assert len(list((tmp_path / NAME).iterdir())) < 120

    run(tmp_path, work)


def test_a_closed_engine_says_so(filled: Path) -> None:
    async def main() -> None:
        engine = TantivyEngine(filled)
        await engine.close()
        with pytest.raises(EngineUnavailable):
            await engine.search(NAME, "fox", 1)

    asyncio.run(main())


def test_a_root_that_cannot_be_made_is_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def work(engine: TantivyEngine) -> None:
        with pytest.raises(EngineUnavailable):
            await engine.health()

    run(tmp_path / "file" / "root", work)


# -- reading


def test_scan_pages_through_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.engines.tantivy.engine._PAGE", 7)

    async def work(engine: TantivyEngine) -> None:
        await engine.create(SPEC)
        big = [entry(key, of=2**127 + key) for key in (*range(30), 2**62)]
        await engine.apply(NAME, big, [], 1)
        assert [one async for one in engine.scan(NAME)] == [(one.id, one.document_id) for one in big]

    run(tmp_path, work)


def test_many_equal_entries_are_cut_by_id(tmp_path: Path) -> None:
    async def work(engine: TantivyEngine) -> None:
        await engine.create(SPEC)
        keys = [(key * 7919) % 2003 for key in range(2003)]
        for first in range(0, 2003, 700):
            await engine.apply(NAME, [entry(key, of=key) for key in keys[first : first + 700]], [], first)
        found = await engine.search(NAME, "fox", 10)
        assert found.ids == tuple(range(10))
        assert len((await engine.search(NAME, "fox", 10_000)).ids) == 2003

    run(tmp_path, work)


def test_long_strings_in_payloads_compare_exactly(tmp_path: Path) -> None:
    long = "x" * 60_000

    async def work(engine: TantivyEngine) -> None:
        await engine.create(SPEC)
        entries = [entry(key, payload={"a": long + end}) for key, end in enumerate(("", "a", "b"))]
        await engine.apply(NAME, entries, [], 1)
        assert await engine.count(NAME, parse_filter({"a": long + "a"})) == 1
        assert await engine.count(NAME, parse_filter({"a": {"$gt": "w"}})) == 3
        assert await engine.count(NAME, parse_filter({"a": {"$in": [long, long + "b", "z"]}})) == 2

    run(tmp_path, work)
