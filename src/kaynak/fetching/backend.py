"""Connections to addresses that were looked at: a name is resolved once, and what was checked is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

from kaynak.fetching.addresses import Reach

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a name; raises OSError if it has none."""

_TRIED = 4
"""Addresses of one name that are tried in turn."""


class AddressRefused(Exception):
    """A name leads to an address that may not be connected to."""


async def system_resolver(host: str, port: int) -> list[str]:
    """Asks the operating system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects for httpcore. TLS still checks the name; only the connection goes to the address.

    Args:
        reach: What may be connected to.
        resolve: Finds addresses.
    """

    def __init__(self, reach: Reach, resolve: Resolve = system_resolver) -> None:
        self._reach = reach
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to ``host``.

        Raises:
            AddressRefused: One of its addresses may not be connected to: all must be sound, or none is trusted.
            httpcore.ConnectError: It has no address, or none answers.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError("the name has no address") from exc
        if not all(self._reach.allows(address) for address in addresses):
            raise AddressRefused
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in addresses[:_TRIED]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never: sockets of this machine are no addresses of the web."""
        raise AddressRefused

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)
