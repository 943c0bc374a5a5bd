from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.generation.deepening.splitting import PARTS, parts_of


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Who approves leave and when is it paid out?", ("Who approves leave", "when is it paid out?")),
        ("What is the notice period? Who signs the letter?", ("What is the notice period?", "Who signs the letter?")),
        ("What is the notice; and how long is probation?", ("What is the notice", "how long is probation?")),
        ("İzni kim onaylar ve ne zaman ödenir?", ("İzni kim onaylar", "ne zaman ödenir?")),
    ],
)
def test_several_questions_in_one(question, parts):
    assert parts_of(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "Who sells bread and butter?",
        "salt and pepper",
        "How do rest and exercise work together?",
        "Is it who or what?",
        "effects of heat and mass transfer on blunt bodies",
        "",
        "what is a and what is b and what is c and what is d and what is e",
    ],
)
def test_what_is_one_question(question):
    assert parts_of(question) == ()


@settings(deadline=None)
@given(st.lists(st.sampled_from(["and", "what", "?", ";", "is", "or", "ve", "kim", "x"]), max_size=30).map(" ".join))
def test_parts_are_of_the_question_and_few(question):
    parts = parts_of(question)
    assert len(parts) in {0, *range(2, PARTS + 1)}
    assert all(part in question for part in parts)
