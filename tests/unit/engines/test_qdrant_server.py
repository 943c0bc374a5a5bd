from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from kaynak.domain import CorruptIndex, EngineUnavailable, KaynakError, Misconfigured, StorageFull
from kaynak.engines import DenseSpec, LexicalSpec, QdrantOptions, VectorField
from kaynak.engines.qdrant import QdrantDense, QdrantLexical
from kaynak.engines.qdrant.server import ServerTransport
from kaynak.testing.dense import SPEC, point, vector
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import entry
from kaynak.testing.qdrant_server import QdrantStandIn, Request, qdrant_server

PLACE = "/collections/kaynak_g1_vectors"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QdrantStandIn]:
    with qdrant_server(tmp_path) as running:
        yield running


def run(options: QdrantOptions, work: Callable[[QdrantDense], Awaitable[None]]) -> None:
    async def main() -> None:
        engine = QdrantDense(ServerTransport(options))
        try:
            await work(engine)
        finally:
            await engine.close()

    asyncio.run(main())


def sent(server: QdrantStandIn, method: str, path: str) -> list[Request]:
    return [one for one in server.requests if (one.method, one.path) == (method, path)]


def test_a_collection_is_made_as_the_settings_say(server: QdrantStandIn) -> None:
    params = {
        "m": 24,
        "ef_construct": 200,
        "quantization": "int8",
        "on_disk": True,
        "memmap_threshold": 20000,
        "indexing_threshold": 30000,
        "tenant": "customer",
    }

    async def work(engine: QdrantDense) -> None:
        await engine.create(DenseSpec(NAME, (VectorField("text", 8), VectorField("picture", 4, "l2")), params))

    run(QdrantOptions(server.url, shards=4, replicas=3, write_consistency=2), work)
    (made,) = sent(server, "PUT", PLACE)
    int8 = {"scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}}
    assert made.body["vectors"] == {
        "text": {"size": 8, "distance": "Cosine", "on_disk": True, "quantization_config": int8},
        "picture": {"size": 4, "distance": "Euclid", "on_disk": True, "quantization_config": int8},
    }
    assert made.body["hnsw_config"] == {"m": 24, "ef_construct": 200}
    assert made.body["optimizers_config"] == {"memmap_threshold": 20000, "indexing_threshold": 30000}
    assert (made.body["shard_number"], made.body["replication_factor"]) == (4, 3)
    assert made.body["write_consistency_factor"] == 2
    indexes = {one.body["field_name"]: one.body["field_schema"] for one in sent(server, "PUT", f"{PLACE}/index")}
    assert indexes == {
        "document": {"type": "uuid"},
        "terms": {"type": "uuid"},
        "tenant": {"type": "uuid", "is_tenant": True},
    }
    # The header comes when everything else is there.
    writes = [one.path for one in server.requests if one.method == "PUT"]
    assert writes[-1] == f"{PLACE}/points"


def test_indexes_of_ranges_come_before_their_first_values(server: QdrantStandIn) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        server.requests.clear()
        await engine.apply(NAME, [point(1, payload={"year": 2024, "day": "2024-01-31"})], [], 1)
        await engine.apply(NAME, [point(2, payload={"year": 2025})], [], 2)

    run(QdrantOptions(server.url), work)
    puts = [one for one in server.requests if one.method == "PUT"]
    assert [one.path.rsplit("/", 1)[-1] for one in puts] == ["index", "index", "points", "points", "points", "points"]
    assert {one.body["field_name"].split(".")[0] for one in puts[:2]} == {"numbers", "strings"}


def test_writes_wait_and_reads_ask_most_replicas(server: QdrantStandIn) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(1)], [document(2)], 1)
        await engine.search(NAME, vector(1), 1)
        assert [one async for one in engine.scan(NAME)] == [(1, document(1))]

    run(QdrantOptions(server.url, replicas=3), work)
    writes = [one for one in server.requests if one.path.endswith(("/delete", "/index")) or one.method == "PUT"]
    # To make a collection waits anyway.
    assert [one.query.get("wait") for one in writes if one.path != PLACE] == ["true"] * (len(writes) - 1)
    for call in ("points", "points/query", "points/scroll"):
        asked = sent(server, "POST", f"{PLACE}/{call}")
        assert {one.query.get("consistency") for one in asked} == {"majority"}, call
    server.requests.clear()
    run(QdrantOptions(server.url), lambda engine: _found(engine, (1,)))
    assert {one.query.get("consistency") for one in sent(server, "POST", f"{PLACE}/points/query")} == {None}


async def _found(engine: QdrantDense, ids: tuple[int, ...]) -> None:
    assert (await engine.search(NAME, vector(1), 5)).ids == ids


def test_points_go_in_parts(server: QdrantStandIn) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key) for key in range(2500)], [], 7)
        assert (await engine.count(NAME), await engine.revision(NAME)) == (2500, 7)

    run(QdrantOptions(server.url), work)
    sizes = [len(one.body["points"]) for one in sent(server, "PUT", f"{PLACE}/points")]
    assert sizes == [1, 1000, 1000, 500, 1]


def test_a_search_says_how_it_is_to_be_done(server: QdrantStandIn) -> None:
    params = {"quantization": "binary", "hnsw_ef": 200, "oversampling": 3}

    async def work(engine: QdrantDense) -> None:
        await engine.create(DenseSpec(NAME, SPEC.fields, params))
        await engine.apply(NAME, [point(key) for key in range(30)], [], 1)
        engine._exact_rows = 5
        await engine.search(NAME, vector(1), 10)
        await engine.search(NAME, vector(1), 10, exact=True)

    run(QdrantOptions(server.url), work)
    walk, exact = sent(server, "POST", f"{PLACE}/points/query")
    assert walk.body["params"] == {
        "hnsw_ef": 200,
        "exact": False,
        "quantization": {"ignore": False, "rescore": True, "oversampling": 3.0},
    }
    assert (exact.body["params"]["exact"], exact.body["params"]["quantization"]["ignore"]) == (True, True)


def test_the_key_is_shown_and_must_be_right(server: QdrantStandIn) -> None:
    server.key = "right"

    async def work(engine: QdrantDense) -> None:
        await engine.health()

    # The client warns that the key goes over plain HTTP, as it should.
    with pytest.warns(UserWarning, match="insecure"):
        run(QdrantOptions(server.url, api_key="right"), work)
    with pytest.warns(UserWarning, match="insecure"), pytest.raises(Misconfigured) as caught:
        run(QdrantOptions(server.url, api_key="wrong"), work)
    assert "wrong" not in str(caught.value)
    with pytest.raises(Misconfigured):
        run(QdrantOptions(server.url), work)


@pytest.mark.parametrize(
    ("version", "fits"), [("1.13.6", False), ("0.9", False), ("1.14.0", True), ("1.20.0-dev", True)]
)
def test_old_servers_are_refused(server: QdrantStandIn, version: str, fits: bool) -> None:
    server.version = version

    async def work(engine: QdrantDense) -> None:
        await engine.health()

    if fits:
        run(QdrantOptions(server.url), work)
    else:
        with pytest.raises(Misconfigured, match=r"1\.14"):
            run(QdrantOptions(server.url), work)


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (401, "Invalid API key", Misconfigured),
        (403, "Forbidden: Write access is required", Misconfigured),
        (404, "Not found: Collection `x` doesn't exist!", CorruptIndex),
        (400, "Wrong input: Not existing vector name error: text", CorruptIndex),
        (400, "Wrong input: Vector dimension error: expected dim: 4, got 8", CorruptIndex),
        (400, "Bad request: Strict mode forbids it", Misconfigured),
        (408, "Timeout", EngineUnavailable),
        (429, "Rate limiting exceeded", EngineUnavailable),
        (
            500,
            "Service internal error: No space left on device: WAL buffer size exceeds available disk space",
            StorageFull,
        ),
        (500, "Service internal error: task panicked", EngineUnavailable),
        (503, "Service unavailable", EngineUnavailable),
        (507, "Insufficient storage", StorageFull),
    ],
)
def test_answers_become_our_errors(server: QdrantStandIn, status: int, said: str, error: type[KaynakError]) -> None:
    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        server.fault = lambda request: (status, said) if request.path.endswith("/points") else None
        with pytest.raises(error):
            await engine.apply(NAME, [point(1)], [], 1)
        server.fault = lambda request: None
        assert (await engine.revision(NAME), await engine.count(NAME)) == (0, 0)
        await engine.apply(NAME, [point(1)], [], 1)
        assert (await engine.revision(NAME), await engine.count(NAME)) == (1, 1)

    run(QdrantOptions(server.url), work)


def test_a_write_that_breaks_off_keeps_the_old_revision(server: QdrantStandIn) -> None:
    """Whichever request fails, the revision says that the write has to come again, and then all is well."""

    async def work(engine: QdrantDense) -> None:
        await engine.create(SPEC)
        await engine.apply(NAME, [point(key, payload={"a": 1}) for key in range(4)], [], 1)
        for broken in range(4):
            writes = 0

            def fail(request: Request, broken: int = broken) -> tuple[int, str] | None:
                nonlocal writes
                if "wait" not in request.query:
                    return None
                writes += 1
                return (503, "Service unavailable") if writes > broken else None

            server.fault = fail
            new = [point(key, payload={"b": broken}) for key in range(2 + broken, 6 + broken)]
            if broken < 3:
                with pytest.raises(EngineUnavailable):
                    await engine.apply(NAME, new, [document(1)], broken + 2)
                server.fault = lambda request: None
                assert await engine.revision(NAME) == broken + 1
            await engine.apply(NAME, new, [document(1)], broken + 2)
            assert sorted([key async for key, _ in engine.scan(NAME)]) == list(range(2 + broken, 6 + broken))
            assert await engine.revision(NAME) == broken + 2

    run(QdrantOptions(server.url), work)


def test_a_server_that_is_away_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"

    async def away(engine: QdrantDense) -> None:
        for call in (engine.health(), engine.revision(NAME), engine.create(SPEC), engine.search(NAME, vector(1), 1)):
            with pytest.raises(EngineUnavailable):
                await call

    run(QdrantOptions(nowhere), away)


def test_a_server_that_is_slow_is_unavailable(server: QdrantStandIn) -> None:
    def sleep(request: Request) -> None:
        time.sleep(1.5)

    async def work(engine: QdrantDense) -> None:
        server.fault = sleep
        with pytest.raises(EngineUnavailable):
            await engine.health()
        server.fault = lambda request: None
        await engine.health()

    run(QdrantOptions(server.url, seconds=0.5), work)


def test_something_else_than_qdrant_answers(server: QdrantStandIn) -> None:
    async def work(engine: QdrantDense) -> None:
        server.fault = lambda request: (200, {"hello": "world"})
        with pytest.raises(EngineUnavailable):
            await engine.health()
        server.fault = lambda request: None
        await engine.health()

    run(QdrantOptions(server.url), work)


def test_a_half_made_index_is_none_and_is_made_whole(server: QdrantStandIn) -> None:
    async def work(engine: QdrantDense) -> None:
        server.fault = lambda request: (503, "away") if request.path.endswith("/points") else None
        with pytest.raises(EngineUnavailable):
            await engine.create(SPEC)
        server.fault = lambda request: None
        assert not await engine.exists(NAME)
        await engine.create(SPEC)
        assert await engine.exists(NAME)

    run(QdrantOptions(server.url), work)


def test_words_and_vectors_of_a_generation_are_apart(server: QdrantStandIn) -> None:
    async def main() -> None:
        dense = QdrantDense(ServerTransport(QdrantOptions(server.url)))
        lexical = QdrantLexical(ServerTransport(QdrantOptions(server.url)))
        await dense.create(SPEC)
        await lexical.create(LexicalSpec(NAME))
        await lexical.apply(NAME, [entry(1), entry(2)], [], 5)
        assert (await dense.count(NAME), await dense.revision(NAME)) == (0, 0)
        await dense.drop(NAME)
        assert (await lexical.count(NAME), await lexical.revision(NAME)) == (2, 5)
        await dense.close()
        await lexical.close()

    asyncio.run(main())
