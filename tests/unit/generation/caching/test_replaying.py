from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaynak.caching import Values
from kaynak.domain import (
    Answer,
    AnswerCompleted,
    AnswerSentence,
    Citation,
    Hit,
    PassagesFound,
    SentenceWritten,
    Span,
    TextWritten,
    TokenUsage,
    Verdict,
)
from kaynak.generation.caching.replaying import consistent, replay, whole

TEXT = "Annual leave is 26 days. Ask the office, çğü 😀."
HIT = Hit(
    0.5, "a", UUID(int=1), "x", "X", UUID(int=2), 1, (7,), Span(10, 10 + len(TEXT)), TEXT, ("H",), (1, 2), "en",
    "text/plain", {"team": "hr", "list": [1, {"deep": None}]},
)  # fmt: skip


def citation(marker, start, end):
    return Citation(
        marker, "a", UUID(int=1), "x", "X", UUID(int=2), 1, 1, Span(10 + start, 10 + end), TEXT[start:end]
    )  # fmt: skip


ANSWER = Answer(
    question="How many days?",
    text="It is 26 days. [1] Ask the office. [2][1]",
    sentences=(
        AnswerSentence("It is 26 days.", (1,), Verdict.SUPPORTED, (), Span(0, 18)),
        AnswerSentence("Ask the office.", (2, 1), Verdict.PARTLY, ("why",), Span(19, 41)),
    ),
    citations=(citation(1, 0, 24), citation(2, 25, 39)),
    found=True,
    model="openai:gpt",
    hits=(HIT,),
    degraded=(),
    took_ms=1.5,
    steps=("How many days?",),
    usage=TokenUsage(10, 5, 1),
    cost=0.01,
)


def test_it_tells_the_answer_as_it_was_written():
    events = list(replay(ANSWER))
    assert isinstance(events[0], PassagesFound)
    assert "".join(event.text for event in events if isinstance(event, TextWritten)) == ANSWER.text
    written = [event for event in events if isinstance(event, SentenceWritten)]
    assert [event.sentence for event in written] == list(ANSWER.sentences)
    assert [[one.marker for one in event.citations] for event in written] == [[1], [2]]
    assert events[-1] == AnswerCompleted(ANSWER)


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.none() | st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=5))
def test_whatever_the_spans_say_the_text_is_whole(text, places):
    spans = [None if place is None else Span(min(place), max(place)) for place in places]
    answer = replace(ANSWER, text=text, sentences=tuple(AnswerSentence("s", (), span=span) for span in spans))
    told = "".join(event.text for event in replay(answer) if isinstance(event, TextWritten))
    assert told == text


def test_what_is_stored_comes_back_to_the_letter():
    values = Values(Answer)
    assert values.load("key", values.dump("key", ANSWER)) == ANSWER
    assert consistent(ANSWER)


@pytest.mark.untraced
@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_nobody_stored_are_not_read(stored):
    assert Values(Answer).load("key", b"key\n" + stored) is None
    assert Values(Answer).load("key", stored) is None


def test_values_of_another_key_are_not_read():
    values = Values(Answer)
    assert values.load("other", values.dump("key", ANSWER)) is None


@pytest.mark.untraced
@settings(deadline=None)
@given(st.data())
def test_damaged_bytes_are_not_read_as_an_answer_that_never_was(data):
    values = Values(Answer)
    stored = bytearray(values.dump("key", ANSWER))
    at = data.draw(st.integers(0, len(stored) - 1))
    cut = bytes(stored[:at])
    assert values.load("key", cut) is None
    deep = b"key\n" + b"[" * 100_000
    assert values.load("key", deep) is None


def test_answers_that_something_is_wrong_with_are_not_kept():
    assert whole(ANSWER)
    for wrong in (replace(ANSWER, partial=True), replace(ANSWER, degraded=("x",)), replace(ANSWER, cached="exact")):
        assert not whole(wrong)
        assert not consistent(wrong)


def test_forged_quotes_and_markers_are_noticed():
    first = ANSWER.citations[0]
    forged = [
        replace(first, quote="Annual leave is 99 days."),
        replace(first, version_id=UUID(int=9)),
        replace(first, document_id=UUID(int=9)),
        replace(first, collection="b"),
        replace(first, span=Span(0, 24)),
        replace(first, span=Span(10, 10 + len(TEXT) + 5)),
    ]
    for one in forged:
        assert not consistent(replace(ANSWER, citations=(one, ANSWER.citations[1])))
    assert not consistent(replace(ANSWER, citations=ANSWER.citations[:1]))
    assert not consistent(replace(ANSWER, hits=(replace(HIT, text=TEXT + "!"),)))
    assert not consistent(replace(ANSWER, hits=(replace(HIT, chunk_ids=()),)))
    assert not consistent(replace(ANSWER, hits=()))
