"""Engines that live in files of this host do their blocking work on threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kaynak.domain import EngineUnavailable

T = TypeVar("T")


async def on_threads(pool: ThreadPoolExecutor, work: Callable[[], T], closed: str) -> T:
    """Returns what ``work`` returns, done on a thread of ``pool``.

    Args:
        pool: The threads.
        work: May block.
        closed: What to say where the engine is closed already.

    Raises:
        EngineUnavailable: It is.
    """
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
    except RuntimeError as exc:
        if "shutdown" in str(exc):
            raise EngineUnavailable(closed) from exc
        raise
