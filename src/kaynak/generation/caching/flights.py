from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeAlias, TypeVar

EventT = TypeVar("EventT")
Make: TypeAlias = Callable[[asyncio.Event], AsyncGenerator[EventT, None]]


class Flights(Generic[EventT]):
    """Makes one stream for all who want the same at the same time.

    Whoever comes later gets what was said so far at once, and then the rest as it comes. Nobody waits for another
    reader; when the last of them leaves, the work is cancelled. It is asked to end early when all who read it ask for
    that: one reader does not end what another one waits for.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[EventT]] = {}

    def joins(self, key: str) -> bool:
        """Returns whether the stream of ``key`` is being made already."""
        return key in self._flights

    async def stream(
        self, key: str, make: Make[EventT], stop: asyncio.Event | None = None
    ) -> AsyncGenerator[EventT, None]:
        """Yields what the stream of ``key`` yields.

        Args:
            key: Of the stream.
            make: Begins it, if nobody has; gets an event that is set when it is to end early.
            stop: Set by this reader when it is to end early.

        Raises:
            Exception: What the stream raised, to each of its readers.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, make))
        reader = flight.board(stop)
        try:
            at = 0
            while True:
                news = flight.news
                while at < len(flight.events):
                    at += 1
                    yield flight.events[at - 1]
                if flight.landed and at == len(flight.events):
                    break
                if news is flight.news:
                    await news.wait()
            if flight.error is not None:
                raise flight.error
        finally:
            flight.leave(reader)
            if not flight.readers and not flight.landed:
                self._leave(key, flight)
                flight.task.cancel()
                await asyncio.gather(flight.task, return_exceptions=True)

    async def _fly(self, key: str, flight: _Flight[EventT], make: Make[EventT]) -> None:
        try:
            async with aclosing(make(flight.stop)) as events:
                async for event in events:
                    flight.events.append(event)
                    flight.tell()
        except Exception as exc:
            flight.error = exc
        finally:
            self._leave(key, flight)
            flight.landed = True
            flight.tell()

    def _leave(self, key: str, flight: _Flight[EventT]) -> None:
        """Forgets a flight: who comes from now on begins anew."""
        if self._flights.get(key) is flight:
            del self._flights[key]


class _Reader:
    """Who listens. ``stopping``: whether he asks for an early end."""

    def __init__(self) -> None:
        self.stopping = False
        self.watching: asyncio.Task[None] | None = None


class _Flight(Generic[EventT]):
    """A stream that is being made: what it said, and who listens."""

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.events: list[EventT] = []
        self.error: Exception | None = None
        self.landed = False
        self.readers: set[_Reader] = set()
        self.news = asyncio.Event()
        self.stop = asyncio.Event()

    def tell(self) -> None:
        """Wakes all readers."""
        self.news, told = asyncio.Event(), self.news
        told.set()

    def board(self, stop: asyncio.Event | None) -> _Reader:
        """Takes in a reader, who asks for an early end once ``stop`` is set."""
        reader = _Reader()
        self.readers.add(reader)
        if stop is not None:
            reader.watching = asyncio.create_task(self._watch(reader, stop))
        return reader

    def leave(self, reader: _Reader) -> None:
        """Lets a reader go; what only he wanted to go on may end."""
        self.readers.discard(reader)
        if reader.watching is not None:
            reader.watching.cancel()
        self._stop_if_all_ask()

    async def _watch(self, reader: _Reader, stop: asyncio.Event) -> None:
        await stop.wait()
        reader.stopping = True
        self._stop_if_all_ask()

    def _stop_if_all_ask(self) -> None:
        if self.readers and all(reader.stopping for reader in self.readers):
            self.stop.set()
