from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from kaynak.indexing.locks import local_lock

HOLDER = """
import asyncio, sys
from pathlib import Path
from kaynak.indexing.locks import local_lock

async def hold():
    async with local_lock(Path(sys.argv[1]), "g1-lexical") as held:
        print(held, flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


async def _try(folder: Path, key: str = "g1-lexical") -> bool:
    async with local_lock(folder, key) as held:
        return held


def test_one_holds_the_lock_and_death_lets_go_of_it(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        assert asyncio.run(_try(tmp_path)) is False
        assert asyncio.run(_try(tmp_path, "g2-lexical")) is True
        other.kill()
        other.wait()
    assert asyncio.run(_try(tmp_path)) is True


def test_one_that_waits_has_it_as_soon_as_the_other_lets_go(tmp_path: Path) -> None:
    async def wait() -> tuple[bool, bool]:
        begun = asyncio.Event()

        async def hold() -> None:
            async with local_lock(tmp_path, "g1-lexical"):
                begun.set()
                await asyncio.sleep(0.1)

        holding = asyncio.create_task(hold())
        await begun.wait()
        async with local_lock(tmp_path, "g1-lexical", 0.01) as first:
            pass
        async with local_lock(tmp_path, "g1-lexical", 10) as second:
            pass
        await holding
        return first, second

    assert asyncio.run(wait()) == (False, True)


def test_within_a_process_too(tmp_path: Path) -> None:
    async def nested() -> tuple[bool, bool]:
        async with local_lock(tmp_path, "g1-lexical") as first, local_lock(tmp_path, "g1-lexical") as second:
            return first, second

    assert asyncio.run(nested()) == (True, False)
    assert asyncio.run(_try(tmp_path)) is True
