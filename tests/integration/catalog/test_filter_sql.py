from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kaynak.domain import And, Condition, Filter, InvalidFilter, Not, Op, Or, matches, parse_filter
from kaynak.domain.filter_sql import to_sql

# Few names and values, so that they meet; with what is hard among them.
KEYS = ["a", "b", "_id", "0", "x y", 'q"t', "ı", "😀", "$a", "@", "a\\b", "é%s"]
NUMBERS = [0, 1, -1, 1.0, 0.5, -0.5, 0.1, -0.0, 2**53, 2**53 + 1, float(2**53), 2**63, 2**64 + 1, 10**23, 1e23]
NUMBERS += [1e22, 5e-324, 1.7e299, 10**299, -(10**30), 1e-7, 123456789.123456789, 0.30000000000000004]
STRINGS = ["", "a", "b", "A", "ı", "i", "İ", "é", "e\u0301", "z", "😀", "\uffee", "\u00e9", "2024-01-05", "1", "true"]
STRINGS += ['quo"te', "back\\slash", "null", "new\nline", "\x01", "a%sb", ":x", "$v", "@", "*", "\x7f", "\u2028"]

text_values = st.sampled_from(STRINGS) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=3
)
numbers = st.sampled_from(NUMBERS) | st.integers(-3, 3) | st.floats(-1e299, 1e299, allow_nan=False)
scalars = st.none() | st.booleans() | numbers | text_values
keys = st.sampled_from(KEYS[:3]) | st.sampled_from(KEYS)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
payloads = st.dictionaries(keys, json_values, max_size=4)
fields = st.lists(keys, min_size=1, max_size=3).map(".".join)
conditions = (
    st.builds(Condition, fields, st.sampled_from([Op.EQ, Op.NE]), scalars)
    | st.builds(Condition, fields, st.sampled_from([Op.GT, Op.GTE, Op.LT, Op.LTE]), numbers | text_values)
    | st.builds(Condition, fields, st.sampled_from([Op.IN, Op.NIN, Op.ALL]), st.lists(scalars, max_size=4).map(tuple))
    | st.builds(Condition, fields, st.just(Op.EXISTS), st.booleans())
)
filters = st.recursive(
    conditions,
    lambda inner: (
        st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def connection(postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url, autocommit=True) as opened:
        opened.execute("CREATE TEMP TABLE t (id int PRIMARY KEY, payload jsonb NOT NULL)")
        yield opened


def ask(connection: psycopg.Connection, condition: Filter | None, column: str = "payload") -> list[int]:
    sql, params = to_sql(condition, column, style="pyformat")
    return [row[0] for row in connection.execute(f"SELECT id FROM t WHERE {sql} ORDER BY id", params)]


def store(connection: psycopg.Connection, payloads: list[dict]) -> list[dict]:
    """Stores, and returns the payloads as PostgreSQL gives them back: what filters are about."""
    connection.execute("DELETE FROM t")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO t VALUES (%s, %s)", [(i, json.dumps(payload)) for i, payload in enumerate(payloads)]
        )
    return [json.loads(row[0]) for row in connection.execute("SELECT payload::text FROM t ORDER BY id")]


@pytest.mark.untraced
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows=st.lists(payloads, max_size=5), asked=st.lists(filters, min_size=1, max_size=4))
@example(rows=[{"a": [[5]]}, {"a": [5]}, {"a": 5}, {"a": {"b": 5}}], asked=[Condition("a", Op.EQ, 5)])
@example(rows=[{"a": [{"b": 1}, {"b": [2]}]}, {"a": [[{"b": 1}]]}], asked=[Condition("a.b", Op.IN, (1, 2))])
@example(rows=[{"a": []}, {"a": None}, {}, {"a": [None]}], asked=[Condition("a", Op.EQ, None)])
@example(rows=[{"a": True}, {"a": 1}, {"a": "true"}], asked=[Condition("a", Op.EQ, True)])
@example(rows=[{"a": "\uffee"}, {"a": "😀"}], asked=[Condition("a", Op.GT, "\uffee")])
def test_sql_means_what_the_reference_means(connection, rows, asked) -> None:
    stored = store(connection, rows)
    for condition in asked:
        expected = [i for i, payload in enumerate(stored) if matches(condition, payload)]
        assert ask(connection, condition) == expected, (condition, stored)


def test_long_lists_and_deep_trees(connection) -> None:
    store(connection, [{"n": i} for i in range(50)])
    assert ask(connection, Condition("n", Op.IN, tuple(range(40, 10_040)))) == list(range(40, 50))
    assert ask(connection, Condition("n", Op.ALL, tuple([7] * 500))) == [7]
    deep: Filter = Condition("n", Op.LT, 3)
    for _ in range(32):
        deep = Not(deep)
    assert ask(connection, deep) == [0, 1, 2]
    assert len(ask(connection, Or(tuple(Condition("n", Op.EQ, i) for i in range(1000))))) == 50


def test_what_cannot_be_stored_is_not_found(connection) -> None:
    store(connection, [{"a": "x"}])
    assert ask(connection, Condition("a", Op.EQ, "\ud800")) == []
    assert ask(connection, Condition("\udfff", Op.EXISTS, True)) == []
    assert ask(connection, Condition("\udfff", Op.EQ, None)) == [0]
    with pytest.raises(InvalidFilter):
        to_sql(Condition("a", Op.GT, "\x00"), "payload")


def test_hostile_names_stay_values(connection) -> None:
    hostile = "'); DROP TABLE t; --"
    rows = store(connection, [{hostile: hostile}])
    condition = parse_filter({hostile: hostile})
    assert matches(condition, rows[0])
    assert ask(connection, condition) == [0]


def test_an_index_answers_equality(connection) -> None:
    connection.execute(
        "CREATE TEMP TABLE big AS SELECT jsonb_build_object('n', i, 's', 'v' || i) payload "
        "FROM generate_series(1, 20000) i"
    )
    connection.execute("CREATE INDEX ON big USING gin (payload jsonb_path_ops)")
    connection.execute("ANALYZE big")
    for value in ({"n": 77}, {"s": "v9"}, {"n": {"$in": [1, 2, 3]}}, {"s": {"$all": ["v1"]}}):
        sql, params = to_sql(parse_filter(value), "payload", style="pyformat")
        plan = connection.execute(f"EXPLAIN SELECT 1 FROM big WHERE {sql}", params).fetchall()
        assert any("Bitmap Index Scan" in line[0] for line in plan), plan


def test_two_conditions_fit_in_one_statement() -> None:
    first, one = to_sql(Condition("a", Op.EQ, 1), "p", prefix="x_")
    second, two = to_sql(Condition("_id", Op.EQ, 1), "p", prefix="y_", system_column="s")
    assert first == "(p @? CAST(:x_0 AS jsonpath))"
    assert second == "(s @? CAST(:y_0 AS jsonpath))"
    assert not one.keys() & two.keys()
    assert to_sql(None, "p") == ("TRUE", {})
