from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.routes.collections import CollectionName
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.collections import CollectionView
from kaynak.api.schemas.indexes import (
    EstimateView,
    ExaminationView,
    IndexBuild,
    IndexSwitch,
    IndexVerify,
    IndexView,
    VerdictView,
)
from kaynak.domain import (
    CollectionNotFound,
    Conflict,
    CorruptIndex,
    EmbedderUnavailable,
    EngineUnavailable,
    GenerationNotFound,
    Misconfigured,
    RevisionTimeout,
    TooLarge,
    Unsupported,
)
from kaynak.indexing import Wanted

router = APIRouter(tags=["indexes"], route_class=JsonRoute)

_INDEXES = "/v1/collections/{collection}/indexes"
_ONE = _INDEXES + "/{generation}"
Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the generation.")]


@router.get(
    _INDEXES, response_model=PageOf[IndexView], responses=problems(CollectionNotFound), summary="List index generations"
)
async def list_indexes(collection: CollectionName, kaynak: Services, scope: CurrentScope) -> Response:
    """Lists what a collection is, was and may be searched through, newest first."""
    found = await kaynak.indexes.list(scope, collection)
    return Json({"items": [IndexView.shown(one) for one in found], "next": None})


@router.post(
    _INDEXES,
    status_code=202,
    response_model=IndexView,
    responses=problems(
        CollectionNotFound,
        Conflict,
        Unsupported,
        EmbedderUnavailable,
        EngineUnavailable,
        TooLarge,
        *STORING,
    ),
    summary="Build an index generation",
)
async def build_index(collection: CollectionName, body: IndexBuild, kaynak: Services, scope: CurrentScope) -> Response:
    """Begins to build a generation beside the one that is searched. Documents that come meanwhile are in both."""
    try:
        made = await kaynak.indexes.build(scope, collection, body.wanted())
    except Misconfigured as exc:
        # The caller's model or engine, not our settings, is what cannot work.
        raise Unsupported(exc.message, hint=exc.hint) from exc
    return Json(IndexView.shown(made), 202, {"Location": f"/v1/collections/{collection}/indexes/{made.id}"})


@router.post(
    _INDEXES + "/estimate",
    response_model=EstimateView,
    responses=problems(CollectionNotFound, Unsupported, EmbedderUnavailable, TooLarge),
    summary="Estimate an index generation",
)
async def estimate_index(
    collection: CollectionName, body: IndexBuild, kaynak: Services, scope: CurrentScope
) -> Response:
    """Says what building a generation would take: tokens, price, time, disk. Nothing is sent to anybody for it."""
    wanted: Wanted = body.wanted()
    try:
        return Json(await kaynak.estimating.estimate(scope, collection, wanted))
    except Misconfigured as exc:
        raise Unsupported(exc.message, hint=exc.hint) from exc


@router.post(
    _INDEXES + "/rollback",
    response_model=CollectionView,
    responses=problems(CollectionNotFound, Conflict, EngineUnavailable, RevisionTimeout, *STORING),
    summary="Go back to the generation before",
)
async def rollback_index(collection: CollectionName, kaynak: Services, scope: CurrentScope) -> Response:
    """Lets searches go through the generation again that they went through before."""
    return Json(await kaynak.indexes.rollback(scope, collection))


@router.get(
    _ONE,
    response_model=IndexView,
    responses=problems(CollectionNotFound, GenerationNotFound),
    summary="Show an index generation",
)
async def get_index(collection: CollectionName, generation: Number, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows one generation: how far it is, what it waits for, what verifying it came to."""
    return Json(IndexView.shown(await kaynak.indexes.get(scope, collection, generation)))


@router.post(
    _ONE + "/verify",
    response_model=VerdictView,
    responses=problems(
        CollectionNotFound,
        GenerationNotFound,
        Conflict,
        EmbedderUnavailable,
        EngineUnavailable,
        CorruptIndex,
        RevisionTimeout,
        TooLarge,
        *STORING,
    ),
    summary="Verify an index generation",
)
async def verify_index(
    collection: CollectionName, generation: Number, body: IndexVerify, kaynak: Services, scope: CurrentScope
) -> Response:
    """Compares a generation with the catalog, with exact search, and with the one that is searched."""
    verdict = await kaynak.verifier.verify(scope, collection, generation, questions=body.known(), sample=body.sample)
    return Json(verdict)


@router.post(
    _ONE + "/switch",
    response_model=CollectionView,
    responses=problems(
        CollectionNotFound, GenerationNotFound, Conflict, EngineUnavailable, RevisionTimeout, TooLarge, *STORING
    ),
    summary="Switch to an index generation",
)
async def switch_index(
    collection: CollectionName, generation: Number, body: IndexSwitch, kaynak: Services, scope: CurrentScope
) -> Response:
    """Lets searches go through a verified generation, from the next one on."""
    return Json(await kaynak.indexes.switch(scope, collection, generation, force=body.force))


@router.delete(
    _ONE,
    status_code=204,
    responses=problems(CollectionNotFound, GenerationNotFound, Conflict, *STORING),
    summary="Remove an index generation",
)
async def delete_index(
    collection: CollectionName, generation: Number, kaynak: Services, scope: CurrentScope
) -> Response:
    """Removes a generation that is not searched, with the passages and embeddings that no other has."""
    await kaynak.indexes.remove(scope, collection, generation)
    return Response(status_code=204)


@router.get(
    "/v1/doctor",
    response_model=ExaminationView,
    responses=problems(CorruptIndex),
    tags=["operations"],
    summary="Examine all stores",
)
async def examine(kaynak: Services, scope: CurrentScope) -> Response:
    """Compares every store with the catalog: what is missing, orphaned, lagging or misconfigured."""
    return Json(ExaminationView.shown(await kaynak.doctor.examine(scope)))


@router.post(
    "/v1/doctor/repair",
    response_model=ExaminationView,
    responses=problems(CorruptIndex, *STORING),
    tags=["operations"],
    summary="Examine and mend all stores",
)
async def repair(kaynak: Services, scope: CurrentScope) -> Response:
    """Compares every store with the catalog, and mends what can be mended."""
    return Json(ExaminationView.shown(await kaynak.doctor.examine(scope, repair=True)))
