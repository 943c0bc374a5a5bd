"""Why a named document is not among the hits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kaynak.catalog import Catalog, Unit
from kaynak.domain import AbsenceExplanation, And, Condition, Document, DocumentNotFound, Hit, Op
from kaynak.retrieval.fusion import Ids
from kaynak.retrieval.state import State

_CHUNKS = 10_000


async def explain_absence(catalog: Catalog, state: State, hits: Sequence[Hit]) -> AbsenceExplanation:
    """Returns where the document that the request names was lost, looking again at each stage."""
    name = state.request.explain_document or ""
    async with catalog.read() as unit:
        document = await _find(unit, state, name)
        if document is None:
            return AbsenceExplanation(name, False, "unknown", "None of the collections has a document of that name.")
        if document.version is None:
            return AbsenceExplanation(
                name, False, "not-ready", f"It has no readable version; its state is {document.state}."
            )
        chunks = {chunk.id for chunk in await unit.chunks.of_document(state.scope, document.id, limit=_CHUNKS)}
        ranks = _ranks(state, document, chunks)
        for place, hit in enumerate(hits, start=state.request.offset + 1):
            if hit.document_id == document.id:
                return AbsenceExplanation(name, True, "returned", f"It is hit {place}.", *ranks)
        stage, reason = await _lost(unit, state, document, chunks, ranks)
    return AbsenceExplanation(name, False, stage, reason, *ranks)


async def _find(unit: Unit, state: State, name: str) -> Document | None:
    for collection in state.collections:
        try:
            return await unit.documents.find(state.scope, collection.name, name)
        except DocumentNotFound:
            continue
    return None


async def _lost(
    unit: Unit, state: State, document: Document, chunks: set[int], ranks: tuple[int | None, int | None]
) -> tuple[str, str]:
    condition = state.request.filter
    if condition is not None:
        own = And((Condition("_id", Op.EQ, document.external_id), condition))
        if not await unit.documents.list(state.scope, document.collection, condition=own, limit=1):
            return "filter", "It does not satisfy the filter."
    if ranks == (None, None):
        if document.revision > state.revisions.get(document.collection, 0):
            return "candidates", "The indexes have not taken in its latest change yet."
        return "candidates", "Neither side has it among its candidates: others share more with the query."
    if not any(chunks & asked for asked in state.asked):
        return "limit", "It is beyond the best that were looked at for what was asked for."
    if not any(row.document_id == document.id for rows in state.admitted for row in rows.values()):
        return "gate", "The indexes proposed an older state of it, which the catalog does not let through."
    if state.reader is not None and document.id in state.reader.repeated:
        return (
            "duplicate",
            f"Its passage says nearly the same as one of “{state.reader.repeated[document.id]}”, which stands for it.",
        )
    documents = list(dict.fromkeys(one.chunk.document_id for tier in state.tiers for one in tier))
    place = documents.index(document.id) + 1
    return "limit", f"It is document {place} of {len(documents)} that were found, beyond what was asked for."


def _ranks(state: State, document: Document, chunks: Collection[int]) -> tuple[int | None, int | None]:
    """Returns the document's best rank on the lexical and on the dense side."""
    for source, ranking in enumerate(state.rankings):
        if ranking.sides.collection.name == document.collection:
            among = state.shown(source)
            return _best(ranking.lexical.ids, chunks, among), _best(ranking.dense.ids, chunks, among)
    return None, None


def _best(ids: Ids, chunks: Collection[int], among: Collection[int] | None) -> int | None:
    known = ids.tolist() if among is None else [key for key in ids.tolist() if key in among or key in chunks]
    return next((rank for rank, key in enumerate(known, start=1) if key in chunks), None)
