"""Streams that outlive their connection: what was sent is kept for a while, and sent again to whoever comes back.

How to use it, in a route::

    stream = await kaynak.streams.start(source, owner=scope.subject)   # an error before the first event is raised
    return ResumableStream(stream)                                     # kaynak.api.resuming; sets X-Stream-Id

``source`` is called with an `asyncio.Event` and returns the events: pairs of a name and encoded data. When the event
is set (someone stopped the stream, or nobody has read it for a while, or the server ends), the source is to come to
its end by itself: an answer then ends as partial. It is read by a task of its own to its end, whoever reads along, so
what it must do at its end (keep a message, say) it can do in its own ``finally``.
``GET /v1/streams/{id}`` with ``Last-Event-ID`` resumes any of them; ``DELETE`` stops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from kaynak.domain import NotFound, Unavailable

_log = structlog.get_logger(__name__)

Source: TypeAlias = Callable[[asyncio.Event], AsyncGenerator[tuple[str, bytes], None]]
"""Returns the events of a stream, which end early once the `asyncio.Event` is set."""

Check: TypeAlias = Callable[[], Awaitable[bytes | None]]
"""Returns what a stream ends with, as an ``error``, once its owner may not read it any more; None while they may."""

_CHECKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """One event of a stream. ``number`` counts from 1."""

    number: int
    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What streams may take.

    Attributes:
        streams: At once, running and ended.
        stream_bytes: Of one stream; beyond it the oldest events are forgotten.
        bytes: Of all streams; beyond it ended streams are forgotten, oldest first.
        keep_seconds: How long a stream can be read after its end.
        grace_seconds: How long a stream runs on when nobody reads it.
        closing_seconds: How long streams may take to end by themselves when the server ends.
        check_seconds: How often it is looked whether streams may still be read.
    """

    streams: int = 5000
    stream_bytes: int = 8 * 1024 * 1024
    bytes: int = 256 * 1024 * 1024
    keep_seconds: float = 120.0
    grace_seconds: float = 30.0
    closing_seconds: float = 3.0
    check_seconds: float = 2.0


class Stream:
    """One stream: its events so far, and whoever waits for more. Made by `Streams.start`.

    Attributes:
        id: Unguessable.
        owner: Whose it is; nobody else can read or stop it.
    """

    def __init__(self, owner: str, limits: StreamLimits) -> None:
        self.id = secrets.token_urlsafe(12)
        self.owner = owner
        self.bytes = 0
        self._limits = limits
        self.check: Check | None = None
        self._cut_off = False
        self._stop = asyncio.Event()
        self._events: deque[Kept] = deque()
        self._last = 0
        self._ended = False
        self._waiting: set[asyncio.Future[None]] = set()
        self._readers = 0
        self._alone: asyncio.TimerHandle | None = None

    @property
    def ended(self) -> bool:
        """Whether there will be no further events."""
        return self._ended

    def stop(self) -> None:
        """Asks the source to come to its end; what it still has to say can be read as before."""
        self._stop.set()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Holds for as long as someone reads; a stream that nobody reads is stopped after a while."""
        self._readers += 1
        self._accompanied()
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers and not self._ended:
                loop = asyncio.get_running_loop()
                self._alone = loop.call_later(self._limits.grace_seconds, self._abandoned)

    async def after(self, number: int, timeout: float) -> list[Kept] | None:
        """Waits for events after the one of ``number``, and returns them; none when the stream has ended.

        Args:
            number: Of the last event that was read; 0 for all.
            timeout: Seconds after which None is returned: nothing happened.

        Raises:
            NotFound: The events after ``number`` are forgotten already.
        """
        if self._last <= number and not self._ended:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                done, _ = await asyncio.wait({waiter}, timeout=timeout)
            finally:
                self._waiting.discard(waiter)
            if not done:
                return None
        if self._last <= number:
            return []
        if self._events[0].number > number + 1 and not self._cut_off:
            raise NotFound(
                "The stream cannot be resumed from there any more.", hint="Read it from a later event, or ask again."
            )
        return [event for event in self._events if event.number > number]

    def _append(self, name: str, data: bytes) -> int:
        """Keeps an event, and returns by how many bytes the stream has grown."""
        before = self.bytes
        self._last += 1
        # A copy: the encoder hands out 4 KB for a word, and what is kept here is counted by its length.
        self._events.append(Kept(self._last, name, bytes(memoryview(data))))
        self.bytes += len(data)
        while self.bytes > self._limits.stream_bytes and len(self._events) > 1:
            self.bytes -= len(self._events.popleft().data)
        self._wake()
        return self.bytes - before

    def _cut(self, data: bytes) -> None:
        """Forgets what was said, and ends with ``data``."""
        self._cut_off = True
        self.check = None
        self._events.clear()
        self.bytes = 0
        self._append("error", data)
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._accompanied()
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _accompanied(self) -> None:
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None

    def _abandoned(self) -> None:
        _log.info("stream_abandoned", stream=self.id)
        self.stop()


class Streams:
    """All streams of this process.

    Args:
        limits: What they may take.
    """

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self._limits = limits or StreamLimits()
        self._streams: dict[str, Stream] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._bytes = 0
        self._checking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._streams)

    async def start(self, source: Source, *, owner: str, check: Check | None = None) -> Stream:
        """Begins to read ``source``, and returns the stream once its first event is there.

        Args:
            source: What it says.
            owner: Whose it is.
            check: Asked again and again for as long as the stream is kept; None: whose it is may read it to its end.

        Raises:
            Unavailable: Too many streams run.
            KaynakError: Whatever the source raises before its first event.
        """
        self._make_room()
        stream = Stream(owner, self._limits)
        events = source(stream._stop)
        try:
            first = await anext(events)
        except StopAsyncIteration:
            stream._end()
            return stream
        except BaseException:
            await events.aclose()
            raise
        self._streams[stream.id] = stream
        self._keep(stream, *first)
        self._tasks[stream.id] = asyncio.create_task(self._read(stream, events))
        if check is not None:
            stream.check = check
            if self._checking is None or self._checking.done():
                self._checking = asyncio.create_task(self._check_again_and_again())
        with stream.reading():
            pass  # the grace begins now, should nobody come
        return stream

    def get(self, stream_id: str, owner: str) -> Stream:
        """Returns the stream.

        Raises:
            NotFound: There is none, or not any more, or it is someone else's.
        """
        stream = self._streams.get(stream_id)
        if stream is None or stream.owner != owner:
            raise NotFound("There is no such stream, or not any more.", hint="Ask again.")
        return stream

    async def close(self) -> None:
        """Stops all streams, and waits until they have ended."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        for stream in self._streams.values():
            stream.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._limits.closing_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for name in list(self._streams):
            self._forget(name)

    async def _check_again_and_again(self) -> None:
        while watched := [one for one in self._streams.values() if one.check is not None]:
            await asyncio.sleep(self._limits.check_seconds)
            for start in range(0, len(watched), _CHECKS_AT_ONCE):
                await asyncio.gather(*map(self._check, watched[start : start + _CHECKS_AT_ONCE]))

    async def _check(self, stream: Stream) -> None:
        if stream.check is None:
            return
        try:
            ending = await stream.check()
        except Exception:
            _log.exception("stream_not_checked", stream=stream.id)
            return
        if ending is None or stream.check is None or stream.id not in self._streams:
            return
        _log.info("stream_cut", stream=stream.id)
        before = stream.bytes
        stream._cut(ending)
        self._bytes += stream.bytes - before
        if stream.id in self._tasks:
            self._tasks[stream.id].cancel()

    async def _read(self, stream: Stream, events: AsyncGenerator[tuple[str, bytes], None]) -> None:
        try:
            async with contextlib.aclosing(events):
                async for name, data in events:
                    self._keep(stream, name, data)
        except Exception:
            # The source says its own errors as events; this one is a defect. Readers see a stream without its end.
            _log.exception("stream_failed", stream=stream.id)
        finally:
            stream._end()
            self._tasks.pop(stream.id, None)
            loop = asyncio.get_running_loop()
            self._timers[stream.id] = loop.call_later(self._limits.keep_seconds, self._forget, stream.id)

    def _keep(self, stream: Stream, name: str, data: bytes) -> None:
        self._bytes += stream._append(name, data)
        if self._bytes > self._limits.bytes:
            self._forget_ended(lambda: self._bytes <= self._limits.bytes)

    def _make_room(self) -> None:
        if len(self._streams) >= self._limits.streams:
            self._forget_ended(lambda: len(self._streams) < self._limits.streams)
        if len(self._streams) >= self._limits.streams:
            raise Unavailable("Too many answers are being written at once.", hint="Try again in a moment.")

    def _forget_ended(self, enough: Callable[[], bool]) -> None:
        for stream in [one for one in self._streams.values() if one.ended]:
            if enough():
                return
            self._forget(stream.id)

    def _forget(self, name: str) -> None:
        stream = self._streams.pop(name, None)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        if stream is not None:
            self._bytes -= stream.bytes
