from __future__ import annotations

from typing import Annotated, Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import AsJson, with_services
from kaynak.domain import OWNER, Examination


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare all stores with the catalog: what is missing, orphaned, lagging or misconfigured."""

    async def work(kaynak: Any) -> Examination:
        found: Examination = await kaynak.doctor.examine(OWNER, repair=repair)
        return found

    found = with_services(work)
    show(found, as_json=as_json)
    if not found.healthy:
        raise typer.Exit(exits.FAILED)


def show(found: Examination, *, as_json: bool) -> None:
    """Prints what was looked at, and what was found."""
    if as_json:
        output.document(fields(found))
        return
    for one in found.findings:
        mark = "mended" if one.repaired else "WRONG"
        output.line(f"{mark}  {one.where}: {one.ailment.value}. {one.detail}")
        if one.hint and not one.repaired:
            output.line(f"       {one.hint}")
    for reason in found.unchecked:
        output.note(f"Not looked at: {reason}")
    looked = ", ".join(found.checked)
    output.line(f"{'All is well' if found.healthy else 'Not all is well'}. Looked at: {looked}.")


def fields(found: Examination) -> dict[str, Any]:
    """Returns an examination as JSON shows it."""
    return {name: getattr(found, name) for name in ("healthy", "checked", "unchecked", "findings")}
