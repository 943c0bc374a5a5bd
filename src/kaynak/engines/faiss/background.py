from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import faiss
import structlog

from kaynak.domain import KaynakError

_log = structlog.get_logger(__name__)

_AGAIN = 1.0
_AFTER_FAILURE = 30.0
"""Seconds before the same is tried again."""


class Background:
    """Work that no search and no write waits for, one piece after the other. Thread-safe.

    Args:
        threads: That faiss may use for it; None for half of the cores.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or max(1, (os.cpu_count() or 2) // 2)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}
        self._not_before: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(
            1, thread_name_prefix="faiss-build", initializer=faiss.omp_set_num_threads, initargs=(self._threads,)
        )

    def stopped(self) -> bool:
        """Returns whether what runs is to be given up."""
        return self._stopping.is_set()

    def do(self, key: str, work: Callable[[], object]) -> None:
        """Does something soon, unless the same is being done, or had no effect just now; work says whether it had."""
        with self._lock:
            known = self._running.get(key)
            if self.stopped() or known is not None or time.monotonic() < self._not_before.get(key, 0.0):
                return
            self._running[key] = self._pool.submit(self._run, key, work)

    def settle(self) -> None:
        """Returns when nothing is being done."""
        while True:
            with self._lock:
                running = list(self._running.values())
            if not running:
                return
            wait(running)

    def close(self) -> None:
        """Gives up what runs, and returns when it has ended."""
        with self._lock:
            self._stopping.set()
        self._pool.shutdown(cancel_futures=True)

    def _run(self, key: str, work: Callable[[], object]) -> None:
        pause = _AGAIN
        try:
            pause = 0.0 if work() else _AGAIN
        except KaynakError as exc:
            pause = _AFTER_FAILURE
            if not self.stopped():
                _log.warning("vector_index_not_built", index=key, error=exc.type, message=exc.message)
        except Exception:
            pause = _AFTER_FAILURE
            _log.exception("vector_index_not_built", index=key)
        finally:
            with self._lock:
                self._not_before[key] = time.monotonic() + pause
                self._running.pop(key, None)
