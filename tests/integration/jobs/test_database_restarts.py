"""The database goes away while documents come in, and comes back."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaynak.catalog import Catalog, EmbeddedPostgres
from kaynak.domain import OWNER, Job, JobState, Outcome
from kaynak.ingestion import stages
from kaynak.ingestion.committing import Committing
from kaynak.testing import doomed_worker
from kaynak.testing.folders import quick_folder

pytestmark = pytest.mark.anyio


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="kr-", dir=quick_folder()))
    folder.chmod(0o755)
    server = EmbeddedPostgres.start(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_job_survives_a_database_that_dies_while_it_commits(
    own_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = await Catalog.open(own_server.url, pool_size=1)
    await catalog.migrate()
    await catalog.close()
    workshop = await doomed_worker.workshop(own_server.url, tmp_path)
    made = await workshop.collection()
    deaths = _die_in_commits(own_server, monkeypatch, [1, 4, 9])
    seen: list[Job] = []

    async with workshop.working() as worker:
        restarting = asyncio.create_task(own_server.keep_running(0.3))
        sent = await workshop.send({f"n{n}": f"Document {n} has a sentence." for n in range(80)})
        assert sent.job is not None
        async with asyncio.timeout(90):
            async for job in workshop.jobs.watch(OWNER, sent.job.id):
                seen.append(job)
        restarting.cancel()
        assert not worker.done()
        job = seen[-1]
        assert (job.state, job.counts) == (JobState.SUCCEEDED, {Outcome.ADDED: 80})
        assert len(deaths) == 3
        assert job.attempts > len(deaths)
        after = await workshop.collections.get(OWNER, "handbook")
        assert (after.revision, after.documents) == (80, 80)
        await workshop.followers.catch_up(made.id, after.revision, 30)
        for engine in (workshop.dense["pgvector"], workshop.lexical["tantivy"]):
            assert await engine.count(made.generation.key) == after.chunks
    await doomed_worker.close(workshop)


def _die_in_commits(server: EmbeddedPostgres, patch: pytest.MonkeyPatch, numbers: list[int]) -> list[int]:
    """Kills the server inside those commits of a job, counted over all its starts; returns the list of deaths."""
    patch.setattr(stages, "GROUP_DOCUMENTS", 6)
    patch.setattr(stages, "COMMIT_GROUPS", 1)
    publish = Committing._publish
    calls = itertools.count()
    deaths: list[int] = []

    async def dying(self: Committing, *args: Any) -> Any:
        result = await publish(self, *args)
        if next(calls) in numbers:
            pid = server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            deaths.append(pid)
        return result

    patch.setattr(Committing, "_publish", dying)
    return deaths
