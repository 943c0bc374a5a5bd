from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from kaynak.domain import (
    OWNER,
    AnswerCompleted,
    AskRequest,
    EmbedderUnavailable,
    Hit,
    PassagesFound,
    SearchRequest,
    SearchResult,
    SentenceWritten,
    Span,
    TextWritten,
)
from kaynak.generation import Asker, Quote, SearchFinder, Written

pytestmark = pytest.mark.anyio

TEXT = "Leave is 26 days. Notice is four weeks."
ONE = UUID(int=1)
HIT = Hit(
    0.9,
    "handbook",
    ONE,
    "leave.txt",
    "Leave",
    ONE,
    3,
    (1,),
    Span(100, 100 + len(TEXT)),
    TEXT,
    (),
    (2, 2),
    "en",
    None,
    {},
)
LEAVE, NOTICE = Quote(0, Span(100, 117)), Quote(0, Span(118, 139))


class Searcher:
    """Finds what it is told."""

    def __init__(self, *hits, degraded=()):
        self.result = SearchResult(hits, False, {"handbook": 1}, degraded, 1.0)
        self.asked = []

    async def search(self, request, scope):
        self.asked.append((request, scope))
        return self.result

    async def pages(self, scope, places):
        return [7 for _ in places]


class Author:
    """Writes what it is told."""

    name = "author"

    def __init__(self, *written, error=None):
        self.written = written
        self.error = error

    async def stream(self, question, hits):
        for one in self.written:
            yield one
        if self.error:
            raise self.error


REQUEST = AskRequest(SearchRequest("How much leave?", ("handbook",)))


def asker_of(searcher, author):
    return Asker(SearchFinder(searcher), author)


async def events(asker):
    return [event async for event in asker.stream(REQUEST, OWNER)]


async def test_events_come_in_order_and_end_with_the_whole_answer():
    searcher = Searcher(HIT, degraded=("The model sleeps.",))
    author = Author(Written("Leave is 26 days.", (LEAVE,)), Written("Both.", (NOTICE, LEAVE)))
    found, text, first, more, second, done = await events(asker_of(searcher, author))
    assert found == PassagesFound((HIT,))
    assert (text, more) == (TextWritten("Leave is 26 days. [1]"), TextWritten(" Both. [2][1]"))
    assert isinstance(first, SentenceWritten)
    assert first.sentence.markers == (1,)
    assert [one.quote for one in first.citations] == ["Leave is 26 days."]
    assert second.sentence.markers == (2, 1)
    assert [one.marker for one in second.citations] == [2]
    assert isinstance(done, AnswerCompleted)
    answer = done.answer
    assert answer.text == "Leave is 26 days. [1] Both. [2][1]"
    assert [one.span.of(answer.text) for one in answer.sentences] == ["Leave is 26 days. [1]", "Both. [2][1]"]
    assert answer.found
    assert answer.steps == ("How much leave?",)
    assert (answer.model, answer.degraded, answer.hits) == ("author", ("The model sleeps.",), (HIT,))
    for citation in answer.citations:
        assert citation.quote == citation.span.shift(-HIT.span.start).of(TEXT)
        assert (citation.page, citation.version, citation.external_id) == (2, 3, "leave.txt")
    assert [one.marker for one in answer.citations] == [1, 2]


async def test_quotes_that_do_not_lie_in_a_passage_are_refused():
    end = HIT.span.end
    bad = [
        Quote(1, LEAVE.span),
        Quote(-1, LEAVE.span),
        Quote(0, Span(99, 110)),
        Quote(0, Span(end - 1, end + 1)),
        Quote(0, Span(105, 105)),
    ]
    author = Author(
        *(Written("A lie.", (quote,)) for quote in bad),
        Written("Half true.", (bad[0], LEAVE)),
        Written("No source.", ()),
    )
    answer = await asker_of(Searcher(HIT), author).ask(REQUEST, OWNER)
    assert [one.text for one in answer.sentences] == ["Half true."]
    assert len(answer.citations) == 1


async def test_without_a_sentence_the_sources_do_not_say():
    answer = await asker_of(Searcher(HIT), Author()).ask(REQUEST, OWNER)
    assert (answer.found, answer.text, answer.citations) == (False, "The sources do not say.", ())
    assert len(answer.sentences) == 1
    turkish = AskRequest(SearchRequest("Yıllık izin kaç gün?", ("handbook",)))
    assert (await asker_of(Searcher(), Author()).ask(turkish, OWNER)).text == "Kaynaklarda bu bilgi yok."


async def test_the_page_of_a_quote_is_looked_up_where_a_passage_has_several():
    several = replace(HIT, pages=(2, 9))
    answer = await asker_of(Searcher(several), Author(Written("x", (LEAVE,)))).ask(REQUEST, OWNER)
    assert answer.citations[0].page == 7
    none = replace(HIT, pages=None)
    answer = await asker_of(Searcher(none), Author(Written("x", (LEAVE,)))).ask(REQUEST, OWNER)
    assert answer.citations[0].page is None


async def test_an_author_that_fails_is_not_taken_for_a_finished_answer():
    author = Author(Written("x", (LEAVE,)), error=EmbedderUnavailable("The model sleeps."))
    with pytest.raises(EmbedderUnavailable):
        await asker_of(Searcher(HIT), author).ask(REQUEST, OWNER)
