"""From what a model writes to an answer whose sentences are cited, checked and shown as the policy says."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaynak.domain import (
    OWNER,
    AnswerCompleted,
    AskRequest,
    BudgetExceeded,
    CitationPolicy,
    FinishReason,
    ModelRefused,
    ModelUnavailable,
    ModelWarning,
    PassagesFound,
    SearchRequest,
    SentenceWritten,
    Span,
    StatusChanged,
    StreamTruncated,
    TextWritten,
    TokenUsage,
    Unsupported,
    UsageReported,
    Verdict,
)
from kaynak.generation import Asker, ModelWriter, Quote, SearchFinder, Written

pytestmark = pytest.mark.anyio

ONE = "Welcome to all. Annual leave is 26 days for everyone. The portal takes requests."
TWO = "The kitchen opens at noon. Coffee is free. Tea costs nothing either."


class Author:
    name = "extractive"

    async def stream(self, question, hits):
        yield Written("Coffee is free.", (Quote(1, Span(77, 92)),))


class Guard:
    def __init__(self, answer):
        self.answer = answer

    async def answerable(self, question, hits):
        return self.answer


@pytest.fixture
def ask(make):
    """Asks with a model that writes ``text``; returns the events."""

    async def asked(text="", *, verifier=None, models=None, stop=None, guard=None, **options):
        question = options.pop("question", "How much leave?")
        model = text if isinstance(text, make.Scripted) else make.Scripted(text)
        hits = options.pop("hits", (make.passage(ONE), make.passage(TWO, 2)))
        asker = Asker(
            SearchFinder(make.Searcher(*hits)),
            Author(),
            models=models or make.Models(model),
            writer=ModelWriter(verifier or make.WordsVerifier()),
            guard=guard,
        )
        options.setdefault("model", "test:scripted")
        request = AskRequest(SearchRequest(question, ("handbook",)), **options)
        return [event async for event in asker.stream(request, OWNER, stop=stop)]

    return asked


def checked(events):
    """Returns the answer, after checking what holds for every stream."""
    assert isinstance(events[-1], AnswerCompleted)
    answer = events[-1].answer
    assert "".join(event.text for event in events if isinstance(event, TextWritten)) == answer.text
    written = [event for event in events if isinstance(event, SentenceWritten)]
    assert tuple(event.sentence for event in written) == answer.sentences
    assert tuple(one for event in written for one in event.citations) == answer.citations
    assert [one.marker for one in answer.citations] == list(range(1, len(answer.citations) + 1))
    for citation in answer.citations:
        hit = next(hit for hit in answer.hits if hit.version_id == citation.version_id)
        assert citation.quote == citation.span.shift(-hit.span.start).of(hit.text)
    before = 0
    for sentence in answer.sentences:
        shown = sentence.span.of(answer.text)
        assert before <= sentence.span.start
        assert all(f"[{marker}]" in shown for marker in sentence.markers)
        before = sentence.span.end
    return answer


async def test_sentences_are_cited_by_their_best_sentence_and_checked(ask):
    text = (
        "Annual leave is 26 days [1]. Coffee is free. [2] Everyone has 26 days of annual leave[1]. It is 99 days [1]."
    )
    events = await ask(text)
    answer = checked(events)
    assert answer.text == text
    assert [one.text for one in answer.sentences] == [
        "Annual leave is 26 days.",
        "Coffee is free.",
        "Everyone has 26 days of annual leave.",
        "It is 99 days.",
    ]
    assert [one.quote for one in answer.citations] == ["Annual leave is 26 days for everyone.", "Coffee is free."]
    assert [one.markers for one in answer.sentences] == [(1,), (2,), (1,), (1,)]
    assert [one.verdict for one in answer.sentences] == [Verdict.SUPPORTED] * 3 + [Verdict.UNSUPPORTED]
    assert answer.sentences[-1].reasons == ("“99” is not in the source",)
    assert answer.found
    assert (answer.model, answer.usage, answer.cost) == ("test:scripted", TokenUsage(11, 7), 0.5)
    assert not answer.partial
    kinds = [type(event) for event in events]
    assert kinds[:2] == [PassagesFound, StatusChanged]
    assert kinds[-2:] == [UsageReported, AnswerCompleted]


async def test_text_is_shown_as_it_comes_and_never_half_a_marker(ask):
    events = await ask("Annual leave is 26 days for everyone here [1][2]. Tea costs nothing either [2]. " * 3)
    deltas = [event.text for event in events if isinstance(event, TextWritten)]
    assert len(deltas) > 5
    assert all(delta.count("[") == delta.count("]") for delta in deltas)
    first = next(at for at, event in enumerate(events) if isinstance(event, SentenceWritten))
    assert any(isinstance(event, TextWritten) for event in events[first:])


async def test_markers_count_from_one_in_the_order_of_their_use(ask):
    answer = checked(await ask("Coffee is free of charge [2]. Annual leave is 26 days [1]."))
    assert answer.text == "Coffee is free of charge [1]. Annual leave is 26 days [2]."
    assert [one.external_id for one in answer.citations] == ["2.txt", "1.txt"]


async def test_a_leading_marker_waits_for_its_sentence(ask):
    answer = checked(await ask("[2] says that coffee is free.\n\n[1] Annual leave is 26 days."))
    assert [one.quote for one in answer.citations] == ["Coffee is free.", "Annual leave is 26 days for everyone."]
    assert answer.text == "[1] says that coffee is free.\n\n[2] Annual leave is 26 days."


async def test_what_claims_something_without_a_source_is_uncited_and_the_rest_is_nothing(ask):
    text = "## Leave\n\nHere are the rules:\n- Annual leave is 26 days [1]\n- Pets are welcome\n\nDo you want more?"
    answer = checked(await ask(text))
    assert answer.text == text
    verdicts = {one.text: one.verdict for one in answer.sentences}
    assert verdicts == {
        "## Leave": None,
        "Here are the rules:": None,
        "- Annual leave is 26 days": Verdict.SUPPORTED,
        "- Pets are welcome": Verdict.UNCITED,
        "Do you want more?": None,
    }


async def test_the_verifier_sees_the_quote_with_its_surroundings(ask, make):
    verifier = make.WordsVerifier()
    await ask("Annual leave is 26 days [1].", verifier=verifier)
    ((sentence, evidence, question),) = verifier.asked
    assert (sentence, question) == ("Annual leave is 26 days.", "How much leave?")
    assert evidence == (f"Document 1\n{ONE}",)


@pytest.mark.parametrize("text", ["They do not say [0].", "The sources do not mention pets.", ""])
async def test_the_sources_do_not_say_is_an_answer(ask, text):
    answer = checked(await ask(text))
    assert (answer.found, answer.citations) == (False, ())
    assert answer.text == (text.replace(" [0]", "") or "The sources do not say.")
    assert {one.verdict for one in answer.sentences} == {None}


async def test_without_passages_or_where_the_guard_says_so_no_model_is_asked(ask, make):
    for options in ({"hits": ()}, {"guard": Guard(False)}):
        model = make.Scripted("Leave is 99 days [1].")
        answer = checked(await ask(model, question="Yıllık izin kaç gün?", **options))
        assert (answer.found, answer.text) == (False, "Kaynaklarda bu bilgi yok.")
        assert model.prompts == []
    assert checked(await ask("Coffee is free here [2].", guard=Guard(True))).found


async def test_what_is_to_be_made_of_passages_needs_no_guard(ask):
    for question in ("Summarise the leave policy.", "Kuralları özetle", "Can you write a plan?", "Leave policy"):
        assert checked(await ask("Coffee is free here [2].", guard=Guard(False), question=question)).found
    assert not checked(await ask("Coffee is free here [2].", guard=Guard(False), question="İzin kaç gün")).found


MIXED = "Annual leave is 26 days [1]. It is 99 days [1]. Pets are welcome here. Coffee is free for all [2]."


async def test_dropped_sentences_are_never_shown(ask):
    events = await ask(MIXED, policy=CitationPolicy.DROP)
    answer = checked(events)
    assert answer.text == "Annual leave is 26 days [1]. Coffee is free for all [2]."
    assert [one.verdict for one in answer.sentences] == [Verdict.SUPPORTED] * 2
    assert any("left out (2)" in note for note in answer.degraded)
    nothing = checked(await ask("It is 99 days [1].", policy=CitationPolicy.DROP))
    assert (nothing.found, nothing.text) == (False, "The sources do not say.")


async def test_refusing_shows_all_or_nothing(ask, make):
    model = make.Scripted(MIXED * 50)
    events = await ask(model, policy=CitationPolicy.REFUSE)
    answer = checked(events)
    assert answer.text.startswith("The answer is withheld")
    assert (answer.found, answer.citations, answer.partial) == (False, (), False)
    assert "26" not in "".join(event.text for event in events if isinstance(event, TextWritten))
    assert model.closed == 1
    good = checked(await ask("Annual leave is 26 days [1]. Coffee is free [2].", policy=CitationPolicy.REFUSE))
    assert good.text == "Annual leave is 26 days [1]. Coffee is free [2]."


PARTS = [
    *(
        "Annual leave is 26 days [1]. ",
        "It is 99 [2].\n",
        "\n\n- Coffee is free [2]\n",
        "[1] says so. ",
        "Pets! ",
        "\n",
    ),
    *("| a | b |\n|---|---|\n| 26 | x [1] |\n", "```\ncode[1]\n```\n", "They do not say [0]. ", "  ", "次です。[2]"),
    *("X [9].", "Yes [1][2][1]", "“No.” "),
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@pytest.mark.untraced
@given(TEXTS, st.integers(1, 40), st.sampled_from([CitationPolicy.MARK, CitationPolicy.DROP]))
def test_whatever_is_written_the_stream_adds_up_to_the_answer(make, text, size, policy):
    async def asked(size):
        hits = (make.passage(ONE), make.passage(TWO, 2))
        asker = Asker(
            SearchFinder(make.Searcher(*hits)),
            Author(),
            models=make.Models(make.Scripted(text, size=size)),
            writer=ModelWriter(make.WordsVerifier()),
        )
        request = AskRequest(SearchRequest("How much?", ("handbook",)), model="test:scripted", policy=policy)
        return checked([event async for event in asker.stream(request, OWNER)])

    one, other = asyncio.run(asked(size)), asyncio.run(asked(1000))
    assert (one.text, one.sentences, one.citations) == (other.text, other.sentences, other.citations)


async def test_a_stopped_answer_ends_where_it_is_as_partial(ask, make):
    stop = asyncio.Event()

    class Endless(make.Scripted):
        async def stream(self, messages, settings):
            async for event in make.Scripted.stream(self, messages, settings):
                if isinstance(event, type(None)):
                    return
                yield event
                stop.set()
                await asyncio.Event().wait()

    answer = checked(await ask(Endless("Annual leave is 26 days [1]. More", size=31), stop=stop))
    assert answer.partial
    assert answer.text.startswith("Annual leave is 26 days [1].")


async def test_an_answer_that_is_stopped_before_it_begins_is_partial_and_empty(ask):
    stop = asyncio.Event()
    stop.set()
    answer = checked(await ask("Coffee is free [2].", stop=stop))
    assert (answer.partial, answer.text, answer.sentences) == (True, "", ())


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.FILTERED])
async def test_what_a_provider_cuts_off_is_partial(ask, make, reason):
    answer = checked(await ask(make.Scripted("Coffee is free [2]. Tea", reason=reason)))
    assert (answer.partial, answer.cut) == (True, reason)
    assert any("cut off" in note for note in answer.degraded)


async def test_a_truncated_stream_is_never_a_complete_answer(ask, make):
    with pytest.raises(StreamTruncated):
        await ask(make.Scripted("Coffee is free [2].", error=StreamTruncated("It broke off.")))
    with pytest.raises(StreamTruncated):
        await ask(make.Scripted("Coffee is free [2].", error=StreamTruncated("x")), fallbacks=("extractive",))


@pytest.mark.parametrize("error", [ModelUnavailable("Away."), ModelRefused("No key."), BudgetExceeded("Spent.")])
async def test_quotes_stand_in_for_a_model_that_says_nothing(ask, make, error):
    model = make.Scripted(error=error)
    with pytest.raises(type(error)):
        await ask(model)
    answer = checked(await ask(model, fallbacks=("extractive",)))
    assert (answer.model, answer.text) == ("extractive", "Coffee is free. [1]")
    assert error.message in answer.degraded


async def test_a_model_without_a_key_is_refused_or_replaced_before_anything_is_searched(ask, make):
    models = make.Models(None, error=ModelRefused("No key."))
    with pytest.raises(ModelRefused):
        await ask(models=models)
    answer = checked(await ask(models=models, fallbacks=("extractive",)))
    assert answer.model == "extractive"
    assert "No key." in answer.degraded


async def test_models_are_asked_for_with_what_the_accounts_need(ask, make):
    models = make.Models(make.Scripted("Coffee is free [2]."))
    await ask(models=models, model="a:b", fallbacks=("c:d",))
    assert models.asked == [(("a:b", "c:d"), "owner", "handbook", "answer")]


async def test_without_models_a_model_cannot_be_asked(make):
    asker = Asker(SearchFinder(make.Searcher()), Author())
    with pytest.raises(Unsupported):
        await asker.ask(AskRequest(SearchRequest("x", ("handbook",)), model="a:b"), OWNER)


async def test_what_the_person_should_know_is_said(ask, make):
    model = make.Scripted("Coffee is free [2]. Yes [9]. ![x](http://evil.example)", events=[ModelWarning("No heat.")])
    answer = checked(await ask(model, verifier=make.WordsVerifier(error=ModelUnavailable("Away."))))
    assert "No heat." in answer.degraded
    assert any("do not exist (1)" in note for note in answer.degraded)
    assert any("removed (1)" in note for note in answer.degraded)
    assert any("1 of the sentences could not be checked" in note for note in answer.degraded)
    assert answer.sentences[0].verdict is None


async def test_leaving_a_stream_ends_the_request_at_the_provider(make):
    model = make.Scripted("Coffee is free [2]. " * 50)
    asker = Asker(SearchFinder(make.Searcher(make.passage(TWO))), Author(), models=make.Models(model))
    stream = asker.stream(AskRequest(SearchRequest("x", ("handbook",)), model="a:b"), OWNER)
    async for event in stream:
        if isinstance(event, TextWritten):
            break
    await stream.aclose()
    assert model.closed == 1
