from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kaynak import __version__
from kaynak.api.deps import Json, ScopeIfAny, Services
from kaynak.api.problems import problems, request_id_of, respond
from kaynak.api.schemas.health import HealthView, ReadyView
from kaynak.api.wire import problem_of
from kaynak.domain import KaynakError, Scope, Unavailable

log = structlog.get_logger(__name__)

router = APIRouter(tags=["health"])

_LAG_COLLECTIONS = 1000


@router.get("/health", response_model=HealthView, responses=problems(), summary="Alive?")
async def health() -> Response:
    """Answers as long as the process does; looks at nothing else."""
    return Json({"status": "ok", "version": __version__})


@router.get("/ready", response_model=ReadyView, responses=problems(), summary="Ready?")
async def ready(request: Request, kaynak: Services, scope: ScopeIfAny) -> Response:
    """Looks at everything a search needs: the catalog, its migrations, the embedder, the indexes.

    Nobody needs to sign in for it. Indexes that are behind are reported to those who may see their collections, and
    are no reason to be unready: searches still answer.
    """
    lag: list[dict[str, Any]] = []

    async def indexes() -> str:
        lag.extend(await _lag(kaynak, scope))
        return f"{len(lag)} behind" if lag else "up to date"

    checks = [
        await _check("catalog", _ping(kaynak)),
        await _check("migrations", _migrations(kaynak)),
        await _check("embedder", _embedder(kaynak)),
        await _check("indexes", indexes),
    ]
    if all(check["ok"] for check in checks):
        return Json({"status": "ready", "checks": checks, "lag": lag})
    broken = ", ".join(check["name"] for check in checks if not check["ok"])
    error = Unavailable(f"Not ready: {broken}.", hint="The checks say what is missing.")
    return respond({**problem_of(error), "checks": checks}, request_id_of(request), {"Retry-After": "1"})


async def _check(name: str, look: Callable[[], Awaitable[str]]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        detail, ok = await look(), True
    except KaynakError as error:
        detail, ok = error.message, False
    except Exception:
        log.exception("readiness_check_failed", check=name)
        detail, ok = "failed unexpectedly; see the log", False
    return {"name": name, "ok": ok, "detail": detail, "ms": round((time.perf_counter() - began) * 1000, 2)}


def _ping(kaynak: Services) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        await kaynak.catalog.ping()
        return "answers"

    return look


def _migrations(kaynak: Services) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        from kaynak.catalog import head_migration

        current, head = await kaynak.catalog.current_migration(), head_migration()
        if current != head:
            raise Unavailable(f"The catalog is at migration {current or 'none'}, the code at {head}.")
        return f"at {current}"

    return look


def _embedder(kaynak: Services) -> Callable[[], Awaitable[str]]:
    async def look() -> str:
        embedder = await kaynak.embedders.get(kaynak.settings.embedding.model)
        return f"{embedder.fingerprint}, {embedder.dimensions} dimensions"

    return look


async def _lag(kaynak: Services, scope: Scope) -> list[dict[str, Any]]:
    behind = []
    for collection in await kaynak.collections.list(scope, after=None, limit=_LAG_COLLECTIONS):
        applied = await kaynak.followers.applied(collection.id)
        if applied < collection.revision:
            behind.append({"collection": collection.name, "revision": collection.revision, "applied": applied})
    return behind
