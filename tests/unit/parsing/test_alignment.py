"""Texts that say almost the same: what is which."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kaynak.parsing.pictures.alignment import aligned

WORDS = ["the", "river", "stone", "market", "window", "garden", "letter", "silver", "morning", "copper", "bridge"]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map("".join)


@given(st.text(alphabet="abc", max_size=80), st.text(alphabet="abc", max_size=80))
def test_only_equal_characters_are_paired_and_their_order_is_kept(one, other):
    places = aligned(one, other)
    assert len(places) == len(one)
    found = [(at, place) for at, place in enumerate(places) if place >= 0]
    assert all(one[at] == other[place] for at, place in found)
    assert [place for _, place in found] == sorted({place for _, place in found})


@given(texts, texts, texts)
def test_a_text_is_found_whole_behind_and_before_others(before, text, after):
    marked = f"#{text}#"  # so that what surrounds it cannot be read as part of it
    places = aligned(marked, before + marked + after)
    assert places == list(range(len(before), len(before) + len(marked)))


def test_what_one_side_leaves_out_is_stepped_over():
    other = "Annual leave is 26 days. PAGE 4 OF 9 It lapses on 30 June."
    one = "Annual leave is 26 days. It lapses on 30 June."
    assert "".join(other[place] for place in aligned(one, other)) == one


def test_what_the_other_side_does_not_have_has_no_place():
    places = aligned("Name: Ada; Name: Grace", "Name: Ada; Grace")
    assert places.count(-1) == len("Name: ")


def test_repetitions_without_end_take_no_time():
    assert len(aligned("0 " * 20_000, "0 " * 19_999 + "1")) == 40_000
