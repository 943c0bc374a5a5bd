"""A process that is killed while it writes leaves a log without gaps, that tells of what happened and no more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
from sqlalchemy import text

from kaynak.domain import OWNER, Action, AuditFilter

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys, uuid
from kaynak.catalog import Catalog
from kaynak.domain import OWNER

async def main():
    catalog = await Catalog.open(sys.argv[1], pool_size=4)
    async def work():
        while True:
            async with catalog.begin() as unit:
                made = await unit.collections.create(f"c-{uuid.uuid4()}", "", None)
                unit.audit.record(OWNER, "collection.created", f"collection:{made}", name="x")
            await catalog.audit.record("user:1", "search", f"collection:{made}", documents=[])
            print(made, flush=True)
    await asyncio.gather(*(work() for _ in range(4)))

asyncio.run(main())
"""


@pytest.mark.untraced
async def test_a_killed_writer_leaves_no_gap_and_no_lie(catalog, log) -> None:
    told: set[str] = set()
    for _ in range(2):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, catalog.url, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert writer.stdout is not None
        for _ in range(25):
            told.add((await writer.stdout.readline()).decode().strip())
        writer.send_signal(signal.SIGKILL)
        rest, _ = await writer.communicate()
        told |= set(rest.decode().split())
    found = await log.verify(OWNER)
    assert found.ok, found.findings
    async with catalog.read() as unit:
        there = set((await unit.connection.execute(text("SELECT id::text FROM kaynak.collections"))).scalars())
        events = await unit.audit_rows.oldest(AuditFilter(), after=0, last=2**62, limit=100_000)
    made = [event.object.partition(":")[2] for event in events if event.action == Action.COLLECTION_CREATED]
    searched = {event.object.partition(":")[2] for event in events if event.action == Action.SEARCHED}
    assert sorted(made) == sorted(there)
    assert told <= searched <= there
