"""What goes wrong with ArangoDB, and what becomes of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

import pytest

from kaynak.domain import Conflict, CorruptIndex, EngineUnavailable, KaynakError, Misconfigured, StorageFull
from kaynak.engines import ArangoOptions, DenseEngine, DenseSpec, LexicalEngine, LexicalSpec, VectorField
from kaynak.engines.arangodb import ArangoDense, ArangoLexical
from kaynak.testing.arangodb import ArangoServer, Refusal
from kaynak.testing.arangodb.server import Failing
from kaynak.testing.dense import SPEC, point, vector
from kaynak.testing.engines import NAME, document
from kaynak.testing.lexical import entry

DOCUMENTS, CURSOR, COMMIT = "/_api/document/.*", "/_api/cursor", "/_api/transaction/[0-9]+"


def options_of(server: ArangoServer, **more: Any) -> ArangoOptions:
    return ArangoOptions(**{"url": server.url, "user": server.user, "password": server.password, **more})


def run(engine: DenseEngine | LexicalEngine, work: Awaitable[None]) -> None:
    async def main() -> None:
        try:
            await work
        finally:
            await engine.close()

    asyncio.run(main())


async def written(engine: ArangoDense) -> None:
    await engine.create(SPEC)
    await engine.apply(NAME, [point(1), point(2)], [], 1)


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "password": ({}, {"password": "sesame"}),
    "user": ({}, {"user": "nobody"}),
    "no password": ({}, {"password": None}),
    "database": ({}, {"database": "elsewhere"}),
    "no address": ({}, {"url": None}),
    "old version": ({"version": (3, 11, 14)}, {}),
    "too old for vectors": ({"version": (3, 12, 3)}, {}),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_settings_say_what_to_do(what: str) -> None:
    server_has, options = WRONG[what]
    with ArangoServer(**server_has) as server:
        engine = ArangoDense(options_of(server, **options))

        async def work() -> None:
            with pytest.raises(Misconfigured) as caught:
                await engine.health()
            assert caught.value.hint

        run(engine, work())


def test_a_server_without_vector_indexes_is_found_out_when_an_index_is_made() -> None:
    with ArangoServer(vectors=False) as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            for _ in range(2):
                with pytest.raises(Misconfigured) as caught:
                    await engine.create(SPEC)
                assert "--vector-index" in str(caught.value.hint)
                assert not await engine.exists(NAME)

        run(engine, work())
        words = ArangoLexical(options_of(server))
        run(words, words.create(LexicalSpec(NAME)))


def test_more_copies_than_servers_are_refused() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server, replicas=3))

        async def work() -> None:
            with pytest.raises(KaynakError):
                await engine.create(SPEC)

        run(engine, work())
    with ArangoServer(servers=3) as server:
        engine = ArangoDense(options_of(server, replicas=3, write_consistency=2, shards=4))

        async def make() -> None:
            await engine.create(SPEC)
            made = server.database.collection(f"kaynak_dense_{NAME}").properties
            asked = ("numberOfShards", "replicationFactor", "writeConcern", "waitForSync")
            assert [made[one] for one in asked] == [4, 3, 2, True]

        run(engine, make())


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_somebody_else_there(status: str) -> None:
    page = b"<html>Welcome</html>"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {len(page)}\r\nconnection: close"
        writer.write(head.encode() + b"\r\n\r\n" + page)
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            engine = ArangoDense(ArangoOptions(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
            with pytest.raises(EngineUnavailable):
                await engine.health()
            await engine.close()

    asyncio.run(main())


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        engine = ArangoDense(ArangoOptions(url, seconds=2))

        async def work() -> None:
            for call in (engine.health, lambda: engine.revision(NAME), lambda: engine.search(NAME, vector(1), 1)):
                with pytest.raises(EngineUnavailable):
                    await call()

        run(engine, work())


def test_a_server_that_comes_back_is_used_again() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server, seconds=0.2))

        async def work() -> None:
            await written(engine)
            server.delay = 2.0
            with pytest.raises(EngineUnavailable):
                await engine.search(NAME, vector(1), 1)
            server.delay = 0.0
            assert (await engine.search(NAME, vector(1), 1)).ids == (1,)

        run(engine, work())


def test_an_index_that_is_built_differently_is_a_conflict() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await written(engine)
            for other in (
                DenseSpec(NAME, (VectorField("text", 9),)),
                DenseSpec(NAME, SPEC.fields, {"n_probe": 5}),
            ):
                with pytest.raises(Conflict):
                    await engine.create(other)
            assert await engine.count(NAME) == 2

        run(engine, work())


def test_many_rows_come_in_several_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kaynak.engines.arangodb.client._BATCH", 3)
    monkeypatch.setattr("kaynak.engines.arangodb.store._PAGE", 8)
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await engine.create(SPEC)
            await engine.apply(NAME, [point(key, key) for key in range(20)], [], 1)
            assert [one async for one in engine.scan(NAME)] == [(key, document(key)) for key in range(20)]
            assert sorted((await engine.search(NAME, vector(1), 20)).ids) == list(range(20))

        run(engine, work())


def test_a_closed_engine_is_away() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await written(engine)
            await engine.close()
            with pytest.raises(EngineUnavailable):
                await engine.search(NAME, vector(1), 1)

        run(engine, work())


MEANINGS: dict[str, tuple[Refusal, type[KaynakError]]] = {
    "disk full": (Refusal(500, 1104, "filesystem full"), StorageFull),
    "disk full, as RocksDB says it": (Refusal(500, 1305, "IO error: No space left on device"), StorageFull),
    "lock timeout": (Refusal(409, 18, "timeout waiting to lock key"), EngineUnavailable),
    "conflict": (Refusal(409, 1200, "write-write conflict"), EngineUnavailable),
    "read only": (Refusal(403, 1004, "server is in read-only mode"), EngineUnavailable),
    "not leader": (Refusal(503, 1496, "not a leader"), EngineUnavailable),
    "too few copies": (Refusal(503, 1429, "write concern is not fulfilled"), EngineUnavailable),
    "collection lock": (Refusal(500, 1521, "unable to read-lock collection"), EngineUnavailable),
    "killed": (Refusal(410, 1500, "query killed"), EngineUnavailable),
    "memory limit": (Refusal(500, 32, "query would use more memory than allowed"), EngineUnavailable),
    "starting up": (Refusal(503, 38, "server is starting up"), EngineUnavailable),
    "not allowed": (Refusal(403, 11, "forbidden"), Misconfigured),
    "no collection": (Refusal(404, 1203, "collection or view not found"), CorruptIndex),
    "damaged": (Refusal(500, 1100, "corrupted datafile"), CorruptIndex),
    "not there at all": (Refusal(404, 404, "unknown path"), EngineUnavailable),
    "anything of a proxy": (Refusal(502, 0, "Bad Gateway"), EngineUnavailable),
}


@pytest.mark.parametrize("what", MEANINGS)
def test_every_error_has_a_meaning(what: str) -> None:
    refusal, kind = MEANINGS[what]
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await written(engine)
            server.failing = [Failing(DOCUMENTS, refusal), Failing(CURSOR, refusal)]
            with pytest.raises(KaynakError) as searching:
                await engine.search(NAME, vector(1), 1)
            with pytest.raises(KaynakError) as writing:
                await engine.apply(NAME, [point(3)], [], 2)
            assert (type(searching.value), type(writing.value)) == (kind, kind)
            server.failing = []
            assert (await engine.count(NAME), await engine.revision(NAME)) == (2, 1)

        run(engine, work())


@pytest.mark.parametrize(("method", "path"), [("POST", DOCUMENTS), ("POST", CURSOR), ("PUT", COMMIT)])
def test_a_write_that_fails_anywhere_changes_nothing(method: str, path: str) -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await written(engine)
            server.failing = [Failing(path, Refusal(503, 1496, "not a leader"), method)]
            with pytest.raises(EngineUnavailable):
                await engine.apply(NAME, [point(3)], [document(1)], 2)
            server.failing = []
            assert (await engine.count(NAME), await engine.revision(NAME)) == (2, 1)
            assert {one.status for one in server.database.transactions.values()} == {"committed", "aborted"}
            await engine.apply(NAME, [point(3)], [document(1)], 2)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (1, 2)

        run(engine, work())


def test_a_write_to_shards_that_breaks_off_leaves_too_much_and_says_less() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server, shards=2))
        assert not engine.capabilities.atomic

        async def work() -> None:
            await written(engine)
            server.failing = [Failing(CURSOR, Refusal(503, 1496, "not a leader"))]
            with pytest.raises(EngineUnavailable):
                await engine.apply(NAME, [point(3)], [document(1)], 2)
            server.failing = []
            assert (await engine.count(NAME), await engine.revision(NAME)) == (3, 1)
            await engine.apply(NAME, [point(3)], [document(1)], 2)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (1, 2)

        run(engine, work())


def test_a_record_that_the_server_does_not_take_fails_the_write() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server), exact_rows=1)

        async def work() -> None:
            await written(engine)
            # Somebody made an index of other dimensions meanwhile.
            (index,) = server.database.collection(f"kaynak_dense_{NAME}").vector_indexes.values()
            index.dimension = 3
            with pytest.raises(EngineUnavailable):
                await engine.apply(NAME, [point(3)], [], 2)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (2, 1)

        run(engine, work())


def test_a_lost_view_or_record_is_corruption() -> None:
    with ArangoServer() as server:
        engine = ArangoLexical(options_of(server))

        async def work() -> None:
            await engine.create(LexicalSpec(NAME))
            await engine.apply(NAME, [entry(1)], [], 1)
            view = server.database.views.pop(f"kaynak_lexical_{NAME}_view")
            assert not await engine.exists(NAME)
            for call in (engine.revision(NAME), engine.search(NAME, "fox", 1), engine.apply(NAME, [], [], 2)):
                with pytest.raises(CorruptIndex):
                    await call
            server.database.views[view.name] = view
            assert await engine.exists(NAME)
            server.database.collection(f"kaynak_lexical_{NAME}").remove("meta")
            with pytest.raises(CorruptIndex):
                await engine.revision(NAME)
            # What is not complete is made anew.
            await engine.create(LexicalSpec(NAME))
            assert await engine.revision(NAME) == 0

        run(engine, work())


def test_words_of_another_analysis_are_corruption() -> None:
    with ArangoServer() as server:
        engine = ArangoLexical(options_of(server))

        async def work() -> None:
            await engine.create(LexicalSpec(NAME))
            server.database.collection(f"kaynak_lexical_{NAME}").documents["meta"]["analysis"] = -1
            assert not await engine.exists(NAME)

        run(engine, work())


def test_a_view_is_waited_for_by_the_write_and_not_by_searches() -> None:
    with ArangoServer() as server:
        engine = ArangoLexical(options_of(server))

        async def work() -> None:
            await engine.create(LexicalSpec(NAME))
            await engine.apply(NAME, [entry(1)], [], 1)
            begun = len(server.statements)
            assert (await engine.search(NAME, "fox", 5)).ids == (1,)
            assert not any("waitForSync" in one for one in server.statements[begun:])
            # As long as the view is behind, what it finds is still found, though the collection has it no more.
            server.database.collection(f"kaynak_lexical_{NAME}").remove("1")
            assert (await engine.search(NAME, "fox", 5)).ids == (1,)

        run(engine, work())


SCORES: list[tuple[str, float]] = [("foo", 1.525835633277893), ("bar", 0.9913395643234253)]


@pytest.mark.parametrize(("text", "score"), SCORES)
def test_the_stand_in_scores_as_the_manual_says(text: str, score: float) -> None:
    """Of its example, the texts of one word, whose length means the same in all formats of the index."""
    with ArangoServer() as server:
        database = server.database
        analyzer: dict[str, Any] = {"name": "words", "type": "delimiter", "properties": {"delimiter": " "}}
        database.make_analyzer({**analyzer, "features": ["frequency", "norm"]})
        database.make_collection({"name": "c"})
        texts = ["foo bar", "foo", "bar", "foo baz", "baz"]
        database.put("c", [{"_key": str(at), "text": one} for at, one in enumerate(texts)], "conflict", None)
        links = {"c": {"fields": {"text": {"analyzers": ["words"]}}}}
        database.make_view({"name": "v", "type": "arangosearch", "links": links})
        found = database.query(
            'FOR d IN @@v SEARCH ANALYZER(BOOST(d.text == "foo", 2.5) OR d.text == "bar", "words")'
            " LET score = BM25(d) SORT score DESC RETURN [d.text, score]",
            {"@v": "v"},
            None,
        )
        assert dict(found)[text] == pytest.approx(score, rel=1e-6)


def test_a_query_is_analysed_in_the_languages_of_the_index() -> None:
    with ArangoServer() as server:
        engine = ArangoLexical(options_of(server))

        async def work() -> None:
            await engine.create(LexicalSpec(NAME))
            texts = {"en": "running", "tr": "kitaplar", "de": "Brücken", None: "abc-123"}
            entries = [entry(at, text, language=one) for at, (one, text) in enumerate(texts.items())]
            await engine.apply(NAME, [*entries, entry(9, "kitap", language="tr")], [], 1)
            meta = server.database.collection(f"kaynak_lexical_{NAME}").documents["meta"]
            assert meta["languages"] == {"en": 1, "tr": 2, "de": 1, "": 1}
            for query, key in (("runs", 0), ("brücke", 2), ("abc123", 3)):
                assert (await engine.search(NAME, query, 1)).ids == (key,), query

        run(engine, work())


def test_several_calls_at_once_open_one_connection() -> None:
    with ArangoServer() as server:
        engine = ArangoDense(options_of(server))

        async def work() -> None:
            await written(engine)
            await asyncio.gather(*(engine.search(NAME, vector(seed), 2) for seed in range(20)))

        run(engine, work())
