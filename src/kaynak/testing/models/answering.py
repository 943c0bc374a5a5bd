"""One answer, with what is to go wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from kaynak.testing.models.exchange import Answered, Chat, Format, Refused, Script
from kaynak.testing.models.faults import Fault
from kaynak.testing.models.http import Responder

_REFUSALS = {
    Fault.RATE_LIMITED: Refused(429, "Rate limit reached for requests."),
    Fault.UNAUTHORIZED: Refused(401, "Incorrect API key provided."),
    Fault.NO_SUCH_MODEL: Refused(404, "The model does not exist."),
    Fault.OVERLOADED: Refused(503, "The service is overloaded."),
}
_LONG_LINE = 4 * 1024 * 1024
_AFTER_CUT = {
    Fault.CUT_MIDWAY,
    Fault.CLOSED,
    Fault.RESET,
    Fault.ERROR_FRAME,
    Fault.GARBAGE,
    Fault.LONG_LINE,
    Fault.STALL,
}


def refusal(fault: Fault | None, provider: str, chat: Chat, format_: Format) -> Refused | None:
    """Returns the error that ``fault`` answers with in place of an answer; None if it does not."""
    if fault is Fault.SETTING_REFUSED and "temperature" in chat.settings:
        return Refused(400, "'temperature' is not supported with this model.", setting="temperature")
    if fault is Fault.NO_CREDIT:
        if provider in {"openai", "azure"}:
            return Refused(429, "You exceeded your current quota.", code="insufficient_quota")
        return Refused(402, "Your credit balance is too low.")
    if fault is Fault.OVERLOADED and provider == "anthropic":
        return Refused(529, "Overloaded")
    return _REFUSALS.get(fault) if fault is not None else None


async def respond(responder: Responder, format_: Format, chat: Chat, answered: Answered, pace: Pace) -> None:
    """Sends the answer, streamed or whole as the caller asked, with the fault of ``pace``."""
    if pace.fault is Fault.HANG:
        await asyncio.Event().wait()
    elif pace.fault is Fault.EMPTY_BODY:
        await responder.start(format_.media_type)
        await responder.finish()
    elif pace.fault is Fault.ERROR_UNDER_200:
        document = format_.error(Refused(503, "The model is overloaded."))
        await responder.whole(200, json.dumps(document).encode(), "application/json", {})
    elif not chat.streamed:
        content = json.dumps(format_.plain(chat, pace.shaped(answered)), ensure_ascii=False).encode()
        await responder.whole(200, content, "application/json", {})
    else:
        await _stream(responder, format_, format_.script(chat, pace.shaped(answered)), pace)


class Pace:
    """How an answer is sent.

    Args:
        fault: What goes wrong.
        delay: Seconds before each word.
    """

    def __init__(self, fault: Fault | None, delay: float) -> None:
        self.fault = fault
        self.delay = 0.05 if fault is Fault.SLOW else delay

    def shaped(self, answered: Answered) -> Answered:
        """Returns the answer as far as it is to go."""
        if self.fault is Fault.NO_USAGE:
            return Answered(answered.words, None)
        if self.fault in {Fault.LENGTH, Fault.FILTERED}:
            reason = "length" if self.fault is Fault.LENGTH else "filtered"
            return Answered(answered.words[: len(answered.words) // 2], answered.usage, reason)
        return answered


async def _stream(responder: Responder, format_: Format, script: Script, pace: Pace) -> None:
    fault = pace.fault
    await responder.start(format_.media_type)
    if fault is Fault.PINGS:
        while True:
            await responder.send(script.alive)
            await asyncio.sleep(0.02)
    async for frame in _frames(script, pace):
        content = frame.replace(b"\n", b"\r\n") if fault is Fault.CRLF else frame
        await responder.send(content, bytewise=fault is Fault.SPLIT_UTF8)
    if fault is Fault.ERROR_FRAME:
        await responder.send(format_.error_frame(Refused(503, "The model went away in the middle.")))
    elif fault is Fault.GARBAGE:
        await responder.send(b'{"half": \n' if "ndjson" in format_.media_type else b'data: {"half": \n\n')
    elif fault is Fault.LONG_LINE:
        await responder.send(b"data: ")
        for _ in range(_LONG_LINE // 65536):
            await responder.send(b"x" * 65536)
        await asyncio.Event().wait()
    elif fault is Fault.STALL:
        await asyncio.Event().wait()
    elif fault is Fault.RESET:
        # The caller reads what was sent before; a reset that overtakes it is the same fault a little earlier.
        await asyncio.sleep(0.02)
        responder.reset()
        return
    elif fault is Fault.CLOSED:
        return
    await responder.finish()


async def _frames(script: Script, pace: Pace) -> AsyncIterator[bytes]:
    """Yields what is sent before the fault, or everything."""
    for frame in script.opening:
        yield frame
    for word in _until_fault(script.words, pace.fault):
        if pace.delay:
            await asyncio.sleep(pace.delay)
        if pace.fault is Fault.COMMENTS:
            yield script.alive
            yield b"\n"
        if pace.fault is Fault.EMPTY_CHOICES:
            yield script.nothing
        yield word
    if pace.fault in _AFTER_CUT:
        return
    for frame in script.closing:
        yield frame
    if pace.fault is not Fault.CUT_BEFORE_END:
        for frame in script.end:
            yield frame


def _until_fault(words: Sequence[bytes], fault: Fault | None) -> Sequence[bytes]:
    return words[: max(1, len(words) // 2)] if fault in _AFTER_CUT else words
