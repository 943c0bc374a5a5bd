"""Random payloads and filters for property tests: small worlds, so that filters often match."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from kaynak.domain import And, Condition, Filter, Json, JsonScalar, Not, Op, Or

_KEYS = ("a", "b", "c", "_type", "ünal", "🙂")

# Neighbours in some order: numbers that floats cannot tell apart, strings that sort differently by code point
# than by UTF-16 unit or by locale, dates, things that look like other kinds.
_NUMBERS: tuple[JsonScalar, ...] = (
    0, 1, -1, 1.0, 0.5, -0.5, 0.1, 2, 3.75, 10, 100, 2**53, 2**53 + 1, -(2**63), 2**70, 1e22, 1e-7, -0.0,
)  # fmt: skip
_STRINGS: tuple[JsonScalar, ...] = (
    "", "a", "A", "aa", "ab", "b", "1", "true", "null", "ş", "Ş", "ı", "İ", "\uffff", "😀", "𝒳", "a b", "a'b",
    'a"b', "a\\b", "%s", "$a", "2024-01-31", "2024-02-01", "2024-02-01T10:00:00Z", "x" * 300,
)  # fmt: skip


def scalars() -> SearchStrategy[JsonScalar]:
    """Scalars that collide often, and now and then any other."""
    rare = st.one_of(
        st.integers(-(10**25), 10**25),
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    )
    common: SearchStrategy[JsonScalar] = st.sampled_from((None, True, False, *_NUMBERS, *_STRINGS))
    return st.one_of(common, common, common, rare)


def payloads() -> SearchStrategy[Mapping[str, Json]]:
    """Payloads with missing fields, nulls, arrays, arrays of objects, and nested objects."""
    leaves: SearchStrategy[Json] = scalars().map(_as_kept)
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)
        ),
        max_leaves=6,
    )
    return st.dictionaries(st.sampled_from(_KEYS), values, max_size=4)


def _as_kept(value: JsonScalar) -> JsonScalar:
    """Returns a number as the catalog gives it to engines: PostgreSQL keeps 1e23 as 10 ** 23, as it is written."""
    large = isinstance(value, float) and abs(value) >= 2**53
    return int(Decimal(repr(value))) if large else value


def filters() -> SearchStrategy[Filter]:
    """Filters over the same few fields and values."""
    paths = st.lists(st.sampled_from(_KEYS), min_size=1, max_size=3).map(".".join)
    several = st.lists(scalars(), max_size=3).map(tuple)
    ordered = scalars().filter(lambda value: value is not None and not isinstance(value, bool))
    conditions: SearchStrategy[Filter] = st.one_of(
        st.builds(Condition, paths, st.sampled_from((Op.EQ, Op.NE)), scalars()),
        st.builds(Condition, paths, st.sampled_from((Op.GT, Op.GTE, Op.LT, Op.LTE)), ordered),
        st.builds(Condition, paths, st.sampled_from((Op.IN, Op.NIN, Op.ALL)), several),
        st.builds(Condition, paths, st.just(Op.EXISTS), st.booleans()),
    )
    return st.recursive(
        conditions,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
            st.builds(Not, inner),
        ),
        max_leaves=5,
    )
