"""Remembered answers are those that would be given now: never stale, never forbidden, never half."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import replace
from uuid import uuid4

import pytest

from kaynak.caching import MemoryCache
from kaynak.domain import (
    OWNER,
    AnswerCompleted,
    Answering,
    AskRequest,
    CitationPolicy,
    CollectionNotFound,
    InvalidQuery,
    Message,
    PassagesFound,
    Role,
    Scope,
    SearchRequest,
    SentenceWritten,
    TextWritten,
    TokenUsage,
    UsageReported,
)
from kaynak.generation import Asker, CatalogAnswerings, ExtractiveAnswerer, SearchFinder
from kaynak.generation.caching import CachedAsker, Likeness
from kaynak.retrieval import Moments

pytestmark = pytest.mark.anyio

QUESTION = "How many days of annual leave does everyone have?"


class Counting:
    """Counts the questions that reach it; may wait, fail, or change what is answered."""

    def __init__(self, inner):
        self.inner = inner
        self.asked = 0
        self.change = lambda answer: answer
        self.before = None

    async def ask(self, request, scope):
        raise AssertionError("only streams are asked for")

    async def stream(self, request, scope, *, stop=None):
        self.asked += 1
        if self.before is not None:
            await self.before()
        async with aclosing(self.inner.stream(request, scope, stop=stop)) as events:
            async for event in events:
                yield AnswerCompleted(self.change(event.answer)) if isinstance(event, AnswerCompleted) else event


def asker(world):
    return Asker(
        SearchFinder(world.searcher), ExtractiveAnswerer(world.searcher), answerings=CatalogAnswerings(world.catalog)
    )


@pytest.fixture
async def handbook(world):
    handbook = await world.collection()
    world.leave = await world.add(handbook, "leave", ["Everyone has 26 days of annual leave.", "Leave ends in March."])
    world.coffee = await world.add(handbook, "coffee", ["Coffee is free for all in the kitchen."])
    await world.index(handbook)
    return handbook


@pytest.fixture
def cache():
    return MemoryCache(1_000_000)


@pytest.fixture
def counting(world):
    return Counting(asker(world))


def cached_on(world, counting, cache, **more):
    return CachedAsker(counting, cache, Moments(world.catalog, world.parts), seconds=60, **more)


@pytest.fixture
def cached(world, counting, cache):
    return cached_on(world, counting, cache)


def ask(question=QUESTION, collections=("handbook",), **more):
    return AskRequest(SearchRequest(question, collections), **more)


def plain(answer):
    """What an answer says, without how it came about."""
    return replace(answer, took_ms=0.0, cached=None, usage=None, cost=None)


async def test_the_second_time_nothing_is_written(handbook, cached, counting):
    first = await cached.ask(ask(), OWNER)
    second = await cached.ask(ask(), OWNER)
    assert first.found
    assert (first.cached, second.cached) == (None, "exact")
    assert plain(first) == plain(second)
    assert counting.asked == 1


async def test_a_remembered_answer_is_streamed_as_it_was_written(handbook, cached):
    async def events():
        async with aclosing(cached.stream(ask(), OWNER)) as stream:
            return [event async for event in stream]

    kinds = (PassagesFound, TextWritten, SentenceWritten)
    first, second = [[event for event in await events() if isinstance(event, kinds)] for _ in range(2)]
    assert first == second


async def test_what_was_used_is_counted_once(handbook, cached, counting):
    usage = TokenUsage(100, 20)
    counting.change = lambda answer: replace(answer, usage=usage, cost=0.5)
    first, second = await cached.ask(ask(), OWNER), await cached.ask(ask(), OWNER)
    assert (first.usage, first.cost) == (usage, 0.5)
    assert (second.usage, second.cost) == (None, 0.0)


async def test_whatever_a_request_says_is_another_question(handbook, cached, counting, world):
    requests = [
        ask(),
        ask(QUESTION.lower()),
        ask(history=(Message(Role.USER, "Hello"),)),
        ask(policy=CitationPolicy.DROP),
        replace(ask(), search=replace(ask().search, limit=3)),
    ]
    for request in requests:
        await cached.ask(request, OWNER)
    assert counting.asked == len(requests)
    for request in requests:
        assert (await cached.ask(request, OWNER)).cached == "exact"
    async with world.catalog.begin() as unit:
        await unit.collections.update(handbook.id, answering=Answering(policy=CitationPolicy.REFUSE))
    await cached.ask(ask(), OWNER)
    assert counting.asked == len(requests) + 1


async def test_another_version_of_what_writes_does_not_read_what_this_one_wrote(handbook, counting, cache, world):
    await cached_on(world, counting, cache, version="1").ask(ask(), OWNER)
    await cached_on(world, counting, cache, version="1").ask(ask(), OWNER)
    assert counting.asked == 1
    await cached_on(world, counting, cache, version="2").ask(ask(), OWNER)
    assert counting.asked == 2


async def test_who_wants_a_new_answer_gets_one_and_the_others_then_get_that(handbook, cached, counting):
    await cached.ask(ask(), OWNER)
    counting.change = lambda answer: replace(answer, steps=("new",))
    assert (await cached.ask(ask(fresh=True), OWNER)).steps == ("new",)
    known = await cached.ask(ask(), OWNER)
    assert (known.cached, known.steps) == ("exact", ("new",))
    assert counting.asked == 2


async def test_partial_and_degraded_answers_are_not_remembered(handbook, cached, counting):
    for wrong in ({"partial": True}, {"degraded": ("by words only",)}):
        counting.change = lambda answer, wrong=wrong: replace(answer, **wrong)
        asked = counting.asked
        for _ in range(2):
            await cached.ask(ask(), OWNER)
        assert counting.asked == asked + 2


async def test_failures_are_not_remembered(handbook, cached, counting):
    async def fail():
        raise RuntimeError("no")

    counting.before = fail
    with pytest.raises(RuntimeError):
        await cached.ask(ask(), OWNER)
    counting.before = None
    assert (await cached.ask(ask(), OWNER)).cached is None


async def test_nobody_gets_what_is_for_others(handbook, cached, counting):
    await cached.ask(ask(), Scope("ada", frozenset([handbook.id])))
    with pytest.raises(CollectionNotFound):
        await cached.ask(ask(), Scope("ada", frozenset([uuid4()])))
    await cached.ask(ask(), Scope("bob", frozenset([handbook.id])))
    assert counting.asked == 3


async def test_what_is_answered_while_the_indexes_lag_is_not_remembered(handbook, cached, world):
    await world.add(handbook, "more", ["Everyone has 2 days of annual leave more in leap years."])
    behind = await cached.ask(ask(), OWNER)
    assert "more" not in [hit.external_id for hit in behind.hits]
    await world.index(handbook)
    now = await cached.ask(ask(), OWNER)
    assert now.cached is None
    assert "more" in [hit.external_id for hit in now.hits]


async def test_forged_answers_do_not_pass(handbook, cached, counting, cache, world):
    first = await cached.ask(ask(), OWNER)
    (key,) = cache._entries
    citation, hit = first.citations[0], first.hits[0]
    forged = [
        replace(first, citations=(replace(citation, quote="Everyone has 99 days of annual leave."),)),
        replace(first, citations=(replace(citation, version_id=uuid4()),)),
        replace(first, hits=(replace(hit, chunk_ids=(10**9,)), *first.hits[1:])),
        replace(first, citations=(), hits=first.hits),
    ]
    for count, one in enumerate(forged, start=2):
        await cache.set(key, cached._values.dump(key, one), 60)
        assert plain(await cached.ask(ask(), OWNER)) == plain(first)
        assert counting.asked == count


async def test_the_same_question_at_the_same_time_is_answered_once(handbook, cached, counting):
    begun = asyncio.Event()

    async def wait():
        await begun.wait()

    counting.before = wait
    counting.change = lambda answer: replace(answer, usage=TokenUsage(9, 9), cost=1.0)
    asked = [asyncio.create_task(cached.ask(ask(), OWNER)) for _ in range(20)]
    other = asyncio.create_task(cached.ask(ask(), Scope("ada", frozenset([handbook.id]))))
    async with asyncio.timeout(30):
        while counting.asked < 2:
            await asyncio.sleep(0)
    begun.set()
    answers = await asyncio.gather(*asked)
    await other
    assert counting.asked == 2
    assert len({plain(answer).text for answer in answers}) == 1
    assert sum(answer.usage is not None for answer in answers) == 1


async def test_usage_is_not_told_to_those_who_joined(handbook, cached, counting):
    class Telling(Counting):
        async def stream(self, request, scope, *, stop=None):
            yield UsageReported("m", TokenUsage(1, 1), None)
            async for event in Counting.stream(self, request, scope, stop=stop):
                yield event

    cached._inner = Telling(counting.inner)

    async def told():
        async with aclosing(cached.stream(ask(), OWNER)) as stream:
            return [event async for event in stream if isinstance(event, UsageReported)]

    assert sorted(map(len, await asyncio.gather(told(), told(), told()))) == [0, 0, 1]


async def test_a_stopped_answer_is_partial_and_not_remembered(handbook, cached, counting):
    stop = asyncio.Event()
    ended = asyncio.Event()

    class Stopping(Counting):
        async def stream(self, request, scope, *, stop=None):
            await stop.wait()
            ended.set()
            async for event in Counting.stream(self, request, scope):
                yield event

    cached._inner = Stopping(counting.inner)
    cached._inner.change = lambda answer: replace(answer, partial=True)
    task = asyncio.create_task(anext(aiter(cached.stream(ask(), OWNER, stop=stop))))
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(task, 30)
    assert ended.is_set()
    cached._inner = counting
    assert (await cached.ask(ask(), OWNER)).cached is None


async def test_faults_are_those_of_the_question(handbook, cached):
    for request, error in ((ask(" "), InvalidQuery), (ask(collections=("nowhere",)), CollectionNotFound)):
        with pytest.raises(error):
            await cached.ask(request, OWNER)


NAMES = ("leave", "coffee", "travel", "pay")
SAID = (
    "Everyone has {n} days of annual leave.",
    "Coffee costs {n} cents in the kitchen.",
    "Travel is booked {n} days before.",
    "Pay comes on day {n} of the month.",
)
QUESTIONS = (
    QUESTION,
    "What does coffee cost in the kitchen?",
    "How many days before is travel booked?",
    "On which day of the month does pay come?",
)


@pytest.mark.untraced
@pytest.mark.parametrize("seed", range(6))
async def test_with_the_cache_everything_is_as_without(handbook, world, counting, seed):
    """Any sequence of changes and questions, of callers with different rights, with indexes that lag or do not."""
    chance = random.Random(seed)
    secret = await world.collection("secret")
    await world.add(secret, "pay", ["Pay of the board comes on day 3 of the month."])
    await world.index(secret)
    collections = {"handbook": handbook, "secret": secret}
    scopes = [OWNER, Scope("ada", frozenset([handbook.id])), Scope("bob", frozenset([handbook.id, secret.id]))]
    without = asker(world)
    likeness = Likeness(MemoryCache(1_000_000), world.pool, 0.8)
    cached = cached_on(world, counting, MemoryCache(1_000_000), likeness=likeness)

    async def outcome(one, request, scope):
        try:
            answer = plain(await one.ask(request, scope))
        except CollectionNotFound:
            return "not found"
        return replace(answer, hits=()), [hit.text for hit in answer.hits]

    remembered = 0
    for _ in range(50):
        where = chance.choice(["handbook", "handbook", "secret"])
        match chance.randrange(8):
            case 0:
                text = chance.choice(SAID).format(n=chance.randrange(2, 40))
                await world.add(collections[where], chance.choice(NAMES), [text, "Ask the office."])
                if chance.random() < 0.5:
                    await world.index(collections[where])
            case 1:
                async with world.catalog.read() as unit:
                    documents = await unit.documents.list(OWNER, where, limit=10)
                if documents:
                    await world.delete(collections[where], chance.choice(documents).id)
            case 2 | 3:
                await world.index(collections[where])
            case _:
                names = chance.choice([("handbook",), ("handbook",), ("secret",), ("handbook", "secret")])
                request, scope = ask(chance.choice(QUESTIONS), names), chance.choice(scopes)
                for _ in range(2):
                    before = counting.asked
                    found = await outcome(cached, request, scope)
                    remembered += found != "not found" and counting.asked == before
                    assert found == await outcome(without, request, scope)
    assert remembered > 0


def like(world, counting, cache, threshold=0.5):
    return cached_on(world, counting, cache, likeness=Likeness(cache, world.pool, threshold))


async def test_a_question_in_other_words_gets_the_remembered_answer_and_says_so(handbook, world, counting, cache):
    cached = like(world, counting, cache)
    first = await cached.ask(ask("How many days of annual leave are there?"), OWNER)
    second = await cached.ask(ask("please tell me how many days annual leave is there"), OWNER)
    assert counting.asked == 1
    assert second.cached == "semantic"
    assert second.question == "please tell me how many days annual leave is there"
    assert second.text == first.text
    (said,) = second.degraded
    assert "“How many days of annual leave are there?”" in said
    assert "0.5" in said
    third = await cached.ask(ask("please tell me how many days annual leave is there"), OWNER)
    assert third.cached == "semantic"  # what is like a question is not remembered as the answer to another one


@pytest.mark.parametrize(
    "other",
    [
        "How many days of annual leave are there not?",
        "How many hours of annual leave are there?",
        "How many days of annual leave are there in 2024?",
        "Why are there days of annual leave?",
    ],
)
async def test_questions_that_only_look_alike_are_answered_anew(handbook, world, counting, cache, other):
    cached = like(world, counting, cache, threshold=0.0)
    await cached.ask(ask("How many days of annual leave are there?"), OWNER)
    assert (await cached.ask(ask(other), OWNER)).cached is None


async def test_the_threshold_counts(handbook, world, counting, cache):
    cached = like(world, counting, cache, threshold=1.0)
    await cached.ask(ask("How many days of annual leave are there?"), OWNER)
    assert (await cached.ask(ask("How many days annual leave is there"), OWNER)).cached is None


async def test_alike_questions_of_others_and_of_before_a_change_are_not_found(handbook, world, counting, cache):
    cached = like(world, counting, cache)
    await cached.ask(ask("How many days of annual leave are there?"), OWNER)
    other = ask("how many days annual leave is there")
    assert (await cached.ask(other, Scope("ada", frozenset([handbook.id])))).cached is None
    assert (await cached.ask(replace(other, policy=CitationPolicy.DROP), OWNER)).cached is None
    await world.add(handbook, "leave", ["Everyone has 30 days of annual leave."])
    await world.index(handbook)
    answer = await cached.ask(other, OWNER)
    assert answer.cached is None
    assert "30 days" in answer.hits[0].text


async def test_damaged_lists_of_questions_are_no_list(handbook, world, counting, cache):
    cached = like(world, counting, cache)
    await cached.ask(ask("How many days of annual leave are there?"), OWNER)
    (bucket,) = [key for key in cache._entries if key.startswith("alike:")]
    entry = '{"question":"How many days annual leave is there","key":"answer:1","vector":"%s"}'
    for body in ("", "{}", '{"entries":[%s]}' % (entry % "!"), '{"entries":[%s]}' % (entry % "AAAA")):
        await cache.set(bucket, f"{bucket}\n{body}".encode(), 60)
        answer = await cached.ask(ask(f"how many days annual leave is there {body and ''}"), OWNER)
        assert answer.cached in (None, "exact")
