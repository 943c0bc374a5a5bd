"""Questions wait for their turn, are told so, and what is being written takes no turn."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from kaynak.domain import (
    OWNER,
    Answer,
    AnswerCompleted,
    AskRequest,
    Busy,
    PassagesFound,
    SearchRequest,
    StatusChanged,
    TextWritten,
)
from kaynak.generation import queueing
from kaynak.generation.queueing import QueuedAsker
from kaynak.retrieval import Admission

pytestmark = pytest.mark.anyio

REQUEST = AskRequest(SearchRequest("How long is leave?", ("handbook",)))
ANSWER = Answer("How long is leave?", "Long.", (), (), True, "m", (), (), 1.0)


class Slow:
    """Finds passages, and their end, when it is told to."""

    def __init__(self) -> None:
        self.looking = asyncio.Event()
        self.writing = asyncio.Event()
        self.begun = 0

    async def stream(self, request, scope, *, stop=None):
        self.begun += 1
        await self.looking.wait()
        yield PassagesFound(())
        yield TextWritten("Long.")
        await self.writing.wait()
        yield AnswerCompleted(ANSWER)


async def collect(asker, **more):
    async with aclosing(asker.stream(REQUEST, OWNER, **more)) as events:
        return [event async for event in events]


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_only_those_who_look_take_a_place():
    inner = Slow()
    asker = QueuedAsker(inner, Admission(2, 100))
    asking = [asyncio.create_task(asker.ask(REQUEST, OWNER)) for _ in range(10)]
    await settled()
    assert inner.begun == 2
    inner.looking.set()
    await settled()
    assert inner.begun == 10  # all are written at once
    inner.writing.set()
    assert await asyncio.gather(*asking) == [ANSWER] * 10


async def test_who_waits_is_told_so_again_and_again(monkeypatch):
    monkeypatch.setattr(queueing, "_SAID_AFTER", 0)
    monkeypatch.setattr(queueing, "_SAID_AGAIN", 0)
    inner = Slow()
    admission = Admission(1, 100)
    asker = QueuedAsker(inner, admission)
    with admission.enter():
        async with aclosing(asker.stream(REQUEST, OWNER)) as events:
            assert await anext(events) == StatusChanged("waiting", "0 questions are before this one")
            assert await anext(events) == StatusChanged("waiting", "0 questions are before this one")
    assert admission.enter().inside  # who leaves while waiting leaves nothing behind


async def test_a_question_that_is_stopped_while_it_waits_ends_as_partial(monkeypatch):
    monkeypatch.setattr(queueing, "_SAID_AFTER", 0)
    inner, stop = Slow(), asyncio.Event()
    stop.set()
    admission = Admission(1, 100)
    with admission.enter():
        passages, last = await collect(QueuedAsker(inner, admission), stop=stop)
    assert (passages, last.answer.partial, last.answer.text) == (PassagesFound(()), True, "")
    assert inner.begun == 0


async def test_a_question_too_many_is_refused_before_anything_is_sent():
    admission = Admission(1, 0)
    with admission.enter(), pytest.raises(Busy):
        await collect(QueuedAsker(Slow(), admission))


async def test_who_waits_long_for_the_passages_is_told_so_and_keeps_the_place(monkeypatch):
    monkeypatch.setattr(queueing, "_SAID_AGAIN", 0)
    inner, admission = Slow(), Admission(1, 0)
    inner.writing.set()
    async with aclosing(QueuedAsker(inner, admission).stream(REQUEST, OWNER)) as events:
        assert await anext(events) == StatusChanged("searching", "How long is leave?")
        with pytest.raises(Busy):
            admission.enter()
        inner.looking.set()
        rest = [event async for event in events if not isinstance(event, StatusChanged)]
    assert rest == [PassagesFound(()), TextWritten("Long."), AnswerCompleted(ANSWER)]
    inner.looking.clear()
    async with aclosing(QueuedAsker(inner, admission).stream(REQUEST, OWNER)) as events:
        await anext(events)
    assert admission.enter().inside  # who leaves meanwhile ends the search


async def test_an_error_before_the_first_event_stays_one():
    class Failing:
        async def stream(self, request, scope, *, stop=None):
            raise Busy("Not now.")
            yield

    with pytest.raises(Busy, match="Not now"):
        await collect(QueuedAsker(Failing(), Admission(1, 1)))
