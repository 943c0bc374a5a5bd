"""Removes documents and shows the proof."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import typer

from kaynak.cli import exits, output
from kaynak.cli.command import with_services
from kaynak.cli.doctor import fields
from kaynak.domain import OWNER, Document, Examination, Filter


def by_name(find: Callable[[Any], Awaitable[list[Document]]], *, as_json: bool) -> None:
    """Removes the documents that ``find`` returns, given the services."""

    async def work(kaynak: Any) -> tuple[list[Document], Examination]:
        found = await find(kaynak)
        traces: list[Examination] = []
        for name in dict.fromkeys(one.collection for one in found):
            documents = {one.id: one.external_id for one in found if one.collection == name}
            traces.append(await kaynak.deleting.delete(OWNER, name, documents))
        return found, Examination.together(traces)

    removed, proof = with_services(work)
    if as_json:
        items = [{"id": d.id, "external_id": d.external_id} for d in removed]
        output.document({"removed": items, "proof": fields(proof)})
    else:
        for document in removed:
            output.line(f"Removed {document.external_id}.")
    _conclude(proof, as_json=as_json)


def by_filter(collection: str, condition: Filter, *, ask: bool, as_json: bool) -> None:
    """Removes the documents of a collection that match, after they were counted and, perhaps, asked about."""

    async def work(kaynak: Any) -> tuple[int, Examination]:
        count, last = await kaynak.deleting.matching(OWNER, collection, condition)
        if ask and count:
            typer.confirm(f"Remove {_documents(count)} of {collection} with everything derived from them?", abort=True)
        removed, traces = 0, []
        if last is not None:
            async for one in kaynak.deleting.delete_matching(OWNER, collection, condition, until=last):
                removed += one.removed
                traces.append(one.proof)
                if removed < count:
                    output.note(f"kaynak: {removed:,} of {count:,} removed")
        return removed, Examination.together(traces)

    removed, proof = with_services(work)
    if as_json:
        output.document({"removed": removed, "proof": fields(proof)})
    elif removed:
        output.line(f"Removed {_documents(removed)} of {collection}.")
    else:
        output.line(f"No document of {collection} matches.")
    _conclude(proof, as_json=as_json)


def _conclude(proof: Examination, *, as_json: bool) -> None:
    """Says where was looked and what is left, and ends with a failure if anything is."""
    if not as_json:
        if proof.healthy and proof.checked:
            output.note(f"No trace is left in {', '.join(proof.checked)}.")
        for one in proof.findings:
            output.note(f"{one.where}: {one.detail} {one.hint or ''}")
        for reason in proof.unchecked:
            output.note(f"Not looked at: {reason}")
    if not proof.healthy:
        raise typer.Exit(exits.FAILED)


def _documents(count: int) -> str:
    return f"{count:,} document{'s' if count != 1 else ''}"
