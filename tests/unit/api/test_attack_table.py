"""Each attack in docs/security.md is a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = re.findall(r"\| `([\w/]+\.py)(?:::(\w+))?` \|$", (ROOT / "docs" / "security.md").read_text(), re.MULTILINE)


def test_there_are_attacks() -> None:
    assert len(ROWS) >= 25


@pytest.mark.parametrize(("file", "name"), ROWS, ids=str)
def test_every_attack_in_the_table_is_a_test(file: str, name: str) -> None:
    found = (ROOT / "tests" / file).read_text()
    assert not name or re.search(rf"def {name}\(", found), name
