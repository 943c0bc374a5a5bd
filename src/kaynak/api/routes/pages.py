"""The API's documentation as a page of our own: FastAPI's loads scripts from a CDN and is blank offline."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

router = APIRouter(include_in_schema=False)

_TYPES = {
    "setup.html": "text/html; charset=utf-8",
    "setup.js": "text/javascript; charset=utf-8",
    "docs.html": "text/html; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def root() -> Response:
    """Leads to the documentation."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def docs() -> Response:
    """The page."""
    return _static("docs.html")


@router.get("/docs/docs.js")
async def script() -> Response:
    """What fills it from ``/openapi.json``."""
    return _static("docs.js")


@router.get("/docs/docs.css")
async def style() -> Response:
    """How it looks."""
    return _static("docs.css")


@router.get("/setup")
async def setup() -> Response:
    """The page behind the link of ``kaynak up --setup``."""
    return _static("setup.html")


@router.get("/setup/setup.js")
async def setup_script() -> Response:
    """What it does."""
    return _static("setup.js")


def _static(name: str) -> Response:
    content = files("kaynak.api").joinpath("static", name).read_bytes()
    return Response(content, headers={"Content-Type": _TYPES[name], **_HEADERS})
