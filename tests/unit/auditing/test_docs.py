from __future__ import annotations

from pathlib import Path

from kaynak.domain import Action


def test_every_action_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
    assert [action for action in Action if f"`{action.value}`" not in page] == []
