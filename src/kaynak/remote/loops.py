from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Ended(Exception):
    """The loop was closed before the work was done."""


class LoopThread:
    """An event loop in a thread of its own, for callers of any loop. Started with the first work.

    Connections belong to the loop that opened them. Callers may come from one loop after another, such as jobs do, and
    connections that are kept would be lost with each.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended = False

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Returns what ``work`` returns; whoever leaves cancels it.

        Raises:
            Ended: It was closed.
        """
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._started())
        except BaseException:
            work.close()
            raise
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._ended and (task is None or not task.cancelling()):
                raise Ended from None
            raise

    async def close(self) -> None:
        """Ends the thread, and with `Ended` what runs in it."""
        with self._starting:
            self._ended = True
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_cancel_all(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(self._thread.join)
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._ended:
                raise Ended
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
