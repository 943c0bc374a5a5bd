"""How far a generation is behind: hosts that are gone for good do not hold it back for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from kaynak.domain import Generation, GenerationSpec, GenerationState, IndexGeneration, PartSpec, SideState

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def generation(*sides: SideState) -> IndexGeneration:
    made = Generation(1, UUID(int=1), GenerationSpec(embedder=PartSpec("m")), "c", "e", 3, True)
    return IndexGeneration(made, GenerationState.READY, 0, 0, 10, sides, 0, None, NOW, None)


def side(host: str, revision: int, ago: timedelta, of: str = "lexical") -> SideState:
    return SideState(of, host, revision, None, 0, 0, None, NOW - ago)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sides", "lag"),
    [
        ([], 10),
        ([side("a", 10, timedelta(days=9)), side("b", 10, timedelta())], 0),
        ([side("a", 7, timedelta(minutes=5)), side("b", 10, timedelta())], 3),
        ([side("gone", 2, timedelta(days=9)), side("b", 10, timedelta())], 0),
        ([side("gone", 2, timedelta(days=9)), side("b", 8, timedelta())], 2),
        ([side("all", 2, timedelta(days=9))], 8),
        ([side("all", 2, timedelta(days=9)), side("", 10, timedelta(), "dense")], 8),
    ],
    ids=["nothing heard", "all are there", "one is behind", "gone", "gone, and behind", "alone", "alone of its side"],
)
def test_lag(sides: list[SideState], lag: int) -> None:
    assert generation(*sides).lag == lag
