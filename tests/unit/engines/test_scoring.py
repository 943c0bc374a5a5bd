from __future__ import annotations

import pytest

from kaynak.engines.analysis import QueryWord
from kaynak.engines.scoring import K1, MAX_WORDS, idf, plan_query


def word(*forms: dict[str, float], count: int = 1) -> QueryWord:
    return QueryWord(tuple(tuple(form.items()) for form in forms), count)


def test_rarer_words_weigh_more_and_none_is_negative() -> None:
    weights = [idf(count, 10) for count in range(11)]
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] > 0


def test_a_plain_query() -> None:
    counts = {"fox": 1, "red": 5}
    plan = plan_query([word({"fox": 1.0}), word({"red": 1.0}), word({"emu": 1.0})], lambda t: counts.get(t, 0), 10)
    assert plan.terms == {"fox": 1.0, "red": 1.0}
    assert plan.known == pytest.approx(2 / 3)
    assert plan.ceiling == pytest.approx((idf(1, 10) + idf(5, 10)) * (K1 + 1))
    whole = idf(1, 10) + idf(5, 10) + idf(0, 10)
    assert [one.share for one in plan.shares] == pytest.approx([idf(1, 10) / whole, idf(5, 10) / whole])


def test_a_stem_that_is_rare_in_one_language_weighs_as_the_word_does() -> None:
    counts = {"run": 60, "running": 1}
    plan = plan_query([word({"run": 1.0, "running": 1.0})], lambda t: counts.get(t, 0), 100)
    for term in counts:
        assert plan.terms[term] * idf(counts[term], 100) == pytest.approx(idf(61, 100))


def test_a_word_with_a_stem_and_a_prefix_can_earn_both_halves() -> None:
    counts = {"kitap": 2, "~kitap": 3}
    plan = plan_query([word({"kitap": 0.5}, {"~kitap": 0.5})], lambda t: counts.get(t, 0), 10)
    assert plan.ceiling == pytest.approx((idf(2, 10) + idf(3, 10)) / 2 * (K1 + 1))
    assert plan.known == 1.0
    only_prefix = plan_query([word({"kitab": 0.5}, {"~kitap": 0.5})], lambda t: counts.get(t, 0), 10)
    assert only_prefix.known == 0.0
    assert only_prefix.terms


def test_a_prefix_is_not_rare_because_its_language_is() -> None:
    """Few entries of an English index taken for Turkish must not win every query by their prefixes."""
    counts = {"wing": 60, "~wing": 2}
    plan = plan_query([word({"wing": 1.0}, {"~wing": 0.5})], lambda t: counts.get(t, 0), 100)
    assert plan.terms["~wing"] * idf(2, 100) == pytest.approx(idf(60, 100) / 2)


def test_long_queries_keep_their_rarest_known_words() -> None:
    words = [word({f"w{number}": 1.0}) for number in range(300)]
    plan = plan_query(words, lambda term: int(term[1:]) * 3, 1000)
    assert set(plan.terms) == {f"w{number}" for number in range(1, MAX_WORDS + 1)}


def test_nothing_known() -> None:
    plan = plan_query([word({"emu": 1.0})], lambda _: 0, 0)
    assert (plan.terms, plan.ceiling, plan.known, plan.shares) == ({}, 0.0, 0.0, ())
    assert plan_query([], lambda _: 0, 0).known == 0.0
