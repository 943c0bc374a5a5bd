from __future__ import annotations

from uuid import UUID

import numpy as np
import pytest

from kaynak.domain import EmbedderUnavailable, Hit, Span
from kaynak.generation import ExtractiveAnswerer
from kaynak.generation.extractive.choosing import choose, evidence
from kaynak.generation.extractive.composing import compose
from kaynak.generation.extractive.features import NAMES
from kaynak.generation.extractive.units import units_of
from kaynak.generation.fluency import fluency
from kaynak.testing.fake_embedder import FakeEmbedder, WordCounter

pytestmark = pytest.mark.anyio


def hit(text, *, number=1, language="en", title="Handbook"):
    identity = UUID(int=number)
    return Hit(
        0.5, "c", identity, f"d{number}", title, identity, 1, (number,), Span(0, len(text)), text, (), None, language,
        None, {},
    )  # fmt: skip


class Models:
    """Gives one model, or is away."""

    def __init__(self, embedder=None):
        self.embedder = embedder

    async def embedder_of(self, collection):
        if self.embedder is None:
            raise EmbedderUnavailable("The model sleeps.")
        return self.embedder


HITS = [
    hit("Everyone has 26 days of annual leave. Leave is requested in the portal. Boats are white."),
    hit("The kitchen is on the second floor. Coffee is free for all.", number=2),
    hit("Taxes are paid in May. The auditor comes in June.", number=3),
]


async def answers(question, hits=HITS, models=None):
    answerer = ExtractiveAnswerer(models or Models(FakeEmbedder()))
    return [one async for one in answerer.stream(question, hits)]


@pytest.mark.parametrize("models", [Models(FakeEmbedder()), Models()], ids=["with model", "without"])
async def test_quotes_the_sentence_that_answers(models):
    written = await answers("How many days of annual leave does everyone have?", models=models)
    first = written[0]
    assert first.text.startswith("Everyone has 26 days of annual leave.")
    (quote,) = first.quotes
    assert quote.span.of(HITS[quote.hit].text) == first.text


@pytest.mark.parametrize("models", [Models(FakeEmbedder()), Models()], ids=["with model", "without"])
@pytest.mark.parametrize(
    "question",
    [
        "Which volcano erupted near Naples?",
        "Who won the 1998 football championship?",
        "Başkent neresidir?",
        "xyzzy",
        "???",
    ],
)
async def test_says_nothing_where_the_sources_are_silent(models, question):
    assert await answers(question, models=models) == []


async def test_nothing_comes_of_nothing():
    assert await answers("How many days?", hits=[]) == []
    assert await answers("How many days?", hits=[hit("— … —")]) == []


async def test_a_turkish_question_is_answered_by_words():
    hits = [
        hit("Yıllık izin süresi yirmi altı gündür. Talep portaldan yapılır.", language="tr", title="İzin"),
        hit("Yemekhane zemin kattadır. Çay ücretsizdir.", number=2, language="tr", title="Bina"),
    ]
    written = await answers("Yıllık izin süresi kaç gündür?", hits=hits, models=Models())
    assert written[0].text.startswith("Yıllık izin süresi yirmi altı gündür.")


async def test_a_row_of_a_table_is_read_with_its_columns():
    table = "| Boat | Length |\n| --- | --- |\n| Heron | 12 m |\n| Gannet | 9 m |"
    written = await answers("What length has the boat Gannet?", hits=[hit(table), *HITS])
    assert written[0].text == "Boat: Gannet · Length: 9 m"
    assert written[0].quotes[0].span.of(table) == "| Gannet | 9 m |"


async def test_sentences_that_follow_each_other_are_one_quote():
    units = units_of(HITS)
    (together, alone) = compose([units[1], units[0], units[3]], units, HITS)
    assert together.text == "Everyone has 26 days of annual leave. Leave is requested in the portal."
    assert together.quotes[0].span.of(HITS[0].text) == together.text
    assert alone.text == "The kitchen is on the second floor."


def features(**columns):
    rows = len(next(iter(columns.values())))
    table = np.zeros((rows, len(NAMES)))
    for name, values in columns.items():
        table[:, NAMES.index(name)] = values
    return table


def test_headings_are_never_quoted_and_repetitions_once():
    units = units_of([HITS[0], hit("Everyone has 26 days of annual leave.", number=9)])
    same = [1.0] * len(units)
    chosen = choose(units, features(own=same, around=same, passage=same, heading=[1.0, *[0.0] * (len(units) - 1)]))
    assert units[0] not in chosen
    chosen = choose(units, features(own=same, around=same, passage=same))
    assert len({unit.text for unit in chosen}) == len(chosen) == 3


def test_more_of_the_question_is_more_evidence():
    weak, strong = evidence(features(around=[0.1, 0.9], passage=[0.1, 0.9]))
    assert weak < strong
    weak, strong = evidence(features(cosine=[0.1, 0.9], spoken=[1.0, 1.0]))
    assert weak < strong


def test_fluency_is_that_of_the_tokenizer():
    assert fluency("two words", WordCounter()) == 1.0
    assert fluency("", WordCounter()) == 1.0
