from __future__ import annotations

import asyncio

from kaynak.api.sse import EventStream, frame, started


def test_a_frame_is_one_event_whatever_its_text():
    framed = frame("sentence", {"text": "a\n\nb\r\u2028"})
    assert framed.startswith(b"event: sentence\ndata: {")
    assert framed.count(b"\n") == 3
    assert framed.endswith(b"\n\n")


def test_silence_is_filled_with_comments_and_nothing_is_lost():
    async def slow():
        yield "one", 1
        await asyncio.sleep(0.12)
        yield "two", 2

    async def collect():
        stream = EventStream(await started(slow()), request_id="r", heartbeat=0.03)
        return b"".join([part async for part in stream.body_iterator])

    text = asyncio.run(collect()).decode()
    assert ": still here\n\n" in text
    assert text.index("event: one") < text.index(": still here") < text.index("event: two")


def test_a_reader_that_leaves_ends_the_work():
    closed = asyncio.Event()

    async def endless():
        try:
            while True:
                yield "tick", 1
                await asyncio.sleep(10)
        finally:
            closed.set()

    async def leave():
        body = EventStream(await started(endless()), request_id="r", heartbeat=0.01).body_iterator
        await anext(body)
        await anext(body)
        await body.aclose()
        assert closed.is_set()

    asyncio.run(leave())


def test_no_events_at_all_is_an_empty_stream():
    async def none():
        return
        yield "never", 0

    async def collect():
        stream = EventStream(await started(none()), request_id="r")
        return [part async for part in stream.body_iterator]

    assert asyncio.run(collect()) == []
