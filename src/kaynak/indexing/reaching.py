from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from kaynak.domain import EngineUnavailable, RevisionTimeout
from kaynak.indexing.follower import Follower, Step

BUSY_SECONDS = 0.05
"""How long one waits at first while another process writes an index."""


async def reach(follower: Follower, revision: int, until: float) -> None:
    """Steps, or waits for another process that does, until the index reflects ``revision``."""
    if follower.known >= revision or await _quiet(follower) >= revision:
        return
    wait = BUSY_SECONDS
    unavailable: EngineUnavailable | None = None
    while True:
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                step = await follower.step()
            if follower.known >= revision:
                return
            if step is Step.DONE:
                raise RevisionTimeout(f"The collection has no revision {revision} yet.", hint="Ask for one it has.")
            if step is Step.MORE:
                continue
        except EngineUnavailable as error:
            unavailable = error
        except TimeoutError:
            pass
        if time.monotonic() >= until:
            if unavailable is not None:
                raise unavailable
            raise RevisionTimeout(
                f"The {follower.target.side} index has not reached revision {revision} yet.",
                hint="Try again in a moment.",
            )
        await asyncio.sleep(wait)
        wait = min(0.5, wait * 1.5)
        if await _quiet(follower) >= revision:
            return


async def forget(follower: Follower, documents: Sequence[UUID], revision: int, until: float) -> None:
    """Returns when the index has forgotten documents that were deleted by ``revision``.

    Raises:
        RevisionTimeout: It has not by then.
        EngineUnavailable: The engine does not answer.
    """
    # One that is being filled does not follow yet, and may have them.
    while not await follower.revision():
        patience = max(0.0, until - time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                if await follower.renew(documents, patience):
                    return
        if time.monotonic() >= until:
            raise RevisionTimeout("An index is just being filled.", hint="See how far it is: kaynak index list")
    await reach(follower, revision, until)


async def _quiet(follower: Follower) -> int:
    """Returns the revision of an index; what is known of it while the engine is away."""
    try:
        return await follower.revision()
    except EngineUnavailable:
        return follower.known
