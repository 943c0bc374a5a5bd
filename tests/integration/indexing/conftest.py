from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kaynak.catalog import Catalog
from kaynak.testing.workshop import Workshop


@pytest.fixture
async def workshop(catalog: Catalog, tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(catalog, tmp_path)
    yield made
    await made.followers.rest()
