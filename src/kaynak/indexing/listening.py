from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import psycopg
import structlog

_RETRY_LEAST, _RETRY_MOST = 0.25, 15.0
_log = structlog.get_logger(__name__)


async def listen(url: str, channel: str, heard: Callable[[str | None], None]) -> None:
    """Calls ``heard`` with the payload of every notification, until cancelled; connects again for ever.

    What is said while the connection is away is not heard. So ``heard`` is called with None after every
    connecting, and the caller has to look for itself what it missed.

    Args:
        url: Of the database.
        channel: Where to listen; a name of ours.
        heard: Must not block.
    """
    pause = _RETRY_LEAST
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                url, autocommit=True, connect_timeout=10, application_name="kaynak-listener"
            )
            async with connection:
                await connection.execute(f"LISTEN {channel}")
                heard(None)
                pause = _RETRY_LEAST
                async for notice in connection.notifies():
                    heard(notice.payload)
        except (psycopg.Error, OSError) as error:
            _log.info("listener_waiting", channel=channel, error=type(error).__name__)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
        pause = min(_RETRY_MOST, pause * 2)
