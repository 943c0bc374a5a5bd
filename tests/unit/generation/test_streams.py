from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from kaynak.api.wire import dumps
from kaynak.domain import InvalidQuery, NotFound, Unavailable
from kaynak.generation import StreamLimits, Streams

pytestmark = pytest.mark.anyio


class Source:
    """Says one event per permission, and “stopped” when it is stopped."""

    def __init__(self, *said, error=None):
        self.said = list(said)
        self.error = error
        self.more = asyncio.Semaphore(0)
        self.closed = False
        self.stop = None

    async def __call__(self, stop):
        self.stop = stop
        stopping = asyncio.ensure_future(stop.wait())
        try:
            for one in self.said:
                allowed = asyncio.ensure_future(self.more.acquire())
                await asyncio.wait({stopping, allowed}, return_when=asyncio.FIRST_COMPLETED)
                allowed.cancel()
                if stop.is_set():
                    yield "stopped", b"{}"
                    return
                yield "said", one
            if self.error:
                raise self.error
        finally:
            stopping.cancel()
            self.closed = True

    def allow(self, count=1):
        for _ in range(count):
            self.more.release()


async def everything(stream, after=0):
    found = []
    with stream.reading():
        while events := await stream.after(after, 5):
            found += events
            after = events[-1].number
    return [(one.number, one.name, one.data) for one in found]


async def test_two_readers_read_the_same_whenever_they_come():
    streams, source = Streams(), Source(b"a", b"b", b"c")
    source.allow()
    stream = await streams.start(source, owner="me")
    early = asyncio.create_task(everything(stream))
    source.allow(2)
    assert await early == [(1, "said", b"a"), (2, "said", b"b"), (3, "said", b"c")]
    assert stream.ended
    assert await everything(stream) == await early
    assert await everything(stream, 2) == [(3, "said", b"c")]
    assert source.closed
    await streams.close()
    assert len(streams) == 0


async def test_what_is_kept_takes_the_memory_that_it_is_counted_with():
    async def source(_stop):
        for _ in range(500):
            yield "said", dumps({"text": "word "})

    streams = Streams()
    tracemalloc.start()
    try:
        stream = await streams.start(source, owner="me")
        while not stream.ended:
            await asyncio.sleep(0)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stream.bytes < 10_000
    assert taken < 250_000  # what an event costs besides its text, not the 4 KB that the encoder reserves
    await streams.close()


async def test_a_stream_runs_on_without_a_reader_and_can_be_taken_up():
    streams, source = Streams(), Source(b"a", b"b")
    source.allow()
    stream = await streams.start(source, owner="me")
    with stream.reading():
        assert len(await stream.after(0, 5)) == 1
    source.allow()
    assert await everything(streams.get(stream.id, "me"), 1) == [(2, "said", b"b")]
    await streams.close()


async def test_a_stream_that_nobody_reads_is_stopped_and_says_its_end():
    streams, source = Streams(StreamLimits(grace_seconds=0.01)), Source(b"a", b"b")
    source.allow()
    stream = await streams.start(source, owner="me")
    await source.stop.wait()
    assert [name for _, name, _ in await everything(stream)] == ["said", "stopped"]
    await streams.close()


async def test_whoever_reads_keeps_it_alive():
    streams, source = Streams(StreamLimits(grace_seconds=0.01)), Source(b"a", b"b")
    source.allow()
    stream = await streams.start(source, owner="me")
    with stream.reading():
        assert await stream.after(1, 0.05) is None
        assert not source.stop.is_set()
    await streams.close()


async def test_stopping_lets_the_source_say_its_last_word():
    streams, source = Streams(), Source(b"a", b"b")
    source.allow()
    stream = await streams.start(source, owner="me")
    reading = asyncio.create_task(everything(stream))
    streams.get(stream.id, "me").stop()
    assert [name for _, name, _ in await reading] == ["said", "stopped"]
    await streams.close()


async def test_nobody_reads_the_stream_of_another():
    streams, source = Streams(), Source(b"a")
    source.allow()
    stream = await streams.start(source, owner="me")
    for name, owner in ((stream.id, "you"), ("unheard-of", "me")):
        with pytest.raises(NotFound):
            streams.get(name, owner)
    await streams.close()


async def test_an_error_before_the_first_event_is_raised_and_leaves_nothing():
    streams = Streams()
    with pytest.raises(InvalidQuery):
        await streams.start(Source(error=InvalidQuery("No.")), owner="me")
    assert len(streams) == 0


async def test_a_source_that_breaks_leaves_a_stream_without_its_end():
    streams, source = Streams(), Source(b"a", error=RuntimeError("defect"))
    source.allow()
    stream = await streams.start(source, owner="me")
    assert await everything(stream) == [(1, "said", b"a")]
    await streams.close()


async def test_ended_streams_are_forgotten_after_a_while():
    streams, source = Streams(StreamLimits(keep_seconds=0.01)), Source(b"a")
    source.allow()
    stream = await streams.start(source, owner="me")
    await everything(stream)
    while len(streams):
        await asyncio.sleep(0.005)
    with pytest.raises(NotFound):
        streams.get(stream.id, "me")


async def test_what_is_kept_is_bounded_in_number():
    streams, sources = Streams(StreamLimits(streams=2)), [Source(b"a", b"b") for _ in range(4)]
    for source in sources:
        source.allow()
    first = await streams.start(sources[0], owner="me")
    await streams.start(sources[1], owner="me")
    with pytest.raises(Unavailable):
        await streams.start(sources[2], owner="me")
    sources[0].allow()
    await everything(first)
    await streams.start(sources[3], owner="me")  # in the place of the one that has ended
    with pytest.raises(NotFound):
        streams.get(first.id, "me")
    await streams.close()


async def test_what_is_kept_is_bounded_in_bytes():
    streams = Streams(StreamLimits(stream_bytes=25, bytes=30))
    long, short = Source(*[b"x" * 10] * 4), Source(b"y" * 10)
    long.allow(4)
    stream = await streams.start(long, owner="me")
    while not stream.ended:
        await asyncio.sleep(0)
    with pytest.raises(NotFound, match="resumed"):
        await stream.after(0, 1)
    assert [one.number for one in await stream.after(2, 1)] == [3, 4]
    short.allow()
    await streams.start(short, owner="me")
    assert len(streams) == 2
    third = Source(b"z")
    third.allow()
    await streams.start(third, owner="me")  # the oldest that has ended makes room
    with pytest.raises(NotFound):
        streams.get(stream.id, "me")
    await streams.close()


async def test_the_end_of_the_server_is_the_end_of_all_streams():
    streams, source = Streams(), Source(b"a", b"b")
    source.allow()
    stream = await streams.start(source, owner="me")
    reading = asyncio.create_task(everything(stream))
    await asyncio.sleep(0)
    await streams.close()
    assert [name for _, name, _ in await reading] == ["said", "stopped"]


async def test_a_source_that_does_not_stop_is_cut_off():
    async def deaf(stop):
        yield "said", b"a"
        await asyncio.Event().wait()

    streams = Streams(StreamLimits(closing_seconds=0.01))
    stream = await streams.start(deaf, owner="me")
    await streams.close()
    assert stream.ended


async def test_a_stream_that_was_forgotten_while_it_was_looked_at_is_counted_once():
    streams, source = Streams(StreamLimits(check_seconds=0.01)), Source(b"a" * 1000)
    source.allow()
    looking, looked = asyncio.Event(), asyncio.Event()

    async def check() -> bytes:
        looking.set()
        await looked.wait()
        return b"{}"

    stream = await streams.start(source, owner="me", check=check)
    await everything(stream)
    await looking.wait()
    streams._forget(stream.id)
    looked.set()
    await asyncio.sleep(0.05)
    assert streams._bytes == 0
    await streams.close()
