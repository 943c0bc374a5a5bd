"""What lasts (an answer that is being written, a job that is followed) ends soon after its reader may not read it.

A request is checked when it comes. Who is signed out, loses a role, or is taken off a list of readers while an answer
is being written is found out by looking again, `CHECK_SECONDS` apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from kaynak.api.wire import dumps, problem_of
from kaynak.domain import OWNER, AnswerCompleted, Hit, KaynakError, NotFound, PassagesFound, Scope

if TYPE_CHECKING:
    from kaynak.app import Kaynak

CHECK_SECONDS = 2.0
"""How often it is looked again. What is revoked is to end within five seconds."""

Renew = Callable[[], Awaitable[Scope]]
"""Returns what the caller may do now; raises `Unauthenticated` if they are nobody any more."""
Look = Callable[[Scope], Awaitable[object]]
"""Raises if somebody of that scope may not go on reading."""
EventT = TypeVar("EventT")


class Guard:
    """Watches over what one caller reads for some time.

    Args:
        kaynak: The services.
        scope: What the caller could do when they came.
        renew: Tells what they can do now.
        look: What else to look at, each time.
    """

    def __init__(self, kaynak: Kaynak, scope: Scope, renew: Renew, look: Look | None = None) -> None:
        self._kaynak = kaynak
        self._renew = renew
        self._look = look
        self._documents: set[UUID] = set()
        self.needed = scope != OWNER
        """Whether there is anything to look at: what the local owner may do is not taken away."""

    async def check(self, scope: Scope | None = None) -> None:
        """Returns if the caller may still read all that was noted.

        Args:
            scope: What they may do; None: as it is now.

        Raises:
            Unauthenticated: They are signed out.
            NotFound: They may not read it any more, or it is gone.
        """
        if scope is None:
            scope = await self._renew()
        async with self._kaynak.catalog.read() as unit:
            allowed = await unit.documents.allowed(scope, list(self._documents))
        if allowed != self._documents:
            raise NotFound(
                "What the answer was being written from is not there any more, or not for you.", hint="Ask again."
            )
        if self._look is not None:
            await self._look(scope)

    async def ending(self, request_id: str) -> bytes | None:
        """Returns the problem document that a stream is to end with; None if it may go on. See `Streams.start`."""
        try:
            await self.check()
        except KaynakError as error:
            return None if error.transient else dumps({**problem_of(error), "request_id": request_id})
        return None

    async def settle(self, took_ms: float) -> None:
        """Looks once more before an answer leaves whose writing took long.

        Raises:
            KaynakError: As `check`.
        """
        if self.needed and took_ms > CHECK_SECONDS * 1000:
            await self.check()

    async def note(self, events: AsyncGenerator[EventT, None]) -> AsyncGenerator[EventT, None]:
        """Yields ``events``, and notes the documents of the passages that they are written from."""
        async with aclosing(events):
            async for event in events:
                if isinstance(event, PassagesFound):
                    self.rests_on(event.hits)
                elif isinstance(event, AnswerCompleted):
                    self.rests_on(event.answer.hits)
                yield event

    def rests_on(self, hits: tuple[Hit, ...]) -> None:
        """Notes the documents of passages."""
        self._documents.update(hit.document_id for hit in hits)

    async def watch(self, events: AsyncGenerator[EventT, None]) -> AsyncGenerator[EventT, None]:
        """Yields ``events`` for as long as the caller may read them.

        Raises:
            KaynakError: As `check`; ``events`` are closed then.
        """
        noted = self.note(events)
        if not self.needed:
            async with aclosing(noted):
                async for event in noted:
                    yield event
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + CHECK_SECONDS
        pending: asyncio.Task[EventT] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(noted))
                done, _ = await asyncio.wait({pending}, timeout=max(0.0, due - loop.time()))
                if loop.time() >= due:
                    await self._check_unless_away()
                    due = loop.time() + CHECK_SECONDS
                if done:
                    try:
                        event = pending.result()
                    except StopAsyncIteration:
                        return
                    pending = None
                    yield event
        finally:
            if pending is not None:
                pending.cancel()
                with suppress(BaseException):
                    await pending
            await noted.aclose()

    async def _check_unless_away(self) -> None:
        try:
            await self.check()
        except KaynakError as error:
            if not error.transient:  # who cannot be asked has revoked nothing
                raise


async def _next(events: AsyncGenerator[EventT, None]) -> EventT:
    return await anext(events)
