from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from kaynak.catalog import JOBS_CHANNEL
from kaynak.indexing import listen


class Watchers:
    """Those who wait for changes of jobs. They share one connection, which is there while anyone waits."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._listening: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """Gives an event that is set when the job changed, or may have changed unheard."""
        changed = asyncio.Event()
        self._waiting.setdefault(str(job_id), set()).add(changed)
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(listen(self._url, JOBS_CHANNEL, self._heard))
        try:
            yield changed
        finally:
            self._waiting[str(job_id)].discard(changed)
            if not self._waiting[str(job_id)]:
                del self._waiting[str(job_id)]
            if not self._waiting:
                self._listening.cancel()
                self._listening = None

    def _heard(self, payload: str | None) -> None:
        keys = list(self._waiting) if payload is None else [payload]
        for key in keys:
            for changed in self._waiting.get(key, ()):
                changed.set()
