from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.problems import problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.models import KeyBody, ProviderView
from kaynak.domain import Misconfigured, NotFound, TooLarge

router = APIRouter(prefix="/v1/providers", tags=["models"], route_class=JsonRoute)

ProviderName = Annotated[str, Path(max_length=64, description="Name of the provider: `openai`.")]
Check = Annotated[bool, Query(description="Ask each configured provider for its models now; takes up to 5 s.")]


@router.get(
    "", response_model=PageOf[ProviderView], responses=problems(Misconfigured), summary="List providers of models"
)
async def list_providers(kaynak: Services, scope: CurrentScope, check: Check = False) -> Response:
    """Lists all providers: which can be asked, what to do for the others and, if wished, whether they answer now."""
    return Json({"items": await kaynak.models.statuses(scope, check=check), "next": None})


@router.get(
    "/{provider}",
    response_model=ProviderView,
    responses=problems(NotFound, Misconfigured),
    summary="Show a provider of models",
)
async def get_provider(provider: ProviderName, kaynak: Services, scope: CurrentScope, check: Check = False) -> Response:
    """Shows one provider; with `check` also its models, and what they cost where that is known."""
    _known(kaynak, provider)
    (status,) = await kaynak.models.statuses(scope, only=provider, check=check)
    return Json(status)


@router.put(
    "/{provider}/key",
    response_model=ProviderView,
    responses=problems(NotFound, Misconfigured, TooLarge),
    summary="Store a provider's key",
)
async def put_key(provider: ProviderName, body: KeyBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Stores the key, encrypted with the key of the installation. It is never shown again."""
    _known(kaynak, provider)
    return Json(await kaynak.models.store_key(scope, provider, body.key.get_secret_value()))


@router.delete(
    "/{provider}/key",
    status_code=204,
    responses=problems(NotFound),
    summary="Remove a provider's key",
)
async def delete_key(provider: ProviderName, kaynak: Services, scope: CurrentScope) -> Response:
    """Removes the stored key; one of the environment counts again."""
    _known(kaynak, provider)
    await kaynak.models.remove_key(scope, provider)
    return Response(status_code=204)


def _known(kaynak: Services, provider: str) -> None:
    if provider not in kaynak.models.providers:
        known = ", ".join(sorted(kaynak.models.providers))
        raise NotFound(f"There is no provider of models “{provider}”.", hint=f"There are: {known}.")
