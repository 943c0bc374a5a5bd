from __future__ import annotations

import pytest

from kaynak.domain import InvalidQuery, InvalidRequest, SearchRequest
from kaynak.retrieval.checking import check


@pytest.mark.parametrize("query", ["", " \n\t\u3000", "x" * 101, "a\x00b", "lone \ud800", "\ufeff"])
def test_what_is_no_query(query):
    with pytest.raises(InvalidQuery):
        check(SearchRequest(query, ("x",)), 100)


@pytest.mark.parametrize(
    "change",
    [
        {"collections": ()},
        {"collections": tuple(f"c{n}" for n in range(101))},
        {"limit": 0},
        {"limit": 1001},
        {"offset": -1},
        {"offset": 10_001},
        {"dense_weight": 1.5},
        {"dense_weight": float("nan")},
    ],
)
def test_what_is_out_of_bounds(change):
    with pytest.raises(InvalidRequest):
        check(SearchRequest(**{"query": "leave", "collections": ("x",), **change}), 100)


@pytest.mark.parametrize("query", ["leave", "izin 🏝", "a\r\nb", "x" * 100, "”’“"])
def test_what_is_fine(query):
    check(SearchRequest(query, ("x",), limit=1000, offset=10_000, dense_weight=0.0), 100)
