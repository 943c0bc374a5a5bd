from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

from kaynak.domain import IndexGeneration, KaynakError, SideState
from kaynak.engines import FinishingEngine
from kaynak.indexing.parts import Parts

_ASK_SECONDS = 2.0


async def with_making(parts: Parts, found: IndexGeneration) -> IndexGeneration:
    """Returns a generation with what its engines are making of its indexes at this moment."""

    async def ask(side: SideState) -> SideState:
        try:
            engine = parts.of(found.generation, side.side)
            if not side.revision or not engine.capabilities.finishes:
                return side
            async with asyncio.timeout(_ASK_SECONDS):
                making = await cast("FinishingEngine", engine).unfinished(found.generation.key)
        except (KaynakError, TimeoutError):  # what keeps it from being made stands in the catalog
            return side
        return replace(side, making=making)

    return replace(found, sides=tuple([await ask(one) for one in found.sides]))
