"""What the audit log costs: an event for each search, events of changes by many writers, and verifying.

Searches are stood for by their events alone, with ten documents each, written one after the other and by sixteen at a
time. Processor time is that of this process, in which the searches would run, and of all processes of the database.

    python benchmarks/audit.py --events 5000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import uvloop

from common import machine
from kaynak.auditing import Anchors, AuditLog, SegmentFiles
from kaynak.catalog import Catalog, EmbeddedPostgres
from kaynak.domain import OWNER, Action
from kaynak.logs import configure_logs

Write = Callable[[], Awaitable[None]]


def database_seconds(postmaster: int) -> float:
    """Returns the processor time of the children of the server so far."""
    children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False)
    ticks = 0
    for child in children.stdout.split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measured(what: str, write: Write, count: int, at_a_time: int, postmaster: int) -> None:
    """Prints what an event costs."""

    async def some() -> None:
        for _ in range(count // at_a_time):
            await write()

    begin = time.perf_counter(), time.process_time(), database_seconds(postmaster)
    await asyncio.gather(*(some() for _ in range(at_a_time)))
    wall = (time.perf_counter() - begin[0]) / count * 1000
    own = (time.process_time() - begin[1]) / count * 1000
    database = (database_seconds(postmaster) - begin[2]) / count * 1000
    print(
        f"{what}, {at_a_time:2d} at a time: processor ms {own + database:.2f} "
        f"(here {own:.2f}, database {database:.2f}), wait ms {wall * at_a_time:.2f}, events/s {1000 / wall:,.0f}",
        flush=True,
    )


async def run(folder: Path, events: int) -> None:
    server = EmbeddedPostgres.start(folder)
    postmaster = int(next(folder.rglob("postmaster.pid")).read_text().split()[0])
    catalog = await Catalog.open(server.url, pool_size=12)
    try:
        await catalog.migrate()
        async with catalog.begin() as unit:
            await unit.collections.create("handbook", "", None)
        documents = [str(uuid4()) for _ in range(10)]
        subject = f"user:{uuid4()}"

        async def search() -> None:
            words = await catalog.audit.query("how many days of leave")
            await catalog.audit.record(subject, Action.SEARCHED, "collection=handbook", documents=documents, **words)

        async def nothing() -> None:
            async with catalog.begin() as unit:
                await unit.connection.exec_driver_sql("SELECT pg_current_xact_id()")

        async def change() -> None:
            async with catalog.begin() as unit:
                await unit.connection.exec_driver_sql("SELECT pg_current_xact_id()")
                unit.audit.record(subject, Action.DOCUMENT_CHANGED, f"document:{documents[0]}", changed=["title"])

        for _ in range(100):
            await search()
        for at_a_time in (1, 16):
            await measured("search", search, events, at_a_time, postmaster)
        for at_a_time in (1, 8):
            await measured("transaction without an event", nothing, events // 5, at_a_time, postmaster)
            await measured("transaction with an event", change, events // 5, at_a_time, postmaster)
        log = AuditLog(catalog, SegmentFiles(folder / "audit"), Anchors(folder / "audit" / "anchors.jsonl"))
        begin = time.perf_counter()
        found = await log.verify(OWNER)
        spent = time.perf_counter() - begin
        print(f"verified {found.events:,} events, ok {found.ok}: {found.events / spent:,.0f} events/s")
    finally:
        await catalog.close()
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000, help="events of searches")
    arguments = parser.parse_args()
    configure_logs("WARNING", "text")
    print(machine())
    folder = Path(tempfile.mkdtemp(prefix="ka-", dir="/tmp"))
    folder.chmod(0o755)  # the server's account passes through
    try:
        uvloop.run(run(folder, arguments.events))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
