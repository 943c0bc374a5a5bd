from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.generation.conversing.followups import stand_alone

sys.path.insert(0, str(Path(__file__).parent))
from followup_cases import DEVELOPMENT, HELD_OUT, Case

sys.path.pop(0)


def fits(case: Case) -> bool:
    found = stand_alone(case.question, case.before, case.answer)
    if not case.has:
        return found == case.question
    has = all(word.lower() in found.lower() for word in case.has)
    return has and not any(word in found for word in case.lacks)


@pytest.mark.parametrize("case", DEVELOPMENT, ids=lambda case: case.question)
def test_follow_ups_stand_alone(case: Case) -> None:
    assert fits(case), stand_alone(case.question, case.before, case.answer)


def test_questions_that_the_rules_were_not_made_for() -> None:
    missed = [case.question for case in HELD_OUT if not fits(case)]
    assert len(missed) <= 1, missed


def test_topics_are_carried_from_turn_to_turn() -> None:
    first = "What is the parental leave policy?"
    second = stand_alone("When was it introduced?", first)
    third = stand_alone("By whom?", second)
    assert third == "By whom? (introduced parental leave policy)"


def test_nothing_to_carry_leaves_the_question_as_it_is() -> None:
    assert stand_alone("Why?", "Why?") == "Why?"
    assert stand_alone("…", "What is phishing?") == "…"
    assert stand_alone("Why?", "?!") == "Why?"


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_a_question(question: str, before: str, answer: str) -> None:
    found = stand_alone(question, before, answer)
    assert len(found) <= len(question) + 2 * len(before) + len(answer) + 12


@given(st.sampled_from([*DEVELOPMENT, *HELD_OUT]))
def test_what_stands_alone_stays_so(case: Case) -> None:
    once = stand_alone(case.question, case.before, case.answer)
    # Rewriting what was rewritten adds nothing of the question before that is not there yet.
    again = stand_alone(once, case.before, case.answer)
    assert again == once or set(again.lower().split()) - set(once.lower().split()) <= {"–"}
