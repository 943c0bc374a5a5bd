from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from kaynak.domain import Answer, AnswerCompleted, AnswerEvent, AskRequest, PassagesFound, Scope, StatusChanged
from kaynak.generation.caching import Asking
from kaynak.generation.ending import answer_of
from kaynak.retrieval import Admission

_SAID_AFTER = 1.0
_SAID_AGAIN = 5.0


class QueuedAsker:
    """Has questions look for their passages a few at a time, in the order in which they came. See `Asking`.

    What a model writes afterwards takes no place: a thousand answers can be written at once. Who waits for the turn is
    told so (`StatusChanged` with stage ``waiting``), and who waits long for the passages too (``searching``): a
    connection does not lie silent.

    Args:
        inner: Answers.
        admission: Says whose turn it is.
    """

    def __init__(self, inner: Asking, admission: Admission) -> None:
        self._inner = inner
        self._admission = admission

    async def ask(self, request: AskRequest, scope: Scope) -> Answer:
        """See `Asker`."""
        return await answer_of(self.stream(request, scope))

    async def stream(
        self, request: AskRequest, scope: Scope, *, stop: asyncio.Event | None = None
    ) -> AsyncGenerator[AnswerEvent, None]:
        """See `Asker`.

        Raises:
            Busy: Too many questions wait already.
        """
        begin = time.perf_counter()
        with self._admission.enter() as ticket:
            pause = _SAID_AFTER
            while not await ticket.admitted(pause):
                if stop is not None and stop.is_set():
                    for event in _nothing(request, begin):
                        yield event
                    return
                yield StatusChanged("waiting", f"{ticket.ahead} questions are before this one")
                pause = _SAID_AGAIN
            async with aclosing(self._inner.stream(request, scope, stop=stop)) as events:
                first = asyncio.ensure_future(_next(events))
                try:
                    while not (await asyncio.wait({first}, timeout=_SAID_AGAIN))[0]:
                        yield StatusChanged("searching", request.search.query)
                finally:
                    await _ended(first)
                ticket.leave()
                yield first.result()
                async for event in events:
                    yield event


async def _next(events: AsyncGenerator[AnswerEvent, None]) -> AnswerEvent:
    return await anext(events)


async def _ended(task: asyncio.Future[AnswerEvent]) -> None:
    """Ends what is waited for, if nobody waits any more: its generator can be closed only then."""
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _nothing(request: AskRequest, begin: float) -> Iterator[AnswerEvent]:
    """Yields the answer that was stopped before it began."""
    yield PassagesFound(())
    yield AnswerCompleted(
        Answer(
            question=request.search.query,
            text="",
            sentences=(),
            citations=(),
            found=False,
            model="",
            hits=(),
            degraded=(),
            took_ms=round((time.perf_counter() - begin) * 1000, 3),
            partial=True,
        )
    )
