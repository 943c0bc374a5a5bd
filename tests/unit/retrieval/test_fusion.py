from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.retrieval.fusion import (
    NOTHING,
    Ranked,
    fuse,
    normalise_bm25,
    normalise_cosines,
    normalise_weights,
    support,
    tidy,
)

SCORES = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30)
IDS = st.lists(st.integers(-3, 20), max_size=30)
COSINES = st.lists(st.floats(-1, 1), min_size=1, max_size=30)
UNIT = st.floats(0, 1)


def ranked(pairs):
    ids, scores = tidy([key for key, _ in pairs], [score for _, score in pairs])
    return Ranked(ids, scores, scores)


@given(IDS, SCORES)
def test_tidy_lets_only_finite_scores_and_single_ids_through(ids, scores):
    keys, values = tidy(ids, scores)
    assert len(keys) == len(values) == len(set(keys.tolist()))
    assert np.isfinite(values).all()
    assert sorted(values.tolist(), reverse=True) == values.tolist()
    wanted = {key for key, value in zip(ids, scores, strict=False) if math.isfinite(value)}
    assert set(keys.tolist()) == wanted


@pytest.mark.parametrize("ids", [["x"], [None], [2**70], [[1], [2, 3]], object()])
def test_ids_that_are_none_are_no_candidates(ids):
    keys, values = tidy(ids, [1.0])
    assert len(keys) == len(values) == 0


def test_an_id_that_comes_twice_counts_with_its_better_score():
    keys, values = tidy([1, 2, 1], [0.1, 0.2, 0.3])
    assert keys.tolist() == [1, 2]
    assert values.tolist() == [0.3, 0.2]


@given(COSINES, st.floats(-1, 1))
def test_cosines_keep_their_order_within_bounds(cosines, background):
    scaled = normalise_cosines(np.array(cosines), background)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    order = np.argsort(cosines)
    assert (np.diff(scaled[order]) >= -1e-12).all()


def test_what_is_unrelated_counts_for_nothing_and_identity_for_all():
    far, usual, same = normalise_cosines(np.array([-1.0, 0.3, 1.0]), 0.3)
    assert far == 0
    assert usual == pytest.approx(0.02)
    assert same == pytest.approx(1.0)


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(), st.floats())
def test_bm25_is_bounded_whatever_the_engine_says(scores, ceiling, known):
    scaled = normalise_bm25(np.array(scores), ceiling, known)
    assert ((scaled >= 0) & (scaled <= 1)).all()


@given(st.floats(0.1, 100), st.floats(0.1, 1000))
def test_bm25_does_not_depend_on_the_scale(factor, ceiling):
    scores = np.array([ceiling, ceiling / 2, 0.0])
    once = normalise_bm25(scores, ceiling, 1.0)
    assert normalise_bm25(scores * factor, ceiling * factor, 1.0) == pytest.approx(once)


def test_words_that_nobody_knows_are_missing_from_the_score():
    assert normalise_bm25(np.array([4.0]), 4.0, 0.25).tolist() == [0.25]


PAIRS = st.lists(st.tuples(st.integers(0, 30), UNIT), max_size=20)


@given(PAIRS, PAIRS, UNIT)
def test_fusion_is_bounded_and_has_all_candidates_once(dense, lexical, weight):
    ids, scores = fuse(ranked(dense), ranked(lexical), weight)
    assert set(ids.tolist()) == {key for key, _ in dense + lexical}
    assert len(set(ids.tolist())) == len(ids)
    assert ((scores >= 0) & (scores <= 1)).all()


@given(PAIRS, PAIRS, UNIT, st.integers(0, 30), UNIT)
def test_a_better_score_on_a_side_never_makes_it_worse(dense, lexical, weight, key, more):
    before = dict(zip(*map(np.ndarray.tolist, fuse(ranked(dense), ranked(lexical), weight)), strict=True))
    after = dict(
        zip(*map(np.ndarray.tolist, fuse(ranked([*dense, (key, more)]), ranked(lexical), weight)), strict=True)
    )
    assert after[key] >= before.get(key, 0.0)
    assert {other: after[other] for other in before if other != key} == {k: v for k, v in before.items() if k != key}


@given(PAIRS)
def test_the_whole_weight_on_a_side_is_that_side(pairs):
    side = ranked(pairs)
    for ids, scores in (fuse(side, NOTHING, 1.0), fuse(NOTHING, side, 0.0)):
        assert dict(zip(ids.tolist(), scores.tolist(), strict=True)) == dict(
            zip(side.ids.tolist(), side.normalised.tolist(), strict=True)
        )


def test_nothing_on_both_sides_is_nothing():
    ids, scores = fuse(NOTHING, NOTHING, 0.5)
    assert len(ids) == len(scores) == 0
    assert len(support(scores, ids, ids)) == 0


@given(st.lists(UNIT, min_size=1, max_size=20), st.randoms())
def test_neighbours_help_and_never_hurt(scores, random):
    places = np.array([random.randrange(-1, len(scores)) for _ in scores])
    alone = np.full(len(scores), -1)
    supported = support(np.array(scores), places, alone)
    plain = support(np.array(scores), alone, alone)
    assert (supported >= plain).all()
    assert ((supported >= 0) & (supported <= 1)).all()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(1e-6, 1e6))
def test_learnt_weights_keep_their_order_within_bounds(scores, own):
    scaled = normalise_weights(np.array(scores), own)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert (np.diff(scaled[np.argsort(scores)]) >= 0).all()


def test_an_entry_that_weighs_as_the_query_does_has_half_of_the_scale():
    assert normalise_weights(np.array([0.4, 0.2, 0.0, -1.0, 4.0]), 0.4) == pytest.approx([1 / 2, 1 / 3, 0, 0, 10 / 11])
    for own in (0.0, -1.0, math.nan, math.inf):
        assert normalise_weights(np.array([0.4]), own).tolist() == [0.0]
