"""How many connections are open at a time: altogether, and from one address."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable

from kaynak.api.proxies import Network, within
from kaynak.limiting import network_of

_LOCAL = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_RESERVED = 32
"""Connections beyond the limit that only this machine may have: a crowd from outside must not keep its owner out."""
_WAITING_MOST = 64
"""Refused ones that may wait to be told so; the others are closed without a word."""


class Crowd:
    """Counts connections.

    Those of one address are not counted where it is this machine, or a proxy that is trusted: they are other people's.

    Args:
        most: Connections at a time; 0: as many as come.
        of_address: From one address, of IPv6 from one /64; 0: as many as come.
        proxies: Addresses and networks of reverse proxies.
    """

    def __init__(self, most: int = 0, of_address: int = 0, proxies: Iterable[str] = ()) -> None:
        self._most = most
        self._of_address = of_address
        self._proxies: tuple[Network, ...] = tuple(ipaddress.ip_network(one, strict=False) for one in proxies)
        self._open = 0
        self._addresses: Counter[str] = Counter()
        self._refused = 0

    def enter(self, address: str | None) -> str | None:
        """Counts a connection, which is to `leave`; returns why there is no room for it, and then does not count it.

        Args:
            address: Where it comes from; None: not from a network.
        """
        local = address is None or within(address, _LOCAL)
        if self._most and self._open >= self._most + (_RESERVED if local else 0):
            return "The server has as many connections as it takes."
        counted = self._counted(address)
        if counted is not None and self._addresses[counted] >= self._of_address:
            return "There are too many connections from your address."
        self._open += 1
        if counted is not None:
            self._addresses[counted] += 1
        return None

    def leave(self, address: str | None) -> None:
        """A connection that had entered is closed."""
        self._open -= 1
        counted = self._counted(address)
        if counted is not None:
            self._addresses[counted] -= 1
            if not self._addresses[counted]:
                del self._addresses[counted]

    def wait(self) -> bool:
        """Returns whether a connection without room may stay for a moment, to be told why; it `goes` then."""
        if self._refused >= _WAITING_MOST:
            return False
        self._refused += 1
        return True

    def go(self) -> None:
        """One that was let `wait` is closed."""
        self._refused -= 1

    def _counted(self, address: str | None) -> str | None:
        if not self._of_address or address is None or within(address, (*_LOCAL, *self._proxies)):
            return None
        return network_of(address)
