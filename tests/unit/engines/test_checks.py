from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kaynak.domain import InvalidRequest
from kaynak.engines import VectorField
from kaynak.engines.checks import check_numbers, check_vector

FIELD = VectorField("text", 3)
GREATEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize("check", [check_vector, check_numbers])
@pytest.mark.parametrize(
    "given",
    [[1.0, np.nan, 0.0], [np.inf, -np.inf, 0.0], [np.inf, 0.0, 0.0], [1.0, 2.0], [[1.0, 2.0, 3.0]]],
    ids=["nan", "both infinities", "infinity", "short", "matrix"],
)
def test_what_is_no_vector_is_refused(check: Any, given: list[float]) -> None:
    with pytest.raises(InvalidRequest):
        check(np.array(given, dtype=np.float32), FIELD)


@pytest.mark.parametrize("check", [check_vector, check_numbers])
def test_great_numbers_are_numbers(check: Any) -> None:
    given = np.full(3, GREATEST, dtype=np.float32)
    assert list(check(given, FIELD)) == [GREATEST] * 3
