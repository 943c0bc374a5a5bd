from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from kaynak.generation.caching.flights import Flights

pytestmark = pytest.mark.anyio


class Source:
    """A stream whose steps the test lets through."""

    def __init__(self, count=3, error=None):
        self.begun = self.ended = 0
        self.step = asyncio.Semaphore(0)
        self.count = count
        self.error = error

    async def stream(self, stop):
        self.begun += 1
        self.stop = stop
        try:
            for number in range(self.count):
                await self.step.acquire()
                if stop.is_set():
                    yield "stopped"
                    return
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1

    def all(self):
        for _ in range(self.count):
            self.step.release()


async def read(flights, key, source):
    async with aclosing(flights.stream(key, source.stream)) as events:
        return [event async for event in events]


async def test_one_stream_for_all_who_ask_at_once_and_another_for_who_comes_later():
    flights, source = Flights(), Source()
    readers = [asyncio.create_task(read(flights, "a", source)) for _ in range(20)]
    source.step.release()
    while not flights.joins("a"):
        await asyncio.sleep(0)
    late = asyncio.create_task(read(flights, "a", source))
    await asyncio.sleep(0)
    source.all()
    assert await asyncio.gather(*readers, late) == [[0, 1, 2]] * 21
    assert (source.begun, source.ended) == (1, 1)
    assert not flights.joins("a")
    again = Source()
    again.all()
    assert await read(flights, "a", again) == [0, 1, 2]
    assert again.begun == 1


async def test_other_questions_are_other_streams():
    flights, one, two = Flights(), Source(2), Source(3)
    one.all()
    two.all()
    found = await asyncio.gather(read(flights, "a", one), read(flights, "b", two))
    assert found == [[0, 1], [0, 1, 2]]


async def test_an_error_reaches_every_reader_after_what_came_before_it():
    flights, source = Flights(), Source(error=ValueError("no"))
    source.all()

    async def seen():
        events = []
        try:
            async with aclosing(flights.stream("a", source.stream)) as stream:
                async for event in stream:
                    events.append(event)
        except ValueError:
            events.append("error")
        return events

    assert await asyncio.gather(seen(), seen()) == [[0, 1, 2, "error"]] * 2


async def test_a_reader_who_leaves_does_not_disturb_the_others():
    flights, source = Flights(), Source()
    leaving = flights.stream("a", source.stream)
    staying = asyncio.create_task(read(flights, "a", source))
    source.step.release()
    assert await anext(leaving) == 0
    await leaving.aclose()
    assert source.ended == 0
    source.all()
    assert await staying == [0, 1, 2]


async def test_a_reader_who_does_not_read_does_not_hold_up_the_others():
    flights, source = Flights(), Source()
    source.step.release()
    idle = flights.stream("a", source.stream)
    assert await anext(idle) == 0
    reading = asyncio.create_task(read(flights, "a", source))
    await asyncio.sleep(0)
    source.all()
    assert await reading == [0, 1, 2]
    assert [event async for event in idle] == [1, 2]


async def test_the_work_stops_when_the_last_reader_leaves():
    flights, source = Flights(), Source()
    source.step.release()
    readers = [flights.stream("a", source.stream) for _ in range(2)]
    for reader in readers:
        assert await anext(reader) == 0
    await readers[0].aclose()
    assert source.ended == 0
    await readers[1].aclose()
    assert source.ended == 1
    assert not flights.joins("a")


async def test_a_cancelled_reader_leaves_as_any_other():
    flights, source = Flights(), Source()
    task = asyncio.create_task(read(flights, "a", source))
    while not flights.joins("a"):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not flights.joins("a")


async def test_it_ends_early_when_all_who_read_it_ask_for_that():
    flights, source = Flights(), Source()
    stops = [asyncio.Event(), asyncio.Event()]
    readers = [flights.stream("a", source.stream, stop) for stop in stops]
    source.step.release()
    assert [await anext(reader) for reader in readers] == [0, 0]
    stops[0].set()
    source.step.release()
    assert [await anext(reader) for reader in readers] == [1, 1]  # the other one still waits for it
    stops[1].set()
    await asyncio.wait_for(source.stop.wait(), 10)
    source.step.release()
    assert [await anext(reader) for reader in readers] == ["stopped", "stopped"]
    for reader in readers:
        await reader.aclose()


async def test_it_ends_early_when_the_only_one_who_does_not_ask_for_that_leaves():
    flights, source = Flights(), Source()
    stop = asyncio.Event()
    stopping, other = flights.stream("a", source.stream, stop), flights.stream("a", source.stream)
    source.step.release()
    assert [await anext(stopping), await anext(other)] == [0, 0]
    stop.set()
    await asyncio.sleep(0)
    assert not source.stop.is_set()
    await other.aclose()
    await asyncio.wait_for(source.stop.wait(), 10)
    source.step.release()
    assert [event async for event in stopping] == ["stopped"]
