from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from kaynak.api.deps import Scraping, Services
from kaynak.api.problems import problems
from kaynak.observability import CONTENT_TYPE

router = APIRouter(tags=["operations"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus's text format, at most five seconds old.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
    summary="Metrics",
)
async def metrics(kaynak: Services, _: Scraping) -> Response:
    """Tells how indexes, engines, searches, documents, jobs and requests are doing.

    Needs the permission `audit.read`, or the token in `KAYNAK_METRICS_TOKEN`: names of collections are in it.
    """
    return Response(await kaynak.exposition.page(), media_type=CONTENT_TYPE)
