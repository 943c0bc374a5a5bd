"""One task saves all answers that a process writes: a statement for those that are due, not one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from kaynak.catalog import Catalog, DraftText
from kaynak.domain import CatalogUnavailable

_log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 100
"""Drafts of a statement. Making it takes about 10 ms of the event loop."""
_TICKS = 10
"""Statements within a pace, where there are enough drafts for so many."""


class Saved(Protocol):
    """What is saved again and again."""

    @property
    def message_id(self) -> UUID:
        """Of the answer."""
        ...

    def unsaved(self) -> tuple[DraftText, int]:
        """Returns what is to be saved, and a number for it."""
        ...

    def was_saved(self, number: int, stop: bool | None) -> None:
        """Notes that it was saved, and what came back. See `kaynak.catalog.drafts.Drafts.save`."""
        ...


class Saver:
    """Saves drafts, each of them about once within ``pace``, from `add` to `remove`.

    What cannot be saved keeps none of the others from it, and is tried again.

    Args:
        catalog: Where they are kept.
        pace: Seconds between saves of a draft.
    """

    def __init__(self, catalog: Catalog, pace: float) -> None:
        self._catalog = catalog
        self._pace = pace
        self._due: dict[Saved, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._nobody = asyncio.Event()
        self._saving = asyncio.Lock()

    def add(self, draft: Saved) -> None:
        """Begins to save ``draft``."""
        self._due[draft] = asyncio.get_running_loop().time() + self._pace
        self._nobody.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._save_again_and_again())

    async def remove(self, draft: Saved) -> None:
        """Saves ``draft`` no more. A save that is under way comes to its end: to cancel it would cost its connection.

        Again and again does no harm.
        """
        self._due.pop(draft, None)
        if not self._due:
            self._nobody.set()
        async with self._saving:
            pass

    async def _save_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        while self._due:
            pause = max(self._pace / _TICKS, min(self._due.values()) - loop.time())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._nobody.wait(), pause)
            now = loop.time()
            drafts = [draft for draft, due in self._due.items() if due <= now]
            for start in range(0, len(drafts), _MOST_AT_ONCE):
                some = drafts[start : start + _MOST_AT_ONCE]
                async with self._saving:
                    await self._save([draft for draft in some if draft in self._due])
                for draft in self._due.keys() & some:
                    self._due[draft] = loop.time() + self._pace

    async def _save(self, drafts: Sequence[Saved]) -> None:
        try:
            await self._write(drafts)
        except CatalogUnavailable:
            _log.warning("answers_not_saved", messages=len(drafts))
        except Exception as error:
            if len(drafts) == 1:
                _log.error("answer_not_saved", message=str(drafts[0].message_id), error=type(error).__name__)
                return
            # One of them is such that the database does not take it.
            half = len(drafts) // 2
            await self._save(drafts[:half])
            await self._save(drafts[half:])

    async def _write(self, drafts: Sequence[Saved]) -> None:
        if not drafts:
            return
        unsaved = {draft: draft.unsaved() for draft in drafts}
        async with self._catalog.begin() as unit:
            told = await unit.drafts.save([text for text, _ in unsaved.values()])
        for draft, (_, number) in unsaved.items():
            if draft in self._due and draft.message_id in told:
                draft.was_saved(number, told[draft.message_id])
