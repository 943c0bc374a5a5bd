"""How much longer it will take, or silence where nobody can know."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from kaynak.domain import Job

WINDOW_SECONDS = 30.0
LEAST_SECONDS = 3.0
LEAST_FRACTION = 0.01


def stage_totals(jobs: Iterable[Job]) -> dict[str, tuple[int, int]]:
    """Returns done and total per stage, over all jobs, in the order of the stages."""
    totals: dict[str, tuple[int, int]] = {}
    for job in jobs:
        for stage in job.stages:
            done, total = totals.get(stage.name, (0, 0))
            totals[stage.name] = done + stage.done, total + stage.total
    return totals


def fraction_done(stages: dict[str, tuple[int, int]], documents: int) -> float:
    """Returns how much of the work is done, in [0, 1].

    Embedding is nearly all of it, but how many passages there will be is known only for the documents read so
    far: the rest is taken to have as many each.
    """
    read, _ = stages.get("parse", (0, 0))
    cut, _ = stages.get("chunk", (0, 0))
    embedded, _ = stages.get("embed", (0, 0))
    indexed, _ = stages.get("index", (0, 0))
    if documents <= 0 or read == 0:
        return 0.0
    passages = cut / read * max(documents, read)
    if passages == 0:
        return min(1.0, indexed / documents)
    return min(1.0, embedded / passages)


class Estimate:
    """The time left, from the pace of the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def update(self, now: float, fraction: float) -> float | None:
        """Notes that ``fraction`` is done at ``now`` (seconds) and returns the seconds left, if they can be told."""
        self._seen.append((now, fraction))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        began, before = self._seen[0]
        if now - began < LEAST_SECONDS or fraction < LEAST_FRACTION or fraction <= before:
            return None
        return (1 - fraction) * (now - began) / (fraction - before)


def in_words(seconds: float | None) -> str:
    """Returns a time as people say it: no precision that is not there."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s left"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min left"
    return f"about {seconds / 3600:.1f} h left"
