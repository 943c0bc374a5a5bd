from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from kaynak.domain import (
    Conflict,
    EngineUnavailable,
    InvalidFilter,
    InvalidRequest,
    Json,
    Misconfigured,
    Unsupported,
    parse_filter,
)
from kaynak.engines import DenseEngine, DenseSpec, MilvusOptions, VectorField
from kaynak.testing.dense import SPEC, TEXT, DenseEngineSuite, point, vector
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import SPEC as WORDS
from kaynak.testing.weighted import WEIGHTED

pytest.importorskip("pymilvus", reason="the extra milvus is not installed")

from kaynak.engines.milvus import MilvusEngine, MilvusLexical
from kaynak.testing.milvus_server import CannotIsolate, MilvusServer, has_milvus, milvus_server


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A real Milvus for these tests; its log is kept if one of them fails."""
    if not has_milvus():
        pytest.skip("the wheel milvus is not installed")
    failed = request.session.testsfailed
    try:
        with milvus_server() as server:
            yield server
            if request.session.testsfailed > failed:
                shutil.copy(server.log, tmp_path_factory.mktemp("milvus") / "log")
    except CannotIsolate as exc:
        pytest.skip(str(exc))


@pytest.fixture
def served(server: MilvusServer, tmp_path: Path) -> Iterator[Callable[[], DenseEngine]]:
    """Makes engines of the server; what a test has made there is removed."""

    def make() -> DenseEngine:
        return MilvusEngine(MilvusOptions(uri=server.uri), tmp_path)

    yield make

    async def clear() -> None:
        engine = make()
        await engine.drop(NAME)
        await engine.close()

    asyncio.run(clear())


class TestServer(DenseEngineSuite):
    """Milvus 2.3, with HNSW."""

    column = "Milvus server"

    @pytest.fixture
    def engine_factory(self, served: Callable[[], DenseEngine]) -> Callable[[], DenseEngine]:
        return served


class TestEmbedded(DenseEngineSuite):
    """milvus-lite, which by default compares with every vector."""

    column = "Milvus embedded"

    @pytest.fixture
    def engine_factory(self, tmp_path: Path) -> Callable[[], DenseEngine]:
        return lambda: MilvusEngine(MilvusOptions(), tmp_path / "milvus")


@pytest.mark.parametrize("index_type", ["HNSW", "IVF_FLAT", "IVF_SQ8"])
def test_every_index_type_finds_what_is_near(tmp_path: Path, index_type: str) -> None:
    """Of milvus-lite, in files that are closed and opened again: it has an index only of what it has put away."""
    params: dict[str, Json] = {"index_type": index_type}
    if index_type != "HNSW":
        params |= {"nlist": 16, "nprobe": 12}

    async def work(engine: MilvusEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), params))
        await engine.apply(NAME, [point(key, key, {"mod": key % 4}) for key in range(800)], [], 1)
        await engine.close()
        engine = MilvusEngine(MilvusOptions(), tmp_path / "milvus", exact_rows=10)
        try:
            for condition in (None, parse_filter({"mod": 3})):
                found = 0
                for seed in range(2000, 2010):
                    quick = await engine.search(NAME, vector(seed), 10, condition=condition)
                    exact = await engine.search(NAME, vector(seed), 10, condition=condition, exact=True)
                    assert (quick.mode, exact.mode, len(quick.ids)) == ("ann", "exact", 10)
                    found += len(set(quick.ids) & set(exact.ids))
                assert found >= 90
        finally:
            await engine.close()

    asyncio.run(work(MilvusEngine(MilvusOptions(), tmp_path / "milvus")))


def with_engine(options: MilvusOptions, root: Path, work: Callable[[MilvusEngine], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = MilvusEngine(options, root)
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "params",
    [
        {"index_type": "IVF_PQ"},
        {"index_type": "DISKANN"},
        {"index_type": "SCANN"},
        {"index_type": "AUTOINDEX"},
        {"index_type": "HNSW", "nlist": 8},
        {"index_type": "HNSW", "m": 1},
        {"index_type": "IVF_FLAT", "nprobe": True},
        {"consistency": "eventually"},
    ],
    ids=str,
)
def test_what_is_only_pretended_is_refused(tmp_path: Path, params: dict[str, Json]) -> None:
    async def work(engine: MilvusEngine) -> None:
        with pytest.raises(Unsupported):
            await engine.create(DenseSpec(NAME, (TEXT,), params))
        assert not await engine.exists(NAME)

    with_engine(MilvusOptions(), tmp_path / "milvus", work)


def test_an_index_is_not_made_anew_with_other_parameters(tmp_path: Path) -> None:
    async def work(engine: MilvusEngine) -> None:
        await engine.create(DenseSpec(NAME, (TEXT,), {"index_type": "HNSW", "m": 24}))
        await engine.create(DenseSpec(NAME, (TEXT,), {"m": 24, "index_type": "HNSW"}))
        for other in ({"index_type": "FLAT"}, {"index_type": "HNSW", "m": 8}):
            with pytest.raises(Conflict):
                await engine.create(DenseSpec(NAME, (TEXT,), dict(other)))
        with pytest.raises(Conflict):
            await engine.create(DenseSpec(NAME, (VectorField("text", 9),), {"index_type": "HNSW", "m": 24}))

    with_engine(MilvusOptions(), tmp_path / "milvus", work)


def test_what_is_too_much_for_milvus_spoils_the_whole_write(tmp_path: Path) -> None:
    async def work(engine: MilvusEngine) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1, payload={"text": "x" * 100_000})], [], 1)
        assert await engine.count(NAME, parse_filter({"text": "x" * 100_000})) == 1
        assert await engine.count(NAME, parse_filter({"text": {"$gt": "x" * 900}})) == 1
        assert await engine.count(NAME, parse_filter({"text": "x" * 99_999})) == 0
        with pytest.raises(InvalidFilter):
            await engine.count(NAME, parse_filter({"text": {"$gt": "x" * 2000}}))
        readers: Json = [str(number) for number in range(5000)]
        with pytest.raises(InvalidRequest):
            await engine.apply(NAME, [point(2), point(3, payload={"all": readers})], [document(1)], 2)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (1, 1)

    with_engine(MilvusOptions(), tmp_path / "milvus", work)


HOLDER = """
import sys, time
from milvus_lite import MilvusLite
database = MilvusLite(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_files_that_another_process_holds(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "milvus"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        async def refused(engine: MilvusEngine) -> None:
            with pytest.raises(EngineUnavailable, match="another process") as caught:
                await engine.health()
            assert "milvus.uri" in str(caught.value.hint)

        with_engine(MilvusOptions(), tmp_path / "milvus", refused)
    finally:
        holder.kill()
        holder.communicate()
    with_engine(MilvusOptions(), tmp_path / "milvus", lambda engine: engine.health())


async def revisions_while_written(options: MilvusOptions, root: Path) -> None:
    writer, reader = MilvusEngine(options, root), MilvusEngine(options, root)
    done = asyncio.Event()

    async def write() -> None:
        for revision in range(1, 30):
            await writer.apply(NAME, [point(revision), point(1000)], [], revision)
        done.set()

    async def read() -> None:
        last = 0
        while not done.is_set():
            revision = await reader.revision(NAME)
            assert revision >= last
            assert await reader.count(NAME) >= revision
            last = revision

    try:
        await writer.create(SPEC)
        await asyncio.gather(write(), read())
        assert (await reader.revision(NAME), await reader.count(NAME)) == (29, 30)
    finally:
        await writer.close()
        await reader.close()


def test_a_revision_never_goes_back_or_before_its_points(tmp_path: Path) -> None:
    asyncio.run(revisions_while_written(MilvusOptions(), tmp_path / "milvus"))


DOOMED = """
import asyncio, os, sys
from pathlib import Path
from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusEngine
from kaynak.testing.dense import SPEC, point

async def main():
    engine = MilvusEngine(MilvusOptions(), Path(sys.argv[1]))
    await engine.create(SPEC)
    for turn in range(1, 4):
        await engine.apply("g1", [point(turn * 10 + key) for key in range(4)], [point(0).document_id], turn)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_a_killed_process_leaves_what_it_wrote(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # where it leaves its socket
    subprocess.run([sys.executable, "-c", DOOMED, tmp_path / "milvus"], env=environment, check=False)

    async def work(engine: MilvusEngine) -> None:
        assert await engine.revision(NAME) == 3
        assert sorted((await engine.search(NAME, vector(1), 20)).ids) == [30, 31, 32, 33]

    with_engine(MilvusOptions(), tmp_path / "milvus", work)


def test_a_server_that_is_away(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        options = MilvusOptions(uri=f"http://127.0.0.1:{unused.getsockname()[1]}", seconds=1.0)

        async def work(engine: MilvusEngine) -> None:
            begun = time.monotonic()
            for call in (engine.health, lambda: engine.revision(NAME), lambda: engine.create(SPEC)):
                with pytest.raises(EngineUnavailable):
                    await call()
            assert time.monotonic() - begun < 5

        with_engine(options, tmp_path, work)


def test_a_server_that_is_killed_and_comes_back(
    server: MilvusServer, served: Callable[[], DenseEngine], tmp_path: Path
) -> None:
    async def work(engine: MilvusEngine) -> None:
        await revisions_while_written(MilvusOptions(uri=server.uri), tmp_path)
        await engine.apply(NAME, [point(2000 + key) for key in range(4)], [document(1)], 30)
        server.stop()
        begun = time.monotonic()
        with pytest.raises(EngineUnavailable):
            await engine.search(NAME, vector(1), 10)
        assert time.monotonic() - begun < 5
        server.start()
        until = time.monotonic() + 30
        while True:
            try:
                found = await engine.search(NAME, vector(1), 10)
                break
            except EngineUnavailable:
                assert time.monotonic() < until
                await asyncio.sleep(0.2)
        assert sorted(found.ids) == [2000, 2001, 2002, 2003]
        assert (await engine.revision(NAME), await engine.count(NAME)) == (30, 4)

    with_engine(MilvusOptions(uri=server.uri), tmp_path, work)


READER = """
import asyncio, sys
from pathlib import Path
from kaynak.domain import EngineUnavailable
from kaynak.engines import MilvusOptions
from kaynak.engines.milvus import MilvusEngine
from kaynak.testing.dense import vector
from kaynak.testing.engines import NAME

async def main():
    engine = MilvusEngine(MilvusOptions(uri=sys.argv[1]), Path(sys.argv[2]))
    for line in sys.stdin:
        asks_first = line.strip() == "revision"
        revision = await engine.revision(NAME) if asks_first else -1
        while True:
            try:
                found = await engine.search(NAME, vector(1), 1000)
                break
            except EngineUnavailable:
                await asyncio.sleep(0.02)
        print(revision, *sorted(found.ids), flush=True)
    await engine.close()

asyncio.run(main())
"""


def test_what_was_written_is_seen_by_another_process(tmp_path: Path) -> None:
    """At once; and also of a server that has just been started again, by whoever has seen its revision before.

    The server is one of its own: for a while after it was started again, it answers at times that a channel is missing.
    """
    if not has_milvus():
        pytest.skip("the wheel milvus is not installed")
    try:
        with milvus_server() as server:
            _seen_by_another_process(server, tmp_path)
    except CannotIsolate as exc:
        pytest.skip(str(exc))


def _seen_by_another_process(server: MilvusServer, tmp_path: Path) -> None:
    command = [sys.executable, "-c", READER, server.uri, str(tmp_path)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdin is not None
    assert reader.stdout is not None

    def ask(line: str) -> list[int]:
        assert reader.stdin is not None
        assert reader.stdout is not None
        print(line, file=reader.stdin, flush=True)
        return [int(one) for one in reader.stdout.readline().split()]

    async def work(engine: MilvusEngine) -> None:
        await engine.create(SPEC)
        expected: list[int] = []
        for revision in range(1, 31):
            await engine.apply(NAME, [point(revision, of=revision + 3)], [document(revision)], revision)
            expected = list(range(max(1, revision - 2), revision + 1))
            asks_first = revision % 2 == 0
            seen = ask("revision" if asks_first else "search")
            assert seen == [revision if asks_first else -1, *expected]
        server.stop()
        server.start()
        assert ask("search")[1:] == expected

    try:
        with_engine(MilvusOptions(uri=server.uri), tmp_path, work)
    finally:
        reader.stdin.close()
        reader.wait(timeout=20)
        reader.stdout.close()


def test_a_server_with_strong_reads_and_more_shards(server: MilvusServer, tmp_path: Path) -> None:
    # A name of its own: another test has restarted the server, which for a while may find again what was dropped.
    name = "g7"

    async def work(engine: MilvusEngine) -> None:
        await engine.create(DenseSpec(name, (TEXT,), {"consistency": "strong", "index_type": "IVF_FLAT", "nlist": 16}))
        for turn in range(1, 4):
            await engine.apply(name, [point(turn * 10 + key) for key in range(4)], [document(1)], turn)
            assert sorted((await engine.search(name, vector(1), 20)).ids) == [turn * 10 + key for key in range(4)]
        await engine.drop(name)

    with_engine(MilvusOptions(uri=server.uri, shards=2), tmp_path, work)


def test_a_database_that_is_not_there(server: MilvusServer, tmp_path: Path) -> None:
    async def work(engine: MilvusEngine) -> None:
        with pytest.raises(Misconfigured):
            await engine.health()

    with_engine(MilvusOptions(uri=server.uri, database="nowhere"), tmp_path, work)


def test_words_need_a_newer_server(server: MilvusServer, tmp_path: Path) -> None:
    """2.3 makes a collection of sparse vectors without a word, and then takes nothing into it."""

    async def main() -> None:
        engine = MilvusLexical(MilvusOptions(uri=server.uri), tmp_path)
        try:
            for spec in (WORDS, WEIGHTED):
                with pytest.raises(Unsupported, match=r"v2\.3\.5") as refused:
                    await engine.create(spec)
                assert "2.4" in str(refused.value.hint)
            assert not await engine.exists(NAME)
        finally:
            await engine.close()

    asyncio.run(main())
