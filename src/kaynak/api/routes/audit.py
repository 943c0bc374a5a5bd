from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from starlette.responses import Response, StreamingResponse

from kaynak.api import cursors
from kaynak.api.deps import CurrentScope, Json, Paging, Services, page_of
from kaynak.api.problems import STORING, problems
from kaynak.api.reading import JsonRoute
from kaynak.api.schemas.audit import (
    AuditEventView,
    AuditPolicyBody,
    AuditPolicyView,
    SealBody,
    SealedView,
    VerificationView,
    VerifyBody,
)
from kaynak.api.schemas.base import PageOf
from kaynak.auditing import shown
from kaynak.catalog import Head
from kaynak.domain import AuditFilter, AuditPolicy, Conflict, Forbidden, InvalidRequest, TooLarge

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=JsonRoute)


async def _filter(
    subject: Annotated[str | None, Query(max_length=200, description="Who: `user:…`.")] = None,
    action: Annotated[str | None, Query(max_length=200, description="What was done: `search`.")] = None,
    object: Annotated[  # noqa: A002 - the name callers see
        str | None, Query(max_length=200, description="What it was done to: `document:…`.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="The first moment.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="The moment before which.")] = None,
) -> AuditFilter:
    for given in (subject, action, object):
        if given is not None and not given.isprintable():
            raise InvalidRequest("A filter of the audit log has a character that is not text.")
    return AuditFilter(subject, action, object, since, until)


Wanted = Annotated[AuditFilter, Depends(_filter)]


@router.get("", response_model=PageOf[AuditEventView], responses=problems(Forbidden), summary="Read the audit log")
async def list_events(kaynak: Services, scope: CurrentScope, wanted: Wanted, page: Paging) -> Response:
    """Lists events, newest first. Needs the permission `audit.read`. That it was read is an event, too."""
    before = cursors.number_after("audit", page.after)
    found = await kaynak.audit.list(scope, wanted, before=before, limit=page.limit + 1)
    return page_of([shown(event) for event in found], page, "audit", lambda event: int(event["sequence"]))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A line of JSON for each event, oldest first.",
            "content": {"application/jsonl": {"schema": {"type": "string"}}},
        },
        **problems(Forbidden),
    },
    summary="Export the audit log",
)
async def export_events(kaynak: Services, scope: CurrentScope, wanted: Wanted) -> Response:
    """Streams events as JSONL. Without filters it can be verified by itself: `kaynak audit verify FILE`."""
    lines = await kaynak.audit.export(scope, wanted)
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"'}
    return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


@router.post(
    "/verify",
    response_model=VerificationView,
    responses=problems(Forbidden, TooLarge),
    summary="Verify the audit log",
)
async def verify_events(body: VerifyBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Looks for events that were altered, removed, reordered or inserted.

    Note `sequence` and `hash` somewhere else and send them with the next verification: so a log that was cut short,
    or written anew, is found even if everything on this machine was changed.
    """
    if (body.sequence is None) != (body.hash is None):
        raise InvalidRequest("“sequence” and “hash” belong together.", hint="Give both, or none.")
    noted = None if body.sequence is None or body.hash is None else Head(body.sequence, bytes.fromhex(body.hash))
    return Json(await kaynak.audit.verify(scope, noted))


@router.post(
    "/seal",
    response_model=SealedView,
    responses=problems(Forbidden, Conflict, TooLarge, *STORING),
    summary="Seal old events",
)
async def seal_events(body: SealBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Moves old events out of the database into a file of the data directory. The chain goes on from their last one."""
    segment = await kaynak.audit.seal(scope, body.before)
    if segment is None:
        return Json({"segment": None})
    values: dict[str, Any] = asdict(segment)
    return Json({"segment": {**values, "hash": segment.hash.hex(), "events_hash": segment.events_hash.hex()}})


@router.get(
    "/policy", response_model=AuditPolicyView, responses=problems(Forbidden), summary="Show what the audit log keeps"
)
async def get_policy(kaynak: Services, scope: CurrentScope) -> Response:
    """Shows how much is kept of queries, and for how long events stay in the database."""
    return Json(await kaynak.audit.policy(scope))


@router.put(
    "/policy",
    response_model=AuditPolicyView,
    responses=problems(Forbidden, TooLarge),
    summary="Choose what the audit log keeps",
)
async def put_policy(body: AuditPolicyBody, kaynak: Services, scope: CurrentScope) -> Response:
    """Changes it from now on. Needs the permission `settings.manage`; the change is an event."""
    return Json(await kaynak.audit.set_policy(scope, AuditPolicy(body.query_text, body.keep_days)))
