from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from kaynak.api.deps import CurrentScope, Json, Services
from kaynak.api.problems import problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.base import PageOf
from kaynak.api.schemas.spending import BudgetBody, BudgetView, UsageView
from kaynak.domain import BudgetKind, BudgetPeriod, NotFound, TooLarge, UsageBy

router = APIRouter(prefix="/v1", tags=["spending"], route_class=JsonRoute)

Kind = Annotated[BudgetKind, Path(description="Whose spending.")]
Period = Annotated[BudgetPeriod, Path(description="Over which time; days and months are those of UTC.")]
Subject = Annotated[
    str,
    Query(max_length=256, description="Name of the collection, or who asks; leave it out for the installation."),
]


@router.get("/usage", response_model=UsageView, responses=problems(), summary="Report usage of models")
async def get_usage(
    kaynak: Services,
    scope: CurrentScope,
    by: Annotated[
        list[UsageBy] | None, Query(description="What the lines are broken down by; default: `day` and `model`.")
    ] = None,
    since: Annotated[
        datetime.date | None, Query(description="First day, of UTC; default: 30 days before `until`.")
    ] = None,
    until: Annotated[datetime.date | None, Query(description="Last day, of UTC; default: today.")] = None,
) -> Response:
    """Reports tokens and cost of every call of a language model, also of stopped and failed ones."""
    chosen = tuple(by) if by is not None else (UsageBy.DAY, UsageBy.MODEL)
    return Json(await kaynak.spending.report(scope, by=chosen, since=since, until=until))


@router.get("/budgets", response_model=PageOf[BudgetView], responses=problems(), summary="List budgets")
async def list_budgets(kaynak: Services, scope: CurrentScope) -> Response:
    """Lists all limits on what models may cost, with what is spent of them."""
    return Json({"items": await kaynak.spending.budgets(scope), "next": None})


@router.put(
    "/budgets/{kind}/{period}",
    response_model=BudgetView,
    responses=problems(NotFound, TooLarge),
    summary="Set a budget",
)
async def put_budget(
    kind: Kind, period: Period, body: BudgetBody, kaynak: Services, scope: CurrentScope, subject: Subject = ""
) -> Response:
    """Sets a limit. A call that would go beyond it is refused before it is made (402)."""
    return Json(await kaynak.spending.set_budget(scope, kind, subject, period, body.limit))


@router.delete("/budgets/{kind}/{period}", status_code=204, responses=problems(NotFound), summary="Remove a budget")
async def delete_budget(
    kind: Kind, period: Period, kaynak: Services, scope: CurrentScope, subject: Subject = ""
) -> Response:
    """Removes a limit."""
    await kaynak.spending.delete_budget(scope, kind, subject, period)
    return Response(status_code=204)
