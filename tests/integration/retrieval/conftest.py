from __future__ import annotations

import pytest

from kaynak.testing.world import World


@pytest.fixture
async def world(catalog, tmp_path):
    world = World(catalog, tmp_path / "locks")
    yield world
    await world.close()
