"""A worker that is killed at a chosen place: for tests of what survives. Started by `multiprocessing`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from kaynak.catalog import Catalog
from kaynak.domain import OWNER, GenerationSpec, PartSpec
from kaynak.engines import EngineOptions, dense_engine, lexical_engine
from kaynak.indexing.taking import Taking
from kaynak.ingestion import detect_language, stages
from kaynak.ingestion.committing import Committing
from kaynak.ingestion.reading import Reading
from kaynak.jobs import Running
from kaynak.testing.fake_embedder import FakeEmbedder
from kaynak.testing.workshop import MEMORY, Workshop

# Loaded once, in the server that workers are forked from: each of them would spend most of its short life on it.
detect_language("This sentence is long enough to be looked at.")

REAL = GenerationSpec(MEMORY.chunker, MEMORY.embedder, PartSpec("pgvector"), PartSpec("tantivy"))

PLACES: dict[str, tuple[type, str, bool]] = {
    "start": (Running, "_start", False),
    "started": (Running, "_start", True),
    "parse": (Reading, "one", False),
    "chunked": (Reading, "one", True),
    "embed": (FakeEmbedder, "embed", False),
    "embedded": (FakeEmbedder, "embed", True),
    "saved": (Committing, "save", True),
    "commit": (Committing, "commit", False),
    "in commit": (Committing, "_publish", True),
    "committed": (Committing, "commit", True),
    "index": (Taking, "take", False),
    "indexed": (Taking, "take", True),
    "end": (Running, "_end", False),
    "ended": (Running, "_end", True),
}
"""Where a worker can be killed: a method, and whether after it."""


async def workshop(url: str, folder: Path) -> Workshop:
    """Opens a workshop with the default engines, small groups, and much patience."""
    catalog = await Catalog.open(url, pool_size=8)
    options = EngineOptions(url, folder)
    return Workshop(
        catalog,
        folder,
        {"pgvector": dense_engine("pgvector", options)},
        {"tantivy": lexical_engine("tantivy", options)},
        spec=REAL,
        pace=0.1,
        setbacks=1000,
    )


async def close(opened: Workshop) -> None:
    """Closes what `workshop` opened."""
    for engine in (*opened.dense.values(), *opened.lexical.values()):
        await engine.close()
    await opened.catalog.close()


def main(url: str, folder: Path, job: UUID, place: str | None, call: int) -> None:
    """Works until the job has ended, or until it is killed at a place.

    Args:
        url: Of the database.
        folder: For originals, locks and indexes.
        job: To be done.
        place: One of `PLACES`; None to live.
        call: How many times the place is passed before.
    """
    stages.GROUP_DOCUMENTS = 6
    # Otherwise there would be too few commits to be killed at.
    stages.COMMIT_GROUPS = 1 if call else 2
    stages.SLICE, stages.LARGE = 8, 16
    if place is not None:
        _arm(*PLACES[place], call)
    asyncio.run(_work(url, folder, job))


async def _work(url: str, folder: Path, job: UUID) -> None:
    opened = await workshop(url, folder)
    async with opened.working():
        async for _ in opened.jobs.watch(OWNER, job):
            pass
    await close(opened)


def _arm(owner: type, name: str, after: bool, call: int) -> None:
    method: Callable[..., Any] = getattr(owner, name)
    left = call

    async def doomed(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await method(*args, **kwargs)
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, doomed)
