from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.generation.caching.agreeing import agree

SAME = [
    ("What can't I carry over?", "what can’t I carry over"),
    ("What is the notice period?", "what's the notice period"),
    ("What is the notice period?", "Can you please tell me the notice period?"),
    ("How many days of annual leave are there?", "how many days annual leave is there"),
    ("Who approves expense claims?", "Who approved the expense claims?"),
    ("What religion were the Normans?", "What was the religion of the Norman?"),
    ("Yıllık izin kaç gündür?", "yıllık izin kaç gündür"),
]
OTHERS = [
    ("What is the limit for 2023?", "What is the limit for 2024?"),
    ("What is the notice period?", "What is the notice period in Turkey?"),
    ("What can I carry over?", "What can't I carry over?"),
    ("Is remote work allowed?", "Is remote work not allowed?"),
    ("Who reports to Ada?", "Who reports to Alan?"),
    ("Who does Ada report to?", "Who reports to Ada?"),
    ("When did it begin in Rome?", "When did it end in Rome?"),
    ("When was the bridge built?", "Why was the bridge built?"),
    ("Who defeated Montcalm at Quebec?", "Who was defeated by Montcalm at Quebec?"),
    ("What moves coal from the bunker to the firebox?", "What moves coal from the firebox to the bunker?"),
    ("What is the most I can claim?", "What is the least I can claim?"),
    ("Are cats and dogs allowed?", "Are cats or dogs allowed?"),
    ("İzin devredilir mi?", "İzin devredilmez mi?"),
    ("How does leave work?", "Does leave work?"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_in_other_words(first, second):
    assert agree(first, second)
    assert agree(second, first)


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_what_lies_near_and_is_another_question(first, second):
    assert not agree(first, second)
    assert not agree(second, first)


@settings(deadline=None)
@given(st.text())
def test_every_question_agrees_with_itself(question):
    assert agree(question, question)


@settings(deadline=None)
@given(st.text(max_size=40), st.integers(0, 10**9), st.integers(0, 10**9))
def test_another_number_is_another_question(question, first, second):
    assert agree(f"{question} {first}", f"{question} {second}") == (first == second)
