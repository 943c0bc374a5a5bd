from __future__ import annotations

import pytest

from kaynak.generation.extractive.cues import Wanted, gives, wanted
from kaynak.generation.wording import language_of, not_found


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does the office open?", Wanted.TIME),
        ("How long is the notice period?", Wanted.TIME),
        ("Ne zaman kuruldu?", Wanted.TIME),
        ("How many days of leave do I have?", Wanted.NUMBER),
        ("Yıllık izin kaç gün?", Wanted.NUMBER),
        ("Who approves it?", Wanted.NAME),
        ("Bunu kim onaylar?", Wanted.NAME),
        ("Where is the exit?", Wanted.PLACE),
        ("Toplanma yeri nerede?", Wanted.PLACE),
        ("Why is the sky blue?", Wanted.REASON),
        ("What is a keel?", Wanted.ANY),
        ("", Wanted.ANY),
    ],
)
def test_what_a_question_asks_for(question, kind):
    assert wanted(question) is kind


@pytest.mark.parametrize(
    ("sentence", "kind", "question", "expected"),
    [
        ("It is 26 days.", Wanted.NUMBER, "How many days?", True),
        ("It is twenty days.", Wanted.NUMBER, "How many?", True),
        ("It is a lot.", Wanted.NUMBER, "How many?", False),
        ("The rule of 2024 is old.", Wanted.NUMBER, "How many in 2024?", False),
        ("It was built in 1884.", Wanted.TIME, "When?", True),
        ("Her name is Ayşe.", Wanted.NAME, "Who?", True),
        ("The captain Ahab said so.", Wanted.NAME, "Who is Ahab?", False),
        ("It fell because of the wind.", Wanted.REASON, "Why?", True),
        ("It fell.", Wanted.REASON, "Why?", False),
        ("Anything.", Wanted.ANY, "What?", True),
    ],
)
def test_whether_a_sentence_has_such_a_thing(sentence, kind, question, expected):
    assert gives(sentence, kind, question) is expected


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("How many days?", "en"),
        ("Yıllık izin kaç gün?", "tr"),
        ("KIM ONAYLAR?", "tr"),
        ("izin ne kadar", "tr"),
        ("Who is Ayşe and what does she do?", "en"),
        ("", "en"),
        ("İSTANBUL'DA OFİS VAR MI", "tr"),
    ],
)
def test_the_language_of_a_question(question, language):
    assert language_of(question) == language


def test_silence_is_said_in_the_language_of_the_question():
    assert not_found("What is it?") == "The sources do not say."
    assert not_found("Bu nedir?") == "Kaynaklarda bu bilgi yok."
