from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, page_of
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.collections import CollectionCreate, CollectionUpdate, CollectionView
from kaynak.domain import (
    CollectionExists,
    CollectionNotFound,
    EmbedderUnavailable,
    EngineUnavailable,
    GenerationSpec,
    Misconfigured,
    PartSpec,
    TooLarge,
    Unsupported,
    validate_collection_name,
)

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=JsonRoute)

CollectionName = Annotated[str, Path(max_length=64, description="Name of the collection.")]


@router.post(
    "",
    status_code=201,
    response_model=CollectionView,
    responses=problems(
        CollectionExists, Unsupported, Misconfigured, EmbedderUnavailable, EngineUnavailable, TooLarge, *STORING
    ),
    summary="Create a collection",
)
async def create_collection(body: CollectionCreate, kaynak: Services, scope: CurrentScope) -> Response:
    """Creates an empty collection with the parts that it will be searched through."""
    name = validate_collection_name(body.name)
    model = PartSpec(kaynak.settings.embedding.model)
    try:
        created = await kaynak.collections.create(
            scope,
            name,
            description=body.description,
            language=body.language,
            spec=body.generation(GenerationSpec(embedder=model)),
            answering=body.answering.answering() if body.answering else None,
        )
    except Misconfigured as exc:
        if body.embedder is None:
            raise
        # The caller's model, not our settings, is what cannot work.
        raise Unsupported(exc.message, hint=exc.hint) from exc
    return Json(created, 201, {"Location": f"/v1/collections/{name}"})


@router.get(
    "",
    response_model=PageOf[CollectionView],
    responses=problems(),
    summary="List collections",
)
async def list_collections(kaynak: Services, scope: CurrentScope, page: Paging) -> Response:
    """Lists collections by name."""
    after = cursors.text_after("collections", page.after)
    found = await kaynak.collections.list(scope, after=after, limit=page.limit + 1)
    return page_of(found, page, "collections", lambda collection: collection.name)


@router.get(
    "/{collection}",
    response_model=CollectionView,
    responses=problems(CollectionNotFound),
    summary="Show a collection",
)
async def get_collection(collection: CollectionName, kaynak: Services, scope: CurrentScope) -> Response:
    """Shows one collection with its counts and its revision."""
    return Json(await kaynak.collections.get(scope, collection))


@router.patch(
    "/{collection}",
    response_model=CollectionView,
    responses=problems(CollectionNotFound, CollectionExists, TooLarge, *STORING),
    summary="Change a collection",
)
async def update_collection(
    collection: CollectionName, body: CollectionUpdate, kaynak: Services, scope: CurrentScope
) -> Response:
    """Renames a collection, or changes its description or how answers are written from it.

    Its language and its parts are chosen at its creation.
    """
    if body.name is not None:
        validate_collection_name(body.name)
    changed = await kaynak.collections.update(
        scope,
        collection,
        new_name=body.name,
        description=body.description,
        answering=body.answering.answering() if body.answering else None,
    )
    return Json(changed)


@router.delete(
    "/{collection}",
    status_code=204,
    responses=problems(CollectionNotFound, *STORING, EngineUnavailable),
    summary="Delete a collection",
)
async def delete_collection(collection: CollectionName, kaynak: Services, scope: CurrentScope) -> Response:
    """Deletes a collection with all its documents and indexes. There is no way back."""
    await kaynak.collections.delete(scope, collection)
    return Response(status_code=204)
