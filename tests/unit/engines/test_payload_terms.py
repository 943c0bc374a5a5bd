from __future__ import annotations

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from kaynak.engines.payload_terms import MAX_STRING_BYTES, order_key, path_key, payload_terms, value_key

numbers = st.one_of(st.integers(), st.integers(-(10**400), 10**400), st.floats(allow_nan=False))
texts = st.text(st.characters(exclude_categories=["Cs"]))
ordered_texts = st.text(st.sampled_from("!+-./0159:;@STUaz🙂"), max_size=14)


@given(numbers, numbers)
@example(2**53, 2.0**53)
@example(2**53 + 1, 2.0**53)
@example(5e-324, 0)
@example(1e308, 10**309)
@example(-0.0, 0)
@example(0.1, Fraction(1, 10).limit_denominator(10).numerator / 10)
def test_numbers_sort_as_numbers(left: float, right: float) -> None:
    first, second = value_key(left), value_key(right)
    assert (first < second) is (left < right)
    assert (first == second) is (left == right)


@given(texts, texts)
@example("\uffff", "😀")
@example("", "\x00")
def test_strings_sort_by_code_point(left: str, right: str) -> None:
    assert (value_key(left) < value_key(right)) is (left < right)


def test_kinds_are_apart() -> None:
    keys = [value_key(value) for value in (None, True, False, 1, "1", "true", "")]
    assert len(set(keys)) == len(keys)
    assert value_key(1) == value_key(1.0)


def test_long_strings_stay_within_a_term_and_apart() -> None:
    base = "é" * MAX_STRING_BYTES
    first, second = value_key(base + "a"), value_key(base + "b")
    assert first != second
    assert len(first) < 65_000
    assert value_key(base[: MAX_STRING_BYTES // 2]) < first


def test_terms_are_free_of_syntax_and_follow_paths() -> None:
    terms = payload_terms({"a": [{"b": 1}, {"b": None}, 2], "c.d": 1, "": 2, "e": {}})
    assert all(term.isalnum() and term.isascii() for term in terms)
    assert set(terms) == {
        path_key("a") + "x",
        path_key("a") + value_key(2),
        path_key("a.b") + "x",
        path_key("a.b") + value_key(1),
        path_key("a.b") + value_key(None),
        path_key("e") + "x",
    }


@given(numbers, numbers)
def test_keys_of_numbers_never_fall(left: float, right: float) -> None:
    small, great = sorted((left, right))
    assert (order_key(small) or 0.0) <= (order_key(great) or 0.0)


@given(ordered_texts, ordered_texts)
def test_keys_of_strings_never_fall(left: str, right: str) -> None:
    small, great = sorted((left, right))
    assert (order_key(small) or 0.0) <= (order_key(great) or 0.0)


def test_order_keys_tell_days_apart() -> None:
    days = [f"2024-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]
    keys = [order_key(one) or 0.0 for one in days]
    assert keys == sorted(set(keys))
    assert (order_key("2024-01-31T09") or 0.0) < (order_key("2024-01-31T10") or 0.0)
    assert order_key(None) is order_key(True) is None
