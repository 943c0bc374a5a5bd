"""Whoever fills an index is killed at any moment: the next one goes on, and nothing is lost or there twice."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
from pathlib import Path

import pytest

from kaynak.domain import OWNER, GenerationState, PartSpec
from kaynak.indexing import Doctor, Indexes, Wanted
from kaynak.testing import doomed_builder, doomed_worker
from kaynak.testing.fake_embedder import FakeEmbedder

pytestmark = pytest.mark.anyio
KILLS = int(os.environ.get("KAYNAK_KILLS", "12"))
SOME = {f"d{n:03}": f"Document {n} has one sentence.\n\nAnd it has another one, number {n}." for n in range(60)}


@pytest.mark.untraced
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_builders_killed_at_any_moment_lose_and_double_nothing(database_url: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("forkserver")
    spawn.set_forkserver_preload(["kaynak.testing.doomed_builder"])
    workshop = await doomed_worker.workshop(database_url, tmp_path)
    workshop.models.others[doomed_builder.OTHER] = FakeEmbedder(24)
    await workshop.collection()
    await workshop.bring(SOME)
    indexes = Indexes(workshop.catalog, workshop.parts, workshop.followers)
    dice = random.Random(11)
    wanted = Wanted(chunker=PartSpec("sentence", {"target_tokens": 6}), embedder=PartSpec(doomed_builder.OTHER))

    async def run(number: int, seconds: float | None) -> int:
        child = spawn.Process(target=doomed_builder.main, args=(database_url, tmp_path, number), daemon=True)
        child.start()
        if seconds is not None:
            await asyncio.sleep(seconds)
            child.kill()
        async with asyncio.timeout(120):
            while child.is_alive():
                await asyncio.sleep(0.01)
        child.join()
        return child.exitcode or 0

    kills, turn = 0, 0
    while kills < KILLS:
        turn += 1
        number = (await indexes.build(OWNER, "handbook", wanted)).id
        while kills < KILLS and (await indexes.get(OWNER, "handbook", number)).state is GenerationState.BUILDING:
            kills += await run(number, dice.uniform(0.05, 0.6)) == -9
            # Some of what was read before changes, goes, and comes meanwhile.
            await workshop.bring({f"d{dice.randrange(60):03}": f"New in turn {turn}, after {kills} kills. Longer."})
        assert await run(number, None) == 0
        built = await indexes.get(OWNER, "handbook", number)
        assert built.state is GenerationState.READY
        await workshop.followers.catch_up(
            built.generation.collection_id, built.revision, 30, generation=built.generation
        )
        doctor = Doctor(workshop.catalog, workshop.blobs, workshop.parts, workshop.followers)
        examination = await doctor.examine(OWNER)
        assert examination.findings == ()
        assert {f"pgvector g{number}", f"tantivy g{number}"} <= set(examination.checked)
        await indexes.remove(OWNER, "handbook", number)
    await doomed_worker.close(workshop)
