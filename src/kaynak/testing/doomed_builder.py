"""A process that fills an index generation, to be killed from outside at any moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kaynak.domain import OWNER
from kaynak.indexing import Indexes, follower, preparing
from kaynak.testing.doomed_worker import close, workshop
from kaynak.testing.fake_embedder import FakeEmbedder

OTHER = "other"
"""Name of the model of the generation."""


def main(url: str, folder: Path, number: int) -> None:
    """Fills a generation of the collection ``handbook`` in small portions, until it is built.

    Args:
        url: Of the database.
        folder: For originals, locks and indexes.
        number: Of the generation.
    """
    follower.CHANGES, follower.PREPARED, preparing.SLICE = 7, 3, 5
    asyncio.run(_build(url, folder, number))


async def _build(url: str, folder: Path, number: int) -> None:
    opened = await workshop(url, folder)
    opened.models.others[OTHER] = FakeEmbedder(24)
    indexes = Indexes(opened.catalog, opened.parts, opened.followers)
    async for _ in indexes.watch(OWNER, "handbook", number):
        pass
    await close(opened)
