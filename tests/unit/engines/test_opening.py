from __future__ import annotations

import pytest

from kaynak.engines.memory import MemoryDense
from kaynak.engines.opening import Opening

pytestmark = pytest.mark.anyio


class Counted(MemoryDense):
    closed = 0

    async def close(self) -> None:
        Counted.closed += 1
        raise OSError("The disk is gone.")


async def test_all_are_closed_whatever_one_of_them_says() -> None:
    Counted.closed = 0
    opening = Opening(("one", "two", "three"), lambda _: Counted())
    for name in opening:
        opening[name]
    with pytest.raises(OSError, match="disk"):
        await opening.close()
    assert Counted.closed == 3
    await opening.close()
