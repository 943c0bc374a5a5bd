"""Who may search now: a few at a time, the others in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from kaynak.domain import Busy, Collection, Scope, SearchRequest, SearchResult, Span
from kaynak.embedding import Embedder
from kaynak.retrieval.cached import Looking
from kaynak.retrieval.sides import Vector

_RETRY_SECONDS = 5.0


class Admission:
    """Lets some in at a time, first come first served; the others wait, and beyond a bound they are refused.

    Without it a burst of questions takes all connections at once, waits for more, and all of them are late together.

    Args:
        places: How many are in at a time.
        waiting: How many may wait.
    """

    def __init__(self, places: int, waiting: int) -> None:
        self._free = places
        self._most = waiting
        self._line: dict[Ticket, None] = {}
        self._numbers = 0

    def enter(self) -> Ticket:
        """Returns a place in the line, or one inside; to be left at the end, as by a ``with`` block.

        Raises:
            Busy: Too many wait already.
        """
        self._numbers += 1
        ticket = Ticket(self, self._numbers)
        if self._free and not self._line:
            self._free -= 1
            ticket.admit()
        elif len(self._line) >= self._most:
            raise Busy(
                f"Too much is asked at once: {len(self._line)} wait already.",
                hint="Try again in some seconds.",
                retry_after=_RETRY_SECONDS,
            )
        else:
            self._line[ticket] = None
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Gives the place of ``ticket`` to whoever has waited longest. See `Ticket.leave`."""
        if not ticket.inside:
            self._line.pop(ticket, None)
        elif self._line:
            following = next(iter(self._line))
            del self._line[following]
            following.admit()
        else:
            self._free += 1

    def ahead_of(self, number: int) -> int:
        """Returns about how many came before the ticket of ``number`` and still wait."""
        first = next(iter(self._line), None)
        return 0 if first is None else max(0, number - first.number)


class Ticket:
    """A place in the line of an `Admission`.

    Attributes:
        number: Rises from ticket to ticket.
    """

    def __init__(self, admission: Admission, number: int) -> None:
        self.number = number
        self._admission = admission
        self._admitted = asyncio.Event()
        self._left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def inside(self) -> bool:
        """Whether it was this one's turn."""
        return self._admitted.is_set()

    @property
    def ahead(self) -> int:
        """About how many come before this one."""
        return self._admission.ahead_of(self.number)

    def admit(self) -> None:
        """Lets whoever waits with it in."""
        self._admitted.set()

    async def admitted(self, seconds: float | None = None) -> bool:
        """Waits for the turn, and returns whether it came within ``seconds``."""
        if not self.inside:
            try:
                async with asyncio.timeout(seconds):
                    await self._admitted.wait()
            except TimeoutError:
                pass
        return self.inside

    def leave(self) -> None:
        """Makes room for the next one. Again and again does no harm."""
        if not self._left:
            self._left = True
            self._admission.leave(self)


class Steered(Looking, Protocol):
    """Finds passages, also near vectors other than the query's own. See `kaynak.retrieval.Searcher`."""

    async def search(
        self,
        request: SearchRequest,
        scope: Scope,
        *,
        vectors: Mapping[str, Vector] | None = None,
        collections: Sequence[Collection] = (),
    ) -> SearchResult:
        """Returns the best passages that the caller may see."""
        ...


class QueuedSearcher:
    """Searches when it is the turn. See `Steered`.

    Args:
        inner: Searches.
        admission: Says whose turn it is.
    """

    def __init__(self, inner: Steered, admission: Admission) -> None:
        self._inner = inner
        self._admission = admission

    async def search(
        self,
        request: SearchRequest,
        scope: Scope,
        *,
        vectors: Mapping[str, Vector] | None = None,
        collections: Sequence[Collection] = (),
    ) -> SearchResult:
        """See `Searcher`.

        Raises:
            Busy: Too many searches wait.
        """
        with self._admission.enter() as ticket:
            await ticket.admitted()
            return await self._inner.search(request, scope, vectors=vectors, collections=collections)

    async def pages(self, scope: Scope, places: Sequence[tuple[UUID, Span]]) -> list[int | None]:
        """See `Searcher`."""
        return await self._inner.pages(scope, places)

    async def embedder_of(self, collection: str) -> Embedder:
        """See `Searcher`."""
        return await self._inner.embedder_of(collection)
