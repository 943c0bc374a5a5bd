from __future__ import annotations

import pytest

from kaynak.testing.world import World


@pytest.fixture
def world(catalog, tmp_path):
    return World(catalog, tmp_path / "locks")
