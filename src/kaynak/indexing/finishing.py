from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import structlog

from kaynak.domain import CollectionNotFound, Generation, GenerationNotFound, KaynakError
from kaynak.indexing.follower import Follower

_BACKOFF_LEAST, _BACKOFF_MOST = 0.25, 30.0
_log = structlog.get_logger(__name__)


class Finishing:
    """Lets engines finish indexes, such as build their graphs, while their followers go on.

    Args:
        failed: Told each time that an engine cannot.
        finished: Told of the generation when one has.
        gone: Told of a generation that is found to be gone.
    """

    def __init__(
        self,
        failed: Callable[[Follower, KaynakError], None],
        finished: Callable[[Generation], Awaitable[None]],
        gone: Callable[[Generation], None],
    ) -> None:
        self._failed = failed
        self._finished = finished
        self._gone = gone
        self._tasks: dict[Follower, asyncio.Task[None]] = {}

    def begin(self, follower: Follower) -> asyncio.Task[None]:
        """Returns the task that ends when the index is finished; one is begun if there is none."""
        known = self._tasks.get(follower)
        if known is None or known.done():
            known = self._tasks[follower] = asyncio.create_task(self._finish(follower))
        return known

    def leave(self, followers: Iterable[Follower]) -> None:
        """Gives up those of a generation that is gone."""
        for follower in followers:
            task = self._tasks.pop(follower, None)
            if task is not None and task is not asyncio.current_task():
                task.cancel()

    async def rest(self) -> None:
        """Gives up all of them; what their engines go on with is theirs."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _finish(self, follower: Follower) -> None:
        generation, pause = follower.target.generation, _BACKOFF_LEAST
        while True:
            try:
                await follower.finish()
                break
            except (CollectionNotFound, GenerationNotFound):
                self._gone(generation)
                return
            except KaynakError as error:
                _log.warning("index_not_finished", generation=generation.key, error=error.type)
                self._failed(follower, error)
                follower.trouble = f"{error.message} {error.hint or ''}".strip()
                with suppress(KaynakError):
                    await follower.waits(follower.trouble)
                await asyncio.sleep(pause)
                pause = min(_BACKOFF_MOST, pause * 2)
        follower.trouble = None
        with suppress(KaynakError):
            await self._finished(follower.target.generation)
