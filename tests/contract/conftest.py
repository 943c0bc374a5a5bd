"""Writes the table of engines and what each was seen to do, from the tests themselves.

    KAYNAK_WRITE_DOCS=1 python -m pytest tests/contract

``docs/engines/README.md`` has it between two markers.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from kaynak.testing.engines import EngineSuite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engines" / "README.md"
BEGIN, END = "<!-- contract: begin -->", "<!-- contract: end -->"
REPEATING = {"test_it_finds_what_exact_search_finds", "test_searches_during_writes_see_whole_documents"}
"""Tests that say the same thing to an engine for long."""
KINDS = {"dense": "Dense engines", "lexical": "Lexical engines"}
_seen: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notes of each test which engine it is about, as its class says by ``column`` and ``kind``; and what repeats."""
    for item in items:
        if getattr(item, "originalname", "") in REPEATING:
            item.add_marker("untraced")
        owner = getattr(item, "cls", None)
        if owner is not None and issubclass(owner, EngineSuite) and not hasattr(owner, "column"):
            item.add_marker("untraced")  # another way to set up an engine that has a column
        if owner is not None and hasattr(owner, "column"):
            kind = "dense" if hasattr(owner, "tolerance") else "lexical"
            item.user_properties.append(("contract", (kind, owner.column, getattr(owner, "stands_for", ""))))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what became of a test."""
    if report.when != "call" and report.outcome == "passed":
        return
    for key, value in report.user_properties:
        if key == "contract":
            kind, name, note = value
            test = report.nodeid.rpartition("::")[2].partition("[")[0]
            outcome = "–" if report.skipped else "✓" if report.passed else "✗"
            shown = f"{outcome} {note}".strip() if outcome == "✓" else outcome
            known = _seen[kind, test].get(name)
            # Of the cases of a test, one that was done counts more than one that the engine declares it has not.
            _seen[kind, test][name] = "✗" if "✗" in (known, shown) else known if known and shown == "–" else shown


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the table, if asked for."""
    if os.environ.get("KAYNAK_WRITE_DOCS") and _seen and not hasattr(session.config, "workerinput"):
        page = PAGE.read_text("utf-8")
        before, _, rest = page.partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{_tables()}\n\n{END}{after}", "utf-8")


def _tables() -> str:
    parts = []
    for kind, title in KINDS.items():
        rows = {test: cells for (of, test), cells in _seen.items() if of == kind}
        names = sorted({name for cells in rows.values() for name in cells})
        head = f"| {title} | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}"
        body = "\n".join(
            f"| {test.removeprefix('test_').replace('_', ' ')} | {' | '.join(cells.get(name, ' ') for name in names)} |"
            for test, cells in sorted(rows.items())
        )
        parts.append(f"{head}\n{body}")
    return "\n\n".join(parts)
