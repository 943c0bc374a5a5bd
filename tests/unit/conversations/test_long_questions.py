"""Whoever asks something very long keeps nobody else waiting: rules for follow-ups run on the event loop."""

from __future__ import annotations

import itertools
import uuid

import pytest

from kaynak.generation.conversing.followups import stand_alone
from kaynak.generation.conversing.helping import _acceptable
from kaynak.generation.conversing.remembering import Exchange

# It takes a moment; what grows with the square of the length would take minutes.
pytestmark = pytest.mark.timeout(60)

WORDS = ["".join(letters) for letters in itertools.product("bcdfgklmnprst", repeat=4)]
NAMES = " ".join(word.capitalize() for word in WORDS[1000:1400])
QUESTIONS = {
    "many words, many pronouns": "alpha beta " + " ".join(WORDS[:330]) + " he" * 100,
    "as long as questions may be": "alpha beta " + " ".join(WORDS[:1300]) + " he" * 400,
    "nothing but pronouns": "the he " * 285,
    "much longer than questions may be": "alpha it " * 100_000,
}


@pytest.mark.parametrize(
    "before", ["who " + " ".join(WORDS[400:790]), "who " + "alpha " * 100_000], ids=["long", "huge"]
)
@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_of_any_length_are_looked_at_quickly(question, before):
    assert stand_alone(QUESTIONS[question], before, NAMES * 50).startswith(QUESTIONS[question].strip())


def test_rewritings_of_any_length_are_looked_at_quickly():
    question = " ".join(word.capitalize() for word in WORDS[:1600])
    exchanges = [Exchange(question, question, NAMES[:2000], uuid.UUID(int=number)) for number in range(4)]
    assert _acceptable(question, question, exchanges)
    assert not _acceptable(question.replace("B", "Z"), question, exchanges)


def test_short_ones_are_put_together_as_before():
    assert stand_alone("And in Turkey?", "How much leave is there in Germany?") == "How much leave is there in Turkey?"
    assert stand_alone("Why?", "Is remote work allowed?").startswith("Why? (")
