"""Workers killed without warning, again and again: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import random
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from kaynak.domain import OWNER, JobState, VersionState
from kaynak.testing import doomed_worker
from kaynak.testing.workshop import Workshop

pytestmark = pytest.mark.anyio
KILLS = 50
NOTHING = (
    "SELECT count(*) FROM kaynak.document_versions WHERE state = 'pending'",
    "SELECT count(*) FROM kaynak.job_items WHERE outcome = 'pending'",
    """SELECT count(*) FROM kaynak.chunks k LEFT JOIN kaynak.embeddings e ON e.text_hash = k.text_hash
        WHERE e.vector IS NULL""",
    "SELECT count(*) FROM (SELECT revision FROM kaynak.change_log GROUP BY revision HAVING count(*) > 1) t",
    """SELECT c.revision - count(*) FROM kaynak.collections c
        JOIN kaynak.change_log l ON l.collection_id = c.id GROUP BY c.revision""",
)
"""Questions that are answered with 0 when all is well."""


def texts(turn: int) -> dict[str, str]:
    """Some documents stay as they are, most change in every turn, one is long."""
    bodies = {f"n{n:02}": f"Document {n} has a first sentence.\n\nIts second one is of turn {turn}." for n in range(20)}
    bodies |= {f"s{n}": f"Document {n} never changes." for n in range(3)}
    rules = (f"Rule {n} of turn {turn if n % 3 == 0 else 0} is a long sentence of its own." for n in range(36))
    return bodies | {"long": "\n\n".join(rules)}


async def assert_whole(workshop: Workshop, turn: int) -> None:
    """The catalog holds every document once, and both engines hold exactly what it holds."""
    made = await workshop.collections.get(OWNER, "handbook")
    await workshop.followers.catch_up(made.id, made.revision, 30)
    documents = await workshop.documents.list(OWNER, "handbook", limit=1000)
    wanted = texts(turn)
    assert sorted(document.external_id for document in documents) == sorted(wanted)
    held: set[int] = set()
    for document in documents:
        assert document.state is VersionState.READY, document
        whole = await workshop.documents.text(OWNER, document.id)
        assert whole.text == wanted[document.external_id]
        chunks = await workshop.documents.chunks(OWNER, document.id, limit=1000)
        assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
        assert all(whole.text[chunk.span.start : chunk.span.end] == chunk.text for chunk in chunks)
        assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(whole.text.split())
        held |= {chunk.id for chunk in chunks}
    for engine in (workshop.dense["pgvector"], workshop.lexical["tantivy"]):
        found = [one async for one, _ in engine.scan(made.generation.key)]
        assert len(found) == len(set(found))
        assert set(found) == held
    async with workshop.catalog.read() as unit:
        for question in NOTHING:
            assert (await unit.connection.execute(text(question))).scalar_one() == 0, question
    assert made.documents == len(documents)
    assert made.chunks == len(held)


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_workers_killed_at_every_stage_lose_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("forkserver")
    spawn.set_forkserver_preload(["kaynak.testing.doomed_worker"])
    workshop = await doomed_worker.workshop(database_url, tmp_path)
    dice = random.Random(7)
    places = itertools.cycle(dice.sample(sorted(doomed_worker.PLACES), len(doomed_worker.PLACES)))
    await workshop.collection()
    kills, turn = 0, -1
    job: UUID | None = None

    async def run(place: str | None) -> int:
        child = spawn.Process(
            target=doomed_worker.main, args=(database_url, tmp_path, job, place, dice.randrange(3)), daemon=True
        )
        child.start()
        async with asyncio.timeout(60):
            while child.is_alive():
                await asyncio.sleep(0.01)
        child.join()
        return child.exitcode or 0

    while kills < KILLS:
        if job is None or (await workshop.jobs.get(OWNER, job)).state.final:
            turn += 1
            sent = await workshop.send(texts(turn))
            assert sent.job is not None
            job = sent.job.id
        code = await run(next(places))
        assert code in {0, -9}
        kills += code == -9
    assert await run(None) == 0
    assert (await workshop.jobs.get(OWNER, job)).state is JobState.SUCCEEDED
    await assert_whole(workshop, turn)
    await doomed_worker.close(workshop)
