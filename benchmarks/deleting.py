"""Ten thousand documents are deleted from a collection that several stores hold, and every store is looked into.

The collection is searched through pgvector and tantivy; generations in other engines stand beside. Half of the
documents go, by a filter. What is told: how long it took until no index had them any more and all had been looked into,
and what the doctor finds.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from common import machine
from kaynak.app import Kaynak
from kaynak.domain import OWNER, Examination, PartSpec, parse_filter
from kaynak.indexing import Wanted
from kaynak.ingestion import Upload
from kaynak.logs import configure_logs
from kaynak.settings import LogSettings, Settings
from search_http import passages


async def delete(folder: Path, engines: list[str], count: int) -> None:
    """Fills, deletes, and says what was found."""
    configure_logs("ERROR", "json")
    settings = Settings(data_dir=folder, log=LogSettings(level="ERROR"), _env_file=None)  # type: ignore[call-arg]
    async with Kaynak.open(settings, worker=True) as kaynak:
        stop = asyncio.Event()
        working = asyncio.create_task(kaynak.worker.run(stop))
        await kaynak.collections.create(OWNER, "bench")
        rows = passages(2 * count)
        for start in range(0, len(rows), 500):
            uploads = [
                Upload(
                    str(row["external_id"]),
                    f"{row['external_id']}.txt",
                    str(row["text"]).encode(),
                    metadata={"goes": number % 2 == 0},
                )
                for number, row in enumerate(rows[start : start + 500])
            ]
            sent = await kaynak.intake.submit(OWNER, "bench", uploads)
            assert sent.job is not None
            async for _ in kaynak.jobs.watch(OWNER, sent.job.id):
                pass
        for engine in engines:
            begun = await kaynak.indexes.build(OWNER, "bench", Wanted(dense=PartSpec(engine)))
            async for _ in kaynak.indexes.watch(OWNER, "bench", begun.id):
                pass
        condition = parse_filter({"goes": True})
        assert condition is not None
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.perf_counter()
        found, last = await kaynak.deleting.matching(OWNER, "bench", condition)
        assert found == count
        assert last is not None
        gone = [one async for one in kaynak.deleting.delete_matching(OWNER, "bench", condition, until=last)]
        took = time.perf_counter() - begin
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        traces = Examination.together([one.proof for one in gone])
        removed = sum(one.removed for one in gone)
        print(f"{machine()}; {removed:,} of {len(rows):,} documents deleted, and looked for, in {took:.1f} s")
        print(f"most memory grew by {grown / 1024:.0f} MB")
        print(f"traces: {[one.detail for one in traces.findings] or 'none'} in {', '.join(traces.checked)}")
        print(f"not looked at: {', '.join(traces.unchecked) or 'nothing'}")
        examined = await kaynak.doctor.examine(OWNER)
        print(f"doctor: {[(one.where, one.detail) for one in examined.findings] or 'nothing'}")
        stop.set()
        await working


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000, help="to be deleted; twice as many are there")
    parser.add_argument("--engines", default="faiss,qdrant", help="of the generations beside")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaynak-delete-") as scratch:
        asyncio.run(delete(Path(scratch), given.engines.split(","), given.documents))


if __name__ == "__main__":
    main()
