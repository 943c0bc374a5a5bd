"""A few at a time, in the order in which they came, and a clear word where too many wait."""

from __future__ import annotations

import asyncio

import pytest

from kaynak.domain import OWNER, Busy, SearchRequest
from kaynak.retrieval import Admission, QueuedSearcher

pytestmark = pytest.mark.anyio


async def test_the_first_to_come_are_the_first_to_enter():
    admission = Admission(2, 10)
    order: list[int] = []

    async def one(number: int) -> None:
        with admission.enter() as ticket:
            await ticket.admitted()
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(8)))
    assert order == list(range(8))
    with admission.enter() as again, admission.enter() as other:
        assert (again.inside, other.inside) == (True, True)


async def test_no_more_are_in_than_there_are_places():
    admission = Admission(3, 100)
    inside = most = 0

    async def one() -> None:
        nonlocal inside, most
        with admission.enter() as ticket:
            await ticket.admitted()
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(one() for _ in range(50)))
    assert (inside, most) == (0, 3)


async def test_beyond_the_bound_it_says_when_to_come_again():
    admission = Admission(1, 1)
    with admission.enter() as first, admission.enter() as second:
        assert (first.inside, second.inside) == (True, False)
        with pytest.raises(Busy) as caught:
            admission.enter()
    assert caught.value.retry_after
    assert caught.value.hint
    with admission.enter() as now:
        assert now.inside


async def test_who_leaves_the_line_does_not_hold_it_up():
    admission = Admission(1, 10)
    first, second, third = (admission.enter() for _ in range(3))
    assert (second.ahead, third.ahead) == (0, 1)
    assert not await third.admitted(0)
    second.leave()
    second.leave()
    assert (third.ahead, third.inside) == (0, False)
    first.leave()
    first.leave()
    assert await third.admitted()
    third.leave()
    assert admission.enter().inside


async def test_a_place_that_came_with_a_cancellation_is_handed_on():
    admission = Admission(1, 10)
    first = admission.enter()

    async def wait() -> None:
        with admission.enter() as ticket:
            await ticket.admitted()
            raise AssertionError("it was cancelled")

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    first.leave()  # the place is given to the one that waits …
    waiting.cancel()  # … and is cancelled before it knows
    await asyncio.gather(waiting, return_exceptions=True)
    assert admission.enter().inside


async def test_searches_take_their_turns_and_failures_make_room():
    running = most = 0

    class Searching:
        async def search(self, request, scope, **_):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            if request.query == "bad":
                raise ValueError
            return request.query

        async def pages(self, scope, places):
            return [1]

        async def embedder_of(self, collection):
            return collection

    searcher = QueuedSearcher(Searching(), Admission(2, 100))
    asked = [SearchRequest("bad" if number % 3 else "good", ("c",)) for number in range(30)]
    found = await asyncio.gather(*(searcher.search(one, OWNER) for one in asked), return_exceptions=True)
    assert (most, sum(one == "good" for one in found), sum(isinstance(one, ValueError) for one in found)) == (2, 10, 20)
    assert await searcher.pages(OWNER, []) == [1]
    assert await searcher.embedder_of("c") == "c"
