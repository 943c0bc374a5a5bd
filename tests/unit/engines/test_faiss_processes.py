from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kaynak.engines import DenseSpec
from kaynak.engines.faiss import FaissEngine
from kaynak.testing.dense import TEXT, vector
from kaynak.testing.engines import NAME

# Every turn writes one document, and every other one deletes one: what is there follows from the revision alone.
_CHILD = """
import asyncio, sys
from pathlib import Path
from kaynak.engines.faiss import FaissEngine
from kaynak.testing.dense import point
from kaynak.testing.engines import NAME, document

async def main():
    engine = FaissEngine(Path(sys.argv[1]), build_rows=40)
    turn = await engine.revision(NAME)
    print("ready", flush=True)
    for turn in range(turn + 1, turn + 1 + int(sys.argv[2])):
        points = [point(turn * 10 + at, turn) for at in range(5)]
        await engine.apply(NAME, points, [document(max(0, turn - 7))] if turn % 2 else [], turn)
        print(turn, flush=True)
    await engine.settle()
    await engine.close()

asyncio.run(main())
"""


def child(root: Path, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _CHILD, str(root), str(turns)], stdout=subprocess.PIPE, text=True)


def expected(revision: int) -> set[int]:
    gone = {turn - 7 for turn in range(1, revision + 1) if turn % 2}
    return {turn * 10 + at for turn in range(1, revision + 1) if turn not in gone for at in range(5)}


async def create(root: Path) -> None:
    engine = FaissEngine(root)
    await engine.create(DenseSpec(NAME, (TEXT,), {"m": 64, "ef_construction": 1000}))
    await engine.close()


async def check(root: Path, acknowledged: int) -> None:
    engine = FaissEngine(root, build_rows=40)
    try:
        revision = await engine.revision(NAME)
        assert revision in {acknowledged, acknowledged + 1}
        assert {key async for key, _ in engine.scan(NAME)} == expected(revision)
        assert await engine.count(NAME) == len(expected(revision))
        for seed in range(5):
            quick = await engine.search(NAME, vector(seed), 20)
            exact = await engine.search(NAME, vector(seed), 20, exact=True)
            assert quick.ids == exact.ids
            assert set(exact.ids) <= expected(revision)
    finally:
        await engine.close()


@pytest.mark.untraced
def test_a_process_killed_at_any_moment_leaves_the_last_write(tmp_path: Path) -> None:
    """In the midst of writes, or of a build: one is nearly always running."""
    asyncio.run(create(tmp_path))
    rng = random.Random(5)
    acknowledged = 0
    for _ in range(10):
        process = child(tmp_path, 100_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.01, 0.4))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        acknowledged = max([acknowledged, *map(int, lines)])
        asyncio.run(check(tmp_path, acknowledged))
    assert acknowledged > 50

    async def finish() -> None:
        engine = FaissEngine(tmp_path, build_rows=40)
        await engine.apply(NAME, [], [], await engine.revision(NAME))
        await engine.settle()
        await engine.close()

    asyncio.run(finish())
    assert not list(tmp_path.glob(f"{NAME}/*/*.new"))
    assert len(list(tmp_path.glob(f"{NAME}/*/*.faiss"))) == 1


def test_what_one_process_writes_another_sees(tmp_path: Path) -> None:
    async def work() -> None:
        await create(tmp_path)
        engine = FaissEngine(tmp_path, build_rows=40)
        process = child(tmp_path, 120)
        assert process.stdout is not None
        try:
            assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
            while line := await asyncio.to_thread(process.stdout.readline):
                turn = int(line)
                found = await engine.search(NAME, vector(turn * 10), 1)
                revision = await engine.revision(NAME)
                assert revision >= turn
                if revision < turn + 7:  # the other one is not so far ahead that it has removed it again
                    assert found.ids == (turn * 10,)
        finally:
            await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
        found = await engine.search(NAME, vector(1), 10_000)
        assert set(found.ids) == expected(120)
        await engine.close()

    asyncio.run(work())
