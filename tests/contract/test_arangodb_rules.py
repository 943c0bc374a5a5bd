"""What ArangoDB documents by version, and what the engines make of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from arangoasync.exceptions import ArangoServerError

from kaynak.domain import CorruptIndex, Unsupported, parse_filter
from kaynak.engines import ArangoOptions, DenseSpec, Point, VectorField
from kaynak.engines.arangodb import ArangoDense
from kaynak.engines.arangodb.aql import SCORES, Query, near
from kaynak.engines.arangodb.client import Client
from kaynak.testing.arangodb import ArangoServer, Refusal
from kaynak.testing.arangodb.values import collation
from kaynak.testing.dense import DIMENSIONS, SPEC, point, vector
from kaynak.testing.engines import NAME, document

COLLECTION = f"kaynak_dense_{NAME}"
NEAR = near("cosine", None)
FILTERED = near("cosine", "@term IN d.terms")


def options_of(server: ArangoServer, **more: Any) -> ArangoOptions:
    return ArangoOptions(server.url, server.user, server.password, **more)


def binds(**more: Any) -> dict[str, Any]:
    return {"@collection": COLLECTION, "vector": "v_text", "query": vector(1), "probes": 9, "limit": 5, **more}


def run(
    work: Callable[[ArangoServer, ArangoDense], Awaitable[None]],
    *,
    points: int = 60,
    exact_rows: int = 20,
    version: tuple[int, int, int] = (3, 12, 9),
) -> None:
    """Runs ``work`` on an index with points that has a vector index, if the server can have one."""

    async def main(server: ArangoServer) -> None:
        engine = ArangoDense(options_of(server), exact_rows=exact_rows)
        try:
            await engine.create(SPEC)
            await engine.apply(NAME, [point(key, key, {"mod": key % 2}) for key in range(points)], [], 1)
            await work(server, engine)
        finally:
            await engine.close()

    with ArangoServer(version) as server:
        asyncio.run(main(server))


async def number_of_refusal(server: ArangoServer, text: str, given: dict[str, Any]) -> int | None:
    """Returns the number of the error that a statement gives; None if it gives rows."""
    client = Client(options_of(server))
    try:
        await client.rows(NAME, Query(text, given))
    except ArangoServerError as exc:
        return exc.error_code
    except CorruptIndex as exc:
        return getattr(exc.__cause__, "error_code", -1)
    finally:
        await client.close()
    return None


REFUSED = {
    "no limit": (NEAR.replace(" LIMIT @limit", ""), {"limit"}),
    "filtered after the sort": (NEAR.replace(" LIMIT", " FILTER near > 0.5 LIMIT"), set()),
    "let after the sort": (NEAR.replace(" LIMIT", " LET more = near LIMIT"), set()),
    "the wrong way": (NEAR.replace("DESC", "ASC"), set()),
    "sorted by more": (NEAR.replace("near DESC", "near DESC, d.id ASC"), set()),
    "another metric": (NEAR.replace("COSINE", "L2").replace("DESC", "ASC"), set()),
    "not sorted by it": (NEAR.replace("SORT near", "SORT d.id"), set()),
    "no document": (NEAR.replace("d.@vector, @query, {", "@query, @vector, {"), set()),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_vector_search_that_no_index_answers_is_refused(how: str) -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        text, without = REFUSED[how]
        assert text != NEAR
        given = {key: value for key, value in binds().items() if key not in without}
        assert await number_of_refusal(server, NEAR, binds()) is None
        assert await number_of_refusal(server, text, given) == 1554

    run(work)


def test_without_an_index_there_is_no_vector_search() -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        assert await number_of_refusal(server, NEAR, binds()) == 1554
        assert (await engine.search(NAME, vector(1), 3)).mode == "exact"

    run(work, exact_rows=100)


@pytest.mark.parametrize(("version", "number"), [((3, 12, 4), 1554), ((3, 12, 5), 1554), ((3, 12, 6), None)])
def test_filters_before_the_sort_are_new(version: tuple[int, int, int], number: int | None) -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        assert await number_of_refusal(server, FILTERED, binds(term="1")) == number

    run(work, version=version)


OTHER = {
    "no statement": ("SELECT * FROM points", 1501),
    "a value in the text": ("FOR d IN points RETURN d", 1512),
    "unknown function": ("RETURN PREGEL_RESULT(1)", 1540),
    "wrong arguments": ("RETURN LENGTH()", 1541),
    "not bound": ("RETURN @a", 1551),
    "nothing after it": ("FOR d IN @@collection", 1501),
    "stray": ("RETURN 1 RETURN 2", 1501),
    "unknown collection": ("FOR d IN @@collection RETURN d", 1203),
}


@pytest.mark.parametrize("how", OTHER)
def test_what_is_no_aql_of_ours_is_refused(how: str) -> None:
    text, number = OTHER[how]
    given = {"@collection": "nowhere"} if "@@collection" in text else {}
    with ArangoServer() as server, pytest.raises(Refusal) as caught:
        server.database.query(text, given, None)
    assert caught.value.number == number


@pytest.mark.parametrize(("version", "number"), [((3, 12, 8), 9), ((3, 12, 9), None)])
def test_an_index_before_documents_is_new(version: tuple[int, int, int], number: int | None) -> None:
    definition = {"type": "vector", "fields": ["v"], "params": {"metric": "l2", "dimension": 2, "nLists": 2}}
    text = "FOR d IN @@c SORT APPROX_NEAR_L2(d.v, @q) LIMIT 1 RETURN d._key"
    given = {"@c": "c", "q": [3, 4]}
    with ArangoServer(version) as server:
        database = server.database
        database.make_collection({"name": "c"})
        collection = database.collection("c")
        if number is not None:
            with pytest.raises(Refusal) as caught:
                collection.add_index(definition, version, enabled=True)
            assert caught.value.number == number
            return
        collection.add_index(definition, version, enabled=True)
        with pytest.raises(Refusal) as caught:
            database.query(text, given, None)
        assert caught.value.number == 1555
        database.put("c", [{"_key": "a", "v": [1, 2]}, {"_key": "b", "v": [3, 4]}], "conflict", None)
        assert database.query(text, given, None) == ["b"]


def test_what_has_no_vector_cannot_be_removed_before_it_can() -> None:
    for version, number in (((3, 12, 8), 10), ((3, 12, 9), None)):
        with ArangoServer(version) as server:
            database = server.database
            database.make_collection({"name": "c"})
            database.put("c", [{"_key": "a", "v": [1]}, {"_key": "b"}], "conflict", None)
            params = {"metric": "l2", "dimension": 1, "nLists": 1}
            definition = {"type": "vector", "fields": ["v"], "sparse": True, "params": params}
            database.collection("c").add_index(definition, version, enabled=True)
            answers = database.put("c", [{"_key": "b", "new": 1}, {"_key": "c"}], "replace", None)
            assert [one.get("errorNum") for one in answers] == [number, None]


@pytest.mark.parametrize("version", [(3, 12, 8), (3, 12, 9)])
def test_points_that_lack_vectors_decide_whether_there_are_indexes(version: tuple[int, int, int]) -> None:
    spec = DenseSpec(NAME, (VectorField("text", DIMENSIONS), VectorField("picture", 4)))

    async def main(server: ArangoServer) -> None:
        engine = ArangoDense(options_of(server), exact_rows=5)
        try:
            await engine.create(spec)
            points = [Point(key, document(key), {"text": vector(key)}, {}) for key in range(40)]
            await engine.apply(NAME, points, [], 1)
            found = await engine.search(NAME, vector(3), 1, field="text")
            assert (found.ids, found.mode) == ((3,), "ann" if version >= (3, 12, 9) else "exact")
            assert (await engine.search(NAME, vector(3, 4), 1, field="picture")).ids == ()
            await engine.apply(NAME, points[:20], [document(key) for key in range(30)], 2)
            assert (await engine.count(NAME), await engine.revision(NAME)) == (30, 2)
        finally:
            await engine.close()

    with ArangoServer(version) as server:
        asyncio.run(main(server))


def test_dot_products_have_indexes_since_filters_have() -> None:
    async def main(server: ArangoServer, mode: str) -> None:
        engine = ArangoDense(options_of(server), exact_rows=5)
        try:
            await engine.create(DenseSpec(NAME, (VectorField("text", DIMENSIONS, "dot"),)))
            await engine.apply(NAME, [point(key) for key in range(40)], [], 1)
            found = await engine.search(NAME, vector(3), 5)
            assert found.mode == mode
            assert found.ids == (await engine.search(NAME, vector(3), 5, exact=True)).ids
        finally:
            await engine.close()

    for version, mode in (((3, 12, 5), "exact"), ((3, 12, 6), "ann")):
        with ArangoServer(version) as server:
            asyncio.run(main(server, mode))


def test_few_matches_are_searched_exactly() -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        assert (await engine.search(NAME, vector(1), 3)).mode == "ann"
        assert (await engine.search(NAME, vector(1), 3, exact=True)).mode == "exact"
        assert (await engine.search(NAME, vector(1), 3, condition=parse_filter({"mod": 1}))).mode == "exact"
        assert (await engine.search(NAME, vector(1), 3, condition=parse_filter({"mod": {"$lt": 9}}))).mode == "ann"

    run(work)


def test_an_index_that_somebody_removed_is_done_without() -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        assert (await engine.search(NAME, vector(7), 3)).mode == "ann"
        collection = server.database.collection(COLLECTION)
        for number in list(collection.vector_indexes):
            collection.drop_index(number)
        found = await engine.search(NAME, vector(7), 3)
        assert (found.ids[0], found.mode) == (7, "exact")

    run(work)


def test_parameters_reach_the_index_and_the_search() -> None:
    async def main(server: ArangoServer) -> None:
        engine = ArangoDense(options_of(server), exact_rows=5)
        try:
            with pytest.raises(Unsupported):
                await engine.create(DenseSpec(NAME, SPEC.fields, {"n_probe": -1}))
            await engine.create(DenseSpec(NAME, SPEC.fields, {"n_lists": 7, "training_iterations": 3}))
            await engine.apply(NAME, [point(key) for key in range(40)], [], 1)
            made = [one for one in server.database.collection(COLLECTION).indexes.values() if one["type"] == "vector"]
            assert [(one["params"]["nLists"], one["params"]["trainingIterations"]) for one in made] == [(7, 3)]
            assert [(one["sparse"], one["storedValues"]) for one in made] == [(True, ["terms"])]
        finally:
            await engine.close()

    with ArangoServer() as server:
        asyncio.run(main(server))


def test_no_value_is_in_the_text_of_a_statement() -> None:
    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        secret = "');DROP"
        await engine.apply(NAME, [point(99, 99, {secret: secret})], [], 2)
        for condition in ({secret: secret}, {secret: {"$gt": "'"}}, {"$not": {secret: {"$in": [secret, "b"]}}}):
            await engine.search(NAME, vector(1), 3, condition=parse_filter(condition))
            await engine.count(NAME, parse_filter(condition))
        assert server.statements
        for statement in server.statements:
            assert secret not in statement
            assert COLLECTION not in statement
            assert "'" not in statement

    run(work)


def test_the_scores_are_those_that_the_index_answers_for() -> None:
    assert set(SCORES) == {"cosine", "dot", "l2"}

    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        near_by = await engine.search(NAME, vector(7), 5)
        exact = await engine.search(NAME, vector(7), 5, exact=True)
        assert (near_by.mode, near_by.ids) == ("ann", exact.ids)
        assert near_by.scores == pytest.approx(exact.scores, abs=1e-12)

    run(work)


def test_ranges_do_not_depend_on_the_language_of_the_server() -> None:
    """The stand-in speaks Danish, where ``aa`` comes last: in hexadecimal, so would some letters before others."""
    assert collation("c2ab") < collation("c2aa")

    async def work(server: ArangoServer, engine: ArangoDense) -> None:
        await engine.apply(NAME, [point(100, 100, {"a": "ª"}), point(101, 101, {"a": "«"})], [], 2)
        assert await engine.count(NAME, parse_filter({"a": {"$lt": "«"}})) == 1
        assert await engine.count(NAME, parse_filter({"a": {"$gt": "ª"}})) == 1

    run(work)
