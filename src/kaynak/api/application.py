from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware

from kaynak import __version__
from kaynak.api import mcp, openai, problems
from kaynak.api.headers import SecurityHeaders
from kaynak.api.measuring import Measured
from kaynak.api.middleware import LOOPBACK_HOSTS, AllowedHosts, RequestContext
from kaynak.api.proxies import TrustedProxies
from kaynak.api.routes import (
    ask,
    audit,
    auth,
    collections,
    conversations,
    deleting,
    document,
    documents,
    groups,
    health,
    indexes,
    jobs,
    me,
    messages,
    metrics,
    oidc,
    pages,
    places,
    providers,
    rights,
    search,
    sharing,
    spending,
    streams,
    users,
)
from kaynak.api.schemas.problem import Problem

if TYPE_CHECKING:
    from kaynak.app import Kaynak

DESCRIPTION = """\
Put documents in; search them by meaning, by words and by filters; ask, and get answers in which every
sentence points at the exact passage it came from.

Lists come in pages: pass `next` as `after`. Errors are RFC 9457 problem documents with a stable `type`.
Offsets count Unicode code points of a version's canonical text.
"""

TAGS = [
    {"name": "collections", "description": "Named sets of documents that are searched together."},
    {"name": "indexes", "description": "What a collection is searched through: built, verified and switched safely."},
    {"name": "sharing", "description": "Who may read, change and manage a collection."},
    {"name": "documents", "description": "Upload, list, read, change, delete."},
    {"name": "search", "description": "Passages, best first."},
    {"name": "ask", "description": "Answers with exact citations."},
    {"name": "conversations", "description": "Questions that follow from each other, and their answers, kept."},
    {"name": "streams", "description": "Answers that are being written: resume, stop."},
    {"name": "models", "description": "Providers of language models, and their keys."},
    {"name": "spending", "description": "What models cost, and how much they may."},
    {"name": "jobs", "description": "Background work: progress, cancel, dead letters."},
    {"name": "audit", "description": "Who did what: read, export, verify, seal."},
    {"name": "auth", "description": "Sign in; the own account, its sessions and keys."},
    {"name": "people", "description": "Accounts and groups, for administrators."},
    {"name": "operations", "description": "Is everything as it should be? For administrators."},
    {"name": "health", "description": "For supervisors."},
]


def build(kaynak: Kaynak) -> FastAPI:
    """Returns the application over ``kaynak``, which stays the caller's to close."""
    app = FastAPI(
        title="Kaynak",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.kaynak = kaynak
    # Routes are tried in order: what is asked most comes first.
    for room in (
        search,
        ask,
        conversations,
        messages,
        streams,
        documents,
        deleting,
        document,
        places,
        collections,
        sharing,
        indexes,
        jobs,
        providers,
        spending,
        audit,
        auth,
        oidc,
        me,
        rights,
        users,
        groups,
        health,
        metrics,
        pages,
    ):
        app.include_router(room.router)
    app.include_router(openai.router)
    app.include_router(mcp.router)
    problems.install(app)
    # Added last is outermost: every refusal has a request id and a line in the log.
    settings = kaynak.settings
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "X-API-Key", "X-Request-ID"],
            expose_headers=["ETag", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "X-Stream-Id"],
            allow_credentials=False,  # of other pages only those that were given a token, never a visitor's cookie
        )
    hosts = {*LOOPBACK_HOSTS, _bracketed(settings.host), *settings.allowed_hosts}
    app.add_middleware(AllowedHosts, hosts=hosts, origins=settings.cors_origins)
    app.add_middleware(RequestContext)
    app.add_middleware(Measured, metrics=kaynak.metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TrustedProxies, proxies=settings.trusted_proxies)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document_ = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        schemas = document_["components"]["schemas"]
        for model in (Problem, *documents.EXTRA_SCHEMAS):
            described = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(described.pop("$defs", {}))
            schemas[model.__name__] = described
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document_
    return app.openapi_schema
