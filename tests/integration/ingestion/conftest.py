from __future__ import annotations

from pathlib import Path

import pytest

from kaynak.catalog import Catalog
from kaynak.testing.workshop import Workshop


@pytest.fixture
def workshop(catalog: Catalog, tmp_path: Path) -> Workshop:
    return Workshop(catalog, tmp_path)
