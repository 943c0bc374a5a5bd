from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kaynak.engines.arangodb.terms import above, digits
from kaynak.engines.payload_terms import value_key
from kaynak.testing.filters import scalars

# What is hashed beyond some length is only as long as the test allows.
_TERMS = st.one_of(
    scalars().map(value_key),
    st.text("0123456789abcdefgz", max_size=12),
    st.integers(7_990, 8_010).map(lambda size: "a" * size),
)


@given(_TERMS, _TERMS)
def test_digits_sort_as_terms_do(left: str, right: str) -> None:
    if max(len(left), len(right)) <= 8_000:
        assert (digits(left) < digits(right)) is (left < right)
    assert (digits(left) == digits(right)) is (left == right)
    assert digits(left).isdigit() or not left


@given(_TERMS, _TERMS)
def test_nothing_lies_between_a_term_and_what_is_above_it(left: str, right: str) -> None:
    low, high = sorted((digits(left), digits(right)))
    assert (low < high) is (above(low) <= high)


def test_long_terms_are_cut_to_what_a_view_keeps() -> None:
    one, other = "s" + "ab" * 30_000, "s" + "ab" * 29_999 + "ac"
    assert len(digits(one)) == len(digits(other)) < 32_766
    assert digits(one) != digits(other)
