from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

ItemT = TypeVar("ItemT")


async def until(stop: asyncio.Event | None, items: AsyncGenerator[ItemT, None]) -> AsyncGenerator[ItemT, None]:
    """Yields ``items`` until ``stop`` is set; then, and at the end, ``items`` is closed."""
    async with contextlib.aclosing(items):
        if stop is None:
            async for item in items:
                yield item
            return
        stopping = asyncio.ensure_future(stop.wait())
        pending: asyncio.Future[ItemT] | None = None
        try:
            while not stop.is_set():
                pending = asyncio.ensure_future(anext(items))
                await asyncio.wait({pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not pending.done():
                    return
                try:
                    item = pending.result()
                except StopAsyncIteration:
                    return
                yield item
        finally:
            stopping.cancel()
            if pending is not None and not pending.done():
                pending.cancel()
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                    await pending
