from __future__ import annotations

import pytest

from kaynak.testing.world import World


@pytest.fixture
async def world(catalog, tmp_path):
    made = World(catalog, tmp_path / "locks")
    yield made
    await made.close()
