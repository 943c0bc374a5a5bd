"""HTTP under ``/v1``: a file per resource in ``routes/``, its shapes in ``schemas/``.

The door imports nothing heavy; FastAPI is loaded when an application is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kaynak.api.wire import dumps, problem_of, problem_type

if TYPE_CHECKING:
    from fastapi import FastAPI

    from kaynak.app import Kaynak

__all__ = ["create_app", "dumps", "problem_of", "problem_type"]


def create_app(kaynak: Kaynak) -> FastAPI:
    """Returns the HTTP application over opened services.

    Args:
        kaynak: Opened by the caller, who also closes it.
    """
    from kaynak.api.application import build

    return build(kaynak)
