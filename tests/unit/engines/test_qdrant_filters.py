from __future__ import annotations

import pytest

from kaynak.domain import parse_filter
from kaynak.engines.qdrant.filters import compile_filter


@pytest.mark.parametrize("sign", ["$lt", "$lte", "$gt", "$gte"])
@pytest.mark.parametrize("bound", [0, -7, 2.5, 2**53 - 1])
def test_numbers_that_have_a_key_to_themselves_need_no_second_look(sign: str, bound: float) -> None:
    assert compile_filter(parse_filter({"n": {sign: bound}})).exact


@pytest.mark.parametrize("bound", [2**53, -(2**60), 1e299, "2024-05-01"], ids=["first", "integer", "float", "text"])
def test_others_share_theirs(bound: float | str) -> None:
    assert not compile_filter(parse_filter({"n": {"$lt": bound}})).exact
