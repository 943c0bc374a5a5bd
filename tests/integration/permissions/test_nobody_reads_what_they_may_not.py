"""Random people with random rights try every door, and every word they are shown is held to a model of ten rules.

``KAYNAK_PROOF_STEPS`` says how many steps to take at least; `make proof` takes 20,000.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from kaynak.logs import configure_logs
from kaynak.testing.proof.company import Company, opened
from kaynak.testing.proof.machine import Life

STEPS = int(os.environ.get("KAYNAK_PROOF_STEPS", "300"))
"""At least so many."""
OF_A_LIFE = 40
_SECONDS_PER_STEP = 2.0


@pytest.mark.slow
@pytest.mark.timeout(180 + STEPS * _SECONDS_PER_STEP)
def test_no_life_leaks(make_catalog_url: Callable[[], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("CRITICAL", "json")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def begin() -> Company:
            kaynak = await stack.enter_async_context(opened(tmp_path, make_catalog_url()))
            return await stack.enter_async_context(Company.of(kaynak))

        company = runner.run(begin())
        try:
            lives = type("Lives", (Life,), {"company": company, "run": staticmethod(runner.run), "steps": 0})
            while lives.steps < STEPS:
                _live(lives, min(50, -(-(STEPS - lives.steps) // OF_A_LIFE)))
        finally:
            runner.run(stack.aclose())
    with capsys.disabled():
        if "KAYNAK_PROOF_STEPS" in os.environ:
            print(f"\n{lives.steps} steps, {company.requests} answers, no leak")
    assert lives.steps >= STEPS


def _live(lives: Any, examples: int) -> None:
    """Lives some lives. A failure is shown as the shortest life that leads to it."""
    chosen = settings(
        max_examples=max(2, examples),
        stateful_step_count=OF_A_LIFE,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lives, settings=chosen)
