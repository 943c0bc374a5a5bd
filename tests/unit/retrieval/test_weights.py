from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.retrieval.profiles import UNKNOWN, Profile
from kaynak.retrieval.spelling import pieces_per_word
from kaynak.retrieval.weighing import BALANCE, weigh
from kaynak.testing.fake_embedder import WordCounter


def profile(pieces, cosine):
    return Profile(1000, np.zeros((0, 2), np.float32), cosine, pieces)


ENGLISH, TURKISH = profile(1.1, 0.15), profile(2.95, 0.51)


class Letters:
    """A tokenizer that knows single letters only."""

    fingerprint = "letters"

    def offsets(self, text):
        return [(at, at + 1) for at, char in enumerate(text) if char.isalpha()]

    def count(self, text):
        return len(self.offsets(text))


def dense(query, of, **more):
    return weigh(query, of, known=1.0, fixed=None, **more).dense


def test_a_model_that_speaks_the_language_has_its_whole_weight():
    assert dense(1.2, ENGLISH) == BALANCE


def test_a_model_that_does_not_has_next_to_none():
    assert dense(2.9, TURKISH) < 0.05


def test_names_in_an_otherwise_plain_question_cost_some():
    assert dense(1.2, TURKISH) > dense(2.9, TURKISH)
    assert 0.2 < dense(2.6, ENGLISH) < BALANCE


def test_an_unknown_collection_is_judged_by_the_question():
    assert dense(1.2, UNKNOWN) == BALANCE
    assert dense(0.0, UNKNOWN) == BALANCE
    assert dense(3.0, UNKNOWN) < 0.2


def test_the_callers_choice_is_kept_and_the_signals_are_told():
    weight = weigh(3.0, TURKISH, known=0.5, fixed=0.8)
    assert weight.dense == 0.8
    assert weight.signals["foreign"] == 1.0
    assert weight.signals["lexical_known"] == 0.5


@given(st.floats(0, 50), st.floats(0, 50), st.floats(-1, 1), st.floats(0, 5))
def test_worse_signals_never_raise_the_weight(query, pieces, cosine, more):
    before = dense(query, profile(pieces, cosine))
    assert 0 < before <= BALANCE
    if query > 0 and pieces > 0:
        assert dense(query + more, profile(pieces, cosine)) <= before
        assert dense(query, profile(pieces, cosine + more)) <= before


@pytest.mark.parametrize(("text", "expected"), [("", 0.0), ("12 34 !", 0.0), ("one two", 1.0), ("a1b", 1.0)])
def test_words_of_whole_tokens(text, expected):
    assert pieces_per_word(text, WordCounter()) == expected


def test_words_in_pieces():
    assert pieces_per_word("four five", Letters()) == 4.0


def test_marks_do_not_cut_words():
    assert pieces_per_word("स्वतन्त्रता", WordCounter()) >= 1.0
    assert pieces_per_word("e\u0301te\u0301 e\u0301te\u0301", Letters()) == 3.0


def test_scripts_without_spaces_count_two_letters_a_word():
    assert pieces_per_word("自由平等", Letters()) == 2.0


def test_what_is_unknown_counts_as_all_its_letters():
    class Unknowing(WordCounter):
        def unknown(self, text):
            return self.count(text)

    assert pieces_per_word("seven seven", Unknowing()) == 5.0


def test_the_background_of_a_small_collection_is_drawn_to_the_usual_one():
    same = np.ones((1, 4), np.float32) / 2
    small = Profile(1, same, 0.5, 1.0)
    large = Profile(300, np.repeat(same, 300, axis=0), 0.5, 1.0)
    query = same[0]
    assert small.background(query) < 0.5
    assert large.background(query) > 0.95
    assert UNKNOWN.background(query) == pytest.approx(0.12)
