"""The threads that run a model, with a lane for queries that overtakes documents."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from kaynak.domain import EmbedderUnavailable

T = TypeVar("T")

QUERY_LANE = 0
DOCUMENT_LANE = 1
_LAST = 2


class ModelThreads:
    """Runs as many tasks at a time as the model can, those of the lower lane first, in order within a lane.

    Batches of documents are small, so that a query waits for one of them at most.

    Args:
        name: For the threads' names.
        count: How many threads.
    """

    def __init__(self, name: str, count: int = 1) -> None:
        self._tasks: queue.PriorityQueue[tuple[int, int, Callable[[], Any] | None, Future[Any]]]
        self._tasks = queue.PriorityQueue()
        self._order = itertools.count()
        self._closing = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"kaynak-{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, lane: int, task: Callable[[], T]) -> Future[T]:
        """Queues ``task``; cancelling the future before its turn skips it.

        Raises:
            EmbedderUnavailable: They are closed.
        """
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise EmbedderUnavailable("The embedding model is closed.")
            self._tasks.put((lane, next(self._order), task, future))
        return future

    def close(self) -> None:
        """Ends the threads after the running tasks; tasks still waiting fail. Blocks until they have ended."""
        with self._closing:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._tasks.put((_LAST, next(self._order), None, Future()))
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            _, _, task, future = self._tasks.get()
            if task is None:
                return
            if not future.set_running_or_notify_cancel():
                continue
            if self._closed:
                future.set_exception(EmbedderUnavailable("The embedding model was closed."))
                continue
            try:
                future.set_result(task())
            except BaseException as exc:  # the waiting caller must hear of it, whatever it is
                future.set_exception(exc)
            # Otherwise the last task's arrays would stay for as long as the thread waits for the next.
            del task, future
