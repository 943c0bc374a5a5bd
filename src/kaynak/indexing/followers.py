from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

import structlog

from kaynak.catalog import CHANNEL, Catalog
from kaynak.domain import (
    CollectionNotFound,
    EngineUnavailable,
    Generation,
    GenerationNotFound,
    IndexSide,
    KaynakError,
)
from kaynak.indexing.finishing import Finishing
from kaynak.indexing.follower import Follower, Step
from kaynak.indexing.listening import listen
from kaynak.indexing.locks import host_of
from kaynak.indexing.parts import Parts
from kaynak.indexing.preparing import Preparing
from kaynak.indexing.reaching import BUSY_SECONDS, forget, reach
from kaynak.indexing.target import DenseTarget, LexicalTarget

POLL_SECONDS = 3.0
"""How often followers look without being told; notifications make them look at once."""
AT_A_TIME = 4
"""Indexes that one process writes at the same time."""

_BACKOFF_LEAST, _BACKOFF_MOST = 0.25, 30.0
_log = structlog.get_logger(__name__)

Failed = Callable[[str, IndexSide, KaynakError], None]
"""Told the engine, the side and what kept it from going on."""


class Followers:
    """Keeps the indexes of all active generations up with the change log. See `Follower`.

    Args:
        catalog: The truth.
        parts: The engines, and where locks lie.
        poll: Seconds between two looks without being told.
        failed: Told each time that a follower cannot go on.
    """

    def __init__(
        self, catalog: Catalog, parts: Parts, *, poll: float = POLL_SECONDS, failed: Failed | None = None
    ) -> None:
        self._catalog = catalog
        self._parts = parts
        self._poll = poll
        self._failed = failed
        self._followers: dict[int, tuple[Follower, ...]] = {}
        self._preparing = Preparing(catalog, parts.embedders)
        self._host = host_of(parts.locks)
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._dirty: set[UUID] = set()
        self._wake = asyncio.Event()
        self._look_everywhere = True
        self._built: set[int] = set()
        self._finishing = Finishing(self._tell, self._say_built, self.forget)
        # Steps of followers that are gone: they end by themselves.
        self._leaving: set[asyncio.Task[Step]] = set()
        # Those that were told of something new while they were at work.
        self._again: set[Follower] = set()

    def of(self, generation: Generation) -> tuple[Follower, ...]:
        """Returns the followers of a generation: of its dense and of its lexical index."""
        if generation.id not in self._followers:
            targets = (
                DenseTarget(generation, self._parts.dense_of(generation)),
                LexicalTarget(generation, self._parts.lexical_of(generation)),
            )
            self._followers[generation.id] = tuple(
                Follower(self._catalog, target, self._preparing, self._parts.locks, self._host) for target in targets
            )
        for follower in self._followers[generation.id]:
            follower.target.generation = generation  # another one may be searched by now
        return self._followers[generation.id]

    def forget(self, generation: Generation) -> None:
        """Stops following a generation that is gone."""
        gone = self._followers.pop(generation.id, ())
        self._finishing.leave(gone)
        for follower in gone:
            self._leaving = {task for task in self._leaving if not task.done()} | follower.working

    def wake(self, collection_id: UUID) -> None:
        """Makes `run` look at a collection at once: something is new, or an index was found damaged."""
        self._dirty.add(collection_id)
        self._wake.set()

    async def applied(self, collection_id: UUID) -> int:
        """Returns the revision that all indexes of the collection's active generation reflect.

        Raises:
            CollectionNotFound: There is no such collection.
            EngineUnavailable: An engine does not answer.
        """
        followers = self.of(await self._generation(collection_id))
        return min(await asyncio.gather(*(follower.revision() for follower in followers)))

    async def catch_up(
        self, collection_id: UUID, revision: int, timeout: float = 10.0, *, generation: Generation | None = None
    ) -> None:
        """Returns when the indexes reflect ``revision``; carries changes over itself if nobody else does.

        Those of ``generation``, or of the active one.

        Raises:
            CollectionNotFound: There is no such collection.
            RevisionTimeout: They did not in ``timeout`` seconds, or the collection has no such revision.
            EngineUnavailable: An engine did not answer in that time.
        """
        until = time.monotonic() + timeout
        followers = self.of(generation or await self._generation(collection_id))
        reaching = [asyncio.create_task(reach(follower, revision, until)) for follower in followers]
        try:
            await asyncio.gather(*reaching)
        finally:
            for task in reaching:
                task.cancel()  # when one failed or the caller left: nobody waits for the other any more
            await asyncio.gather(*reaching, return_exceptions=True)

    async def forget_documents(self, collection_id: UUID, documents: Sequence[UUID], timeout: float) -> None:
        """Returns when no index of any generation of the collection has these documents any more: they were deleted.

        Raises:
            CollectionNotFound: There is no such collection.
            RevisionTimeout: An index does not get that far in time.
            EngineUnavailable: An engine does not answer; the others have forgotten them.
        """
        until = time.monotonic() + timeout
        async with self._catalog.read() as unit:
            generations = await unit.generations.followed(collection_id)
            revision = await unit.changes.revision(collection_id)

        async def of_index(generation: Generation, side: int) -> None:
            await forget(self.of(generation)[side], documents, revision, until)

        done = await asyncio.gather(
            *(of_index(generation, side) for generation in generations for side in (0, 1)),
            return_exceptions=True,
        )
        for error in done:
            if isinstance(error, BaseException):
                raise error

    async def reach(self, follower: Follower, revision: int, timeout: float) -> None:
        """As `catch_up`, for one index."""
        await reach(follower, revision, time.monotonic() + timeout)

    async def fill(self, generation: Generation, seconds: float) -> None:
        """Helps for about ``seconds`` to fill the indexes of a generation that is being built.

        What keeps it from being filled is noted in the catalog, unless another process is at it.
        """
        until = time.monotonic() + seconds

        async def help_one(follower: Follower) -> None:
            try:
                step = Step.MORE
                while time.monotonic() < until and step is Step.MORE:
                    step = await follower.step()
                    if step is Step.MORE:
                        await follower.waits(follower.trouble)
                if step is Step.DONE and not follower.finished:
                    finishing = self._finishing.begin(follower)
                    await asyncio.wait({finishing}, timeout=max(0.0, until - time.monotonic()))
            except EngineUnavailable as error:
                _log.info("follower_waiting", generation=generation.key, error=error.message)
            except KaynakError as error:
                await follower.waits(f"{error.message} {error.hint or ''}".strip())

        await asyncio.gather(*(help_one(follower) for follower in self.of(generation)))
        with suppress(KaynakError):
            await self._say_built(generation)

    async def run(self, stop: asyncio.Event) -> None:
        """Follows until stopped; outlives a database or an engine that is away."""
        carrying: dict[Follower, asyncio.Task[None]] = {}
        listening = asyncio.create_task(listen(self._catalog.url, CHANNEL, self._heard))
        stopping = asyncio.create_task(stop.wait())
        self._look_everywhere = True
        try:
            while not stop.is_set():
                for follower in await self._behind():
                    if follower not in carrying or carrying[follower].done():
                        carrying[follower] = asyncio.create_task(self._carry(follower))
                    else:
                        self._again.add(follower)
                carrying = {follower: task for follower, task in carrying.items() if not task.done()}
                await self._wait(stopping)
        finally:
            tasks = [listening, stopping, *carrying.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.rest()

    async def rest(self, timeout: float = 10.0) -> None:
        """Waits for writes that have begun, and not for graphs; the engines must not be closed under either."""
        await self._finishing.rest()
        working = {task for pair in self._followers.values() for follower in pair for task in follower.working}
        working |= {task for task in self._leaving if not task.done()}
        if working:
            await asyncio.wait(working, timeout=timeout)

    async def _wait(self, stopping: asyncio.Task[bool]) -> None:
        waking = asyncio.create_task(self._wake.wait())
        try:
            done, _ = await asyncio.wait({waking, stopping}, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        if not done:
            self._look_everywhere = True
        self._wake.clear()

    def _heard(self, payload: str | None) -> None:
        if payload is None:
            self._look_everywhere = True
        else:
            self._dirty.add(UUID(payload))
        self._wake.set()

    async def _behind(self) -> list[Follower]:
        """Returns the followers that should look now."""
        everywhere, dirty = self._look_everywhere, self._dirty
        self._look_everywhere, self._dirty = False, set()
        try:
            if everywhere:
                async with self._catalog.read() as unit:
                    generations = await unit.generations.followed()
            else:
                async with self._catalog.read() as unit:
                    generations = [one for key in dirty for one in await unit.generations.followed(key)]
        except KaynakError as error:
            _log.warning("followers_waiting", error=error.type)
            self._look_everywhere = True
            return []
        found: list[Follower] = []
        for generation in generations:
            try:
                found += self.of(generation)
            except KaynakError as error:  # made with an engine that this process does not have
                _log.warning("generation_not_followed", generation=generation.key, error=error.type)
        return found

    async def _carry(self, follower: Follower) -> None:
        """Carries over all there is to one index; pauses longer and longer while the engine is away."""
        target = follower.target
        pause = _BACKOFF_LEAST
        while True:
            self._again.discard(follower)
            try:
                async with self._turns:
                    step = await follower.step()
                pause = _BACKOFF_LEAST
                if step is not Step.BUSY:
                    await follower.waits(follower.trouble)
                if step is Step.BUSY:
                    await asyncio.sleep(BUSY_SECONDS * 4)
                    if await follower.revision() >= await self._revision(target.generation.collection_id):
                        step = Step.DONE
                if step is Step.DONE and follower not in self._again:
                    if not follower.finished:
                        self._finishing.begin(follower)
                    await self._say_built(target.generation)
                    return
            except (CollectionNotFound, GenerationNotFound):
                self.forget(target.generation)
                return
            except KaynakError as error:
                _log.warning("follower_waiting", generation=target.key, side=target.side, error=error.type)
                self._tell(follower, error)
                with suppress(KaynakError):
                    await follower.waits(f"{error.message} {error.hint or ''}".strip())
                await asyncio.sleep(pause)
                pause = min(_BACKOFF_MOST, pause * 2)

    def _tell(self, follower: Follower, error: KaynakError) -> None:
        if self._failed is not None:
            self._failed(
                getattr(follower.target.generation.spec, follower.target.side).name, follower.target.side, error
            )

    async def _say_built(self, generation: Generation) -> None:
        """Says that a generation is built, once all its indexes are filled and finished."""
        if generation.active or generation.id in self._built:
            return
        latest = await self._revision(generation.collection_id)
        reached = [await follower.revision() and follower.once_finished for follower in self.of(generation)]
        if latest and not all(reached):
            return
        async with self._catalog.begin() as unit:
            await unit.generations.built(generation.id)
        self._built.add(generation.id)

    async def _generation(self, collection_id: UUID) -> Generation:
        async with self._catalog.read() as unit:
            return await unit.generations.active(collection_id)

    async def _revision(self, collection_id: UUID) -> int:
        async with self._catalog.read() as unit:
            return await unit.changes.revision(collection_id)
