from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.retrieval.duplicates import Duplicates

LONG = " ".join(f"word{number}" for number in range(200))


def test_case_marks_and_spaces_make_no_difference():
    seen = Duplicates[str]()
    assert seen.original("The Annual Leave is 26 days.", "a") is None
    assert seen.original("the annual\nleave — is 26 days", "b") == "a"


def test_a_changed_word_in_a_long_text_is_a_near_duplicate():
    seen = Duplicates[str]()
    assert seen.original(LONG, "a") is None
    assert seen.original(LONG.replace("word100 ", "another "), "b") == "a"


@pytest.mark.parametrize("other", ["Leave is 20 days.", "Notice is 26 days.", "", "…", "26"])
def test_short_texts_that_differ_are_different(other):
    seen = Duplicates[str]()
    assert seen.original("Leave is 26 days.", "a") is None
    assert seen.original(other, "b") is None


def test_a_part_of_a_text_is_not_the_text():
    seen = Duplicates[str]()
    assert seen.original(LONG, "a") is None
    assert seen.original(LONG[: len(LONG) // 2], "b") is None


@given(st.lists(st.text(max_size=40), max_size=10))
def test_the_same_text_is_always_noticed_and_the_first_one_stands(texts):
    seen = Duplicates[int]()
    firsts = {}
    for at, text in enumerate(texts):
        found = seen.original(text, at)
        if text in firsts:
            assert found is not None
        if found is None:
            firsts[text] = at
        else:
            assert found < at
