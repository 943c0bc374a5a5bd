from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from kaynak.domain import And, Condition, InvalidFilter, Op, Or, matches, parse_filter

RECORD = {
    "year": 2024,
    "price": 19.5,
    "team": "hr",
    "draft": False,
    "reviewer": None,
    "tags": ["safety", "yard", 7, None],
    "empty": [],
    "owner": {"name": "Elif", "sites": [{"city": "Bodrum"}, {"city": "Hamburg", "floor": 2}]},
    "when": "2026-04-13",
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"year": 2024}, True),
        ({"year": 2024.0}, True),
        ({"year": "2024"}, False),
        ({"draft": False}, True),
        ({"draft": 0}, False),
        ({"year": {"$gt": 2024}}, False),
        ({"year": {"$gte": 2024, "$lt": 2025}}, True),
        ({"price": {"$lt": 20}}, True),
        ({"draft": {"$ne": True}}, True),
        ({"when": {"$gte": "2026-01-01", "$lt": "2026-05-01"}}, True),
        ({"when": {"$lt": date(2026, 4, 14)}}, True),
        ({"team": {"$gt": 5}}, False),
        ({"reviewer": None}, True),
        ({"missing": None}, True),
        ({"missing": {"$ne": "x"}}, True),
        ({"missing": {"$nin": ["x"]}}, True),
        ({"missing": {"$exists": False}}, True),
        ({"reviewer": {"$exists": True}}, True),
        ({"reviewer": {"$ne": None}}, False),
        ({"tags": "yard"}, True),
        ({"tags": None}, True),
        ({"tags": {"$gt": 6}}, True),
        ({"tags": {"$all": ["safety", 7]}}, True),
        ({"tags": {"$all": ["safety", "no"]}}, False),
        ({"tags": {"$all": []}}, False),
        ({"tags": {"$in": ["no", "yard"]}}, True),
        ({"tags": {"$in": []}}, False),
        ({"empty": {"$exists": True}}, True),
        ({"empty": None}, False),
        ({"owner.name": "Elif"}, True),
        ({"owner.sites.city": "Hamburg"}, True),
        ({"owner.sites.floor": {"$lte": 2}}, True),
        ({"owner": "Elif"}, False),
        ({"$or": [{"team": "it"}, {"year": 2024}]}, True),
        ({"$and": [{"team": "hr"}, {"year": 2023}]}, False),
        ({"$not": {"team": "hr"}}, False),
        ({"team": {"$not": {"$in": ["it"]}}}, True),
        ({"team": "hr", "year": {"$in": [2023, 2024]}}, True),
    ],
)
def test_meaning(condition: dict[str, object], expected: bool) -> None:
    assert matches(parse_filter(condition), RECORD) is expected


def test_nothing_asked_holds_for_everything() -> None:
    assert parse_filter(None) is None
    assert parse_filter({}) is None
    assert matches(None, {}) is True
    assert matches(And(()), {}) is True
    assert matches(Or(()), {}) is False


def test_moments_become_utc() -> None:
    local = datetime(2026, 4, 13, 11, 30, tzinfo=timezone(timedelta(hours=3)))
    assert parse_filter({"at": local}) == Condition("at", Op.EQ, "2026-04-13T08:30:00Z")
    assert parse_filter({"at": local.astimezone(UTC)}) == parse_filter({"at": local})


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ([], "filter must be an object"),
        ({"$nor": []}, "$nor is not an operator"),
        ({"$or": []}, "filter.$or must be a non-empty list"),
        ({"$or": {"a": 1}}, "filter.$or"),
        ({"a": {"$like": "x"}}, "filter.a: $like"),
        ({"a": {}}, "filter.a has no operator"),
        ({"a": {"$in": "abc"}}, "filter.a.$in must be a list"),
        ({"a": {"$in": [{}]}}, "filter.a.$in[0]"),
        ({"a": {"$exists": 1}}, "true or false"),
        ({"a": {"$gt": None}}, "orders numbers and strings"),
        ({"a": {"$gt": True}}, "orders numbers and strings"),
        ({"a": float("nan")}, "finite number"),
        ({"a": float("inf")}, "finite number"),
        ({"a": "x\x00"}, "cannot be stored"),
        ({"a": "\ud800"}, "cannot be stored"),
        ({"a..b": 1}, "empty step"),
        ({"": 1}, "not a field name"),
        ({"a": [1]}, "filter.a must be a string"),
    ],
)
def test_errors_name_the_place(broken: object, place: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_filter(broken)
    assert place in caught.value.message


def test_depth_and_size_are_bounded() -> None:
    deep: dict[str, object] = {"a": 1}
    for _ in range(30):
        deep = {"$not": deep}
    with pytest.raises(InvalidFilter, match="nested deeper"):
        parse_filter(deep)
    with pytest.raises(InvalidFilter, match="nested deeper"):
        parse_filter({"$or": [{"a": number} for number in range(2000)]})


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (10**23, int(1e23)),
        (1e23, int(1e23)),
        (2**64, 2**64),
        (2**64 - 1, 2**64 - 1),
        (-(2**63) - 1, -(2**63)),
        (2**53 + 1, 2**53 + 1),
        (float(2**60), 2**60),
        (1.5, 1.5),
        (2.0, 2.0),
    ],
)
def test_a_number_is_one_however_it_is_written(written: float, kept: float) -> None:
    condition = parse_filter({"n": written})
    assert condition == Condition("n", Op.EQ, kept)
    assert type(condition.value) is type(kept)
