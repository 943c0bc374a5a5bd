from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest

from kaynak.catalog import CHANNEL
from kaynak.domain import OWNER, CollectionNotFound

pytestmark = pytest.mark.anyio


async def test_revisions_are_gapless_and_seen_in_order(library) -> None:
    """Many writers, some of which fail; a reader that follows never sees a number before a smaller one."""
    collection = await library.collection()
    stop = asyncio.Event()
    seen: list[int] = []

    async def follow() -> None:
        while True:
            ended = stop.is_set()
            async with library.catalog.read() as unit:
                changes = await unit.changes.since(collection.id, seen[-1] if seen else 0, 7)
            seen.extend(change.revision for change in changes)
            if ended and not changes:
                return
            await asyncio.sleep(0)

    async def write(number: int) -> int:
        try:
            async with library.catalog.begin() as unit:
                changes = [(uuid4(), "put" if i % 2 else "delete") for i in range(number % 4 + 1)]
                revision = await unit.changes.record(collection.id, changes)
                await asyncio.sleep(0.0005 * (number % 3))
                if number % 5 == 0:
                    raise ZeroDivisionError
                return revision
        except ZeroDivisionError:
            return 0

    follower = asyncio.create_task(follow())
    revisions = await asyncio.gather(*(write(number) for number in range(100)))
    stop.set()
    await follower
    total = sum(number % 4 + 1 for number in range(100) if number % 5)
    assert max(revisions) == total
    assert seen == list(range(1, total + 1))
    async with library.catalog.read() as unit:
        assert await unit.changes.revision(collection.id) == total


async def test_a_change_marks_its_documents(library) -> None:
    collection = await library.collection()
    first, _ = await library.version(collection, "a")
    second, _ = await library.version(collection, "b")
    async with library.catalog.begin() as unit:
        assert await unit.changes.record(collection.id, [(first, "put"), (second, "put"), (first, "put")]) == 3
        assert await unit.changes.record(collection.id, []) == 3
    async with library.catalog.read() as unit:
        assert (await unit.documents.get(OWNER, first)).revision == 3
        assert (await unit.documents.get(OWNER, second)).revision == 2
        changes = await unit.changes.since(collection.id, 1)
    assert [(c.revision, c.document_id, c.operation) for c in changes] == [(2, second, "put"), (3, first, "put")]


async def test_listeners_are_told_at_commit(library) -> None:
    collection = await library.collection()
    listener = await psycopg.AsyncConnection.connect(library.catalog.url, autocommit=True)
    await listener.execute(f"LISTEN {CHANNEL}")
    async with library.catalog.begin() as unit:
        await unit.changes.record(collection.id, [(uuid4(), "put")])
    told = [notify.payload async for notify in listener.notifies(timeout=5, stop_after=1)]
    assert told == [str(collection.id)]
    await listener.close()


async def test_unknown_collections(library) -> None:
    for changes in ([], [(uuid4(), "put")]):
        with pytest.raises(CollectionNotFound):
            async with library.catalog.begin() as unit:
                await unit.changes.record(uuid4(), changes)
