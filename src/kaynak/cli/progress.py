from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kaynak.cli import output
from kaynak.cli.estimate import Estimate, fraction_done, in_words, stage_totals
from kaynak.domain import STAGES, Job

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PLAIN_SECONDS = 10.0
"""How often a line is written where there is no terminal to draw on."""


class ProgressDisplay:
    """Bars per stage on a terminal, a line now and then elsewhere; always on standard error.

    Args:
        documents: How many documents are to be worked on, as far as known; 0 while unknown.
    """

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self._estimate = Estimate()
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._overall: TaskID | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bars = Progress(
                TextColumn("{task.description:<8}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                console=output.console(stderr=True),
                transient=True,
            )
            self._overall = self._bars.add_task("all", total=100, note="")
            self._tasks = {name: self._bars.add_task(name, total=None, note="") for name in STAGES}
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, jobs: Iterable[Job]) -> None:
        """Shows where ``jobs`` are."""
        stages = stage_totals(jobs)
        fraction = fraction_done(stages, self.documents)
        left = in_words(self._estimate.update(time.monotonic(), fraction)) if fraction < 1 else "finishing"
        if self._bars is None:
            self._say(stages, left)
            return
        for name in STAGES:
            done, total = stages.get(name, (0, 0))
            self._bars.update(self._tasks[name], completed=done, total=total or None)
        if self._overall is not None:
            self._bars.update(self._overall, completed=int(fraction * 100), note=f"% · {left}")

    def _say(self, stages: dict[str, tuple[int, int]], left: str) -> None:
        now = time.monotonic()
        if now - self._said < PLAIN_SECONDS:
            return
        self._said = now
        parts = ", ".join(f"{name} {done}/{total}" for name, (done, total) in stages.items())
        output.note(f"kaynak: {parts}; {left}")
