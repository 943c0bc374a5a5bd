"""Kaynak: search and answers in which every sentence points at its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaynak.client import AsyncClient as AsyncClient
    from kaynak.client import Client as Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> object:
    # The clients bring httpx with them; whoever imports kaynak for anything else should not wait for it.
    if name in {"AsyncClient", "Client"}:
        from kaynak import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
