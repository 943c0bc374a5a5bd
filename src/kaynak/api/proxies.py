"""Who asks, behind a reverse proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 1000
"""Characters of X-Forwarded-For that are looked at, from its end: what is before was written by the client."""


class TrustedProxies:
    """Believes X-Forwarded-For and X-Forwarded-Proto of the proxies that are trusted, and of nobody else.

    The address of the client is the last one that is not a trusted proxy: whatever stands before it, the client wrote.

    Args:
        app: The application.
        proxies: Addresses and networks.
    """

    def __init__(self, app: ASGIApp, *, proxies: Iterable[str]) -> None:
        self._app = app
        self._networks = [ipaddress.ip_network(one, strict=False) for one in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        client = scope.get("client")
        if self._networks and scope["type"] == "http" and client and within(client[0], self._networks):
            self._believe(scope)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        values: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name in (b"x-forwarded-for", b"x-forwarded-proto"):
                values.setdefault(name, []).append(value.decode("latin-1"))
        # The proxy next to us speaks last.
        protocol = ",".join(values.get(b"x-forwarded-proto", [])).rpartition(",")[2].strip().lower()
        if protocol in ("http", "https"):
            scope["scheme"] = protocol
        chain = ",".join(values.get(b"x-forwarded-for", []))[-_LONGEST:].split(",")
        for one in reversed(chain):
            address = _address(one)
            if address is None:
                return  # from here on it is nothing that a proxy of ours wrote
            scope["client"] = (address, 0)
            if not within(address, self._networks):
                return


def within(address: str, networks: Iterable[Network]) -> bool:
    """Returns whether an address is in one of the networks, also as IPv4 wrapped in IPv6; False if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks if network.version == found.version)


def _address(text: str) -> str | None:
    """Returns the address in ``1.2.3.4``, ``1.2.3.4:5``, ``2001:db8::1`` or ``[2001:db8::1]:5``."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None
