from __future__ import annotations

from uuid import UUID

import pytest

from kaynak.domain import EmbedderUnavailable, Hit, Span
from kaynak.generation import ExtractiveAnswerer
from kaynak.generation.extractive import Answerability
from kaynak.testing.fake_embedder import FakeEmbedder

pytestmark = pytest.mark.anyio


class Models:
    def __init__(self, embedder=None):
        self.embedder = embedder

    async def embedder_of(self, collection):
        if self.embedder is None:
            raise EmbedderUnavailable("The model sleeps.")
        return self.embedder


def hit(text, *, number=1, language="en", title="Handbook", headings=()):
    identity = UUID(int=number)
    return Hit(
        0.5, "c", identity, f"d{number}", title, identity, 1, (number,), Span(0, len(text)), text, headings, None,
        language, None, {},
    )  # fmt: skip


ENGLISH = [
    hit("Rigging, engine and electronics are guaranteed for two years. Sails are guaranteed for one year."),
    hit("The yard in Bodrum was founded in 1987 by Selim Kaya. It is closed in August.", number=2, title="History"),
]
TURKISH = [
    hit("Yıllık izin süresi yirmi altı gündür. Stajyerlere yıllık izin verilmez.", language="tr", title="İzin"),
    hit("Bodrum tersanesi 1987 yılında Selim Kaya tarafından kurulmuştur.", number=2, language="tr", title="Tarih"),
]
BOTH = pytest.mark.parametrize("models", [Models(FakeEmbedder()), Models()], ids=["with model", "without"])


@BOTH
@pytest.mark.parametrize(
    ("asked", "instead", "hits"),
    [
        ("When was the yard in Bodrum founded?", "When was the yard in Hamburg founded?", ENGLISH),
        ("Who founded the yard in 1987?", "Who founded the yard in 1950?", ENGLISH),
        ("Is the yard closed in August?", "Is the yard not closed in August?", ENGLISH),
        ("Are sails guaranteed for one year?", "Are cushions guaranteed for one year?", ENGLISH),
        ("Bodrum tersanesi kim tarafından kuruldu?", "Hamburg tersanesi kim tarafından kuruldu?", TURKISH),
        ("Yıllık izin süresi kaç gündür?", "Yıllık prim tutarı kaç liradır?", TURKISH),
    ],
)
async def test_a_question_with_something_else_in_it_is_less_likely_answered(models, asked, instead, hits):
    guard = Answerability(models)
    assert await guard.likelihood(asked, hits) > await guard.likelihood(instead, hits) + 0.02


@BOTH
async def test_the_guard_lets_through_what_may_be_answered_and_stops_what_is_not(models):
    guard = Answerability(models)
    assert await guard.answerable("When was the yard in Bodrum founded?", ENGLISH)
    assert await guard.answerable("Yıllık izin süresi kaç gündür?", TURKISH)
    for question in ("Which volcano erupted near Naples?", "xyzzy", "???", ""):
        assert not await guard.answerable(question, ENGLISH)
    assert not await guard.answerable("Başkent neresidir?", TURKISH)
    assert not await guard.answerable("When was the yard in Bodrum founded?", [])
    assert await guard.likelihood("When?", []) == 0.0


@BOTH
async def test_the_guard_does_not_judge_across_languages(models):
    assert await Answerability(models).answerable("Tersane ne zaman kuruldu?", ENGLISH)
    assert await Answerability(models).answerable("Which volcano erupted near Naples?", TURKISH)


async def test_how_sure_the_guard_must_be_can_be_chosen():
    question = "When was the yard in Bodrum founded?"
    assert await Answerability(Models(), least=0.0).answerable("Which volcano erupted near Naples?", ENGLISH)
    assert not await Answerability(Models(), least=1.0).answerable(question, ENGLISH)


async def answers(question, hits):
    return [one async for one in ExtractiveAnswerer(Models()).stream(question, hits)]


async def test_the_word_of_the_question_may_be_another_than_that_of_the_source():
    written = await answers("How long is the warranty on the engine?", ENGLISH)
    assert written[0].text == "Rigging, engine and electronics are guaranteed for two years."


LIMITS = (
    "The following limits hold for one night, and for meals on a full day.\n\n"
    "| Place | Hotel per night | Meals per day |\n| --- | --- | --- |\n"
    "| Hamburg, Paris | 160 € | 48 € |\n| Istanbul | 110 € | 36 € |\n\nAlcohol is never refunded."
)


async def test_what_a_table_says_in_general_is_answered_with_the_table():
    (first, *_) = await answers("hotel limit per night", [hit(LIMITS, title="Travel", headings=("Hotels",))])
    assert first.text.startswith("Place: Hamburg, Paris · Hotel per night: 160 €")
    assert first.quotes[0].span.of(LIMITS).startswith("| Place | Hotel per night")


async def test_what_a_row_says_is_answered_with_the_row_alone():
    written = await answers("What is the hotel limit per night in Istanbul?", [hit(LIMITS, title="Travel")])
    assert [one.text for one in written] == ["Place: Istanbul · Hotel per night: 110 € · Meals per day: 36 €"]
