from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.caching import digest
from kaynak.domain import OWNER, AskRequest, ModelSettings, Scope, SearchMode, SearchRequest, parse_filter

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.uuids()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def typed(value):
    """What two values must share to be the same: their types too."""
    if isinstance(value, tuple):
        return ("tuple", tuple(typed(one) for one in value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, typed(one)) for key, one in value.items()))
    return (type(value), value)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_keys_are_equal_if_and_only_if_what_they_say_is(first, second):
    assert (digest(first) == digest(second)) == (typed(first) == typed(second))


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_the_borders_of_parts_count(first, second):
    assert (digest(*first) == digest(*second)) == (first == second)


def test_every_field_of_a_question_counts():
    plain = AskRequest(SearchRequest("When?", ("a",)))
    others = [
        replace(plain, model="openai:gpt"),
        replace(plain, fallbacks=()),
        replace(plain, settings=ModelSettings(temperature=0.0)),
        replace(plain, settings=ModelSettings(temperature=1.0)),
        replace(plain, search=replace(plain.search, query="when?")),
        replace(plain, search=replace(plain.search, collections=("b",))),
        replace(plain, search=replace(plain.search, mode=SearchMode.DENSE)),
        replace(plain, search=replace(plain.search, filter=parse_filter({"year": 1}))),
        replace(plain, search=replace(plain.search, filter=parse_filter({"year": {"$gt": 1}}))),
        replace(plain, search=replace(plain.search, min_revision={"a": 1})),
    ]
    assert len({digest(one) for one in [plain, *others]}) == 1 + len(others)


def test_scopes_count_and_the_order_of_their_collections_does_not():
    one, two = UUID(int=1), UUID(int=2)
    assert digest(Scope("x", frozenset([one, two]))) == digest(Scope("x", frozenset([two, one])))
    scopes = [OWNER, Scope("owner", frozenset()), Scope("x", frozenset([one])), Scope("x", frozenset([one, two]))]
    assert len({digest(scope) for scope in scopes}) == len(scopes)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Crate:
    content: object


def test_types_of_a_kind_do_not_look_alike():
    values = [Colour.RED, "red", Crate("red"), Crate(Colour.RED), 1, 1.0, True, "1", ("1",), {"1": None}, b"1"]
    values += [datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01 00:00:00+00:00", frozenset(["1"])]
    assert len({digest(value) for value in values}) == len(values)


def test_what_cannot_be_told_is_refused():
    with pytest.raises(TypeError, match="object"):
        digest(Crate(object()))
