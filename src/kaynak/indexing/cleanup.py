"""What deletions and crashes leave without an owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

import structlog

from kaynak.catalog import BlobStore, Catalog, Removed
from kaynak.domain import Generation, KaynakError, NotFound
from kaynak.engines import Engine
from kaynak.indexing.parts import Parts

BLOB_AGE_SECONDS = 24 * 3600.0
"""Originals younger than this may belong to an upload that is still coming in."""

_AT_ONCE = 1000
_log = structlog.get_logger(__name__)


async def release(catalog: Catalog, blobs: BlobStore, removed: Removed) -> None:
    """Deletes the embeddings and originals that a deletion left without an owner.

    Runs after the deletion was committed, in transactions of its own: a crash in between leaves orphans, never
    documents without their parts.
    """
    if removed.text_hashes:
        async with catalog.begin() as unit:
            await unit.embeddings.collect_garbage(removed.text_hashes)
    if removed.content_hashes:
        async with catalog.begin() as unit:
            for content_hash in await unit.versions.release_contents(removed.content_hashes):
                await blobs.delete(content_hash)


async def drop_strangers(generations: Sequence[Generation], parts: Parts) -> int:
    """Drops the indexes of generations that are gone, and returns how many there were.

    It looks into the engines of the generations there are; the doctor looks into all.

    Numbers of generations are never used twice, so the gaps between the known ones are those that are gone. The
    newest are left alone: they may belong to a collection that is being made at this moment.
    """
    there = {one.id for one in generations}
    engines: set[Engine] = set()
    for generation in generations:
        with suppress(KaynakError):  # made with an engine that this process does not have
            engines |= {parts.dense_of(generation), parts.lexical_of(generation)}
    dropped = 0
    for number in range(1, max(there, default=0)):
        if number in there:
            continue
        for engine in engines:
            try:
                if await engine.exists(f"g{number}"):
                    await engine.drop(f"g{number}")
                    dropped += 1
            except KaynakError as error:
                _log.info("index_left", generation=f"g{number}", error=error.type)
    if dropped:
        _log.info("strange_indexes_dropped", count=dropped)
    return dropped


async def collect_orphans(catalog: Catalog, blobs: BlobStore, *, age: float = BLOB_AGE_SECONDS) -> None:
    """Deletes embeddings of no chunk, while no job is storing some ahead, and old originals of no version."""
    async with catalog.read() as unit:
        idle = not await unit.jobs.unfinished()
    if idle:
        async with catalog.begin() as unit:
            orphans = await unit.embeddings.orphans()
        for start in range(0, len(orphans), _AT_ONCE):
            async with catalog.begin() as unit:
                await unit.embeddings.collect_garbage(orphans[start : start + _AT_ONCE])
    batch: list[bytes] = []
    async for content_hash in blobs.scan():
        if await _old(blobs, content_hash, age):
            batch.append(content_hash)
        if len(batch) >= _AT_ONCE:
            await _release_blobs(catalog, blobs, batch)
            batch = []
    await _release_blobs(catalog, blobs, batch)


async def _release_blobs(catalog: Catalog, blobs: BlobStore, hashes: list[bytes]) -> None:
    if hashes:
        async with catalog.begin() as unit:
            for content_hash in await unit.versions.release_contents(hashes):
                await blobs.delete(content_hash)


async def _old(blobs: BlobStore, content_hash: bytes, age: float) -> bool:
    try:
        path = await blobs.open_path(content_hash)
        return time.time() - (await asyncio.to_thread(path.stat)).st_mtime >= age
    except (NotFound, FileNotFoundError):
        return False
