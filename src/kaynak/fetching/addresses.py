"""Which addresses may be connected to. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER: tuple[_Network, ...] = (
    # What Python counts as global although it is somebody's inside.
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's metadata
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("192.0.0.0/24"),  # protocols; Oracle's metadata
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 of a local network
    ipaddress.ip_network("100:0:0:1::/64"),
    ipaddress.ip_network("2001::/23"),  # protocols, Teredo and ORCHID among them
    ipaddress.ip_network("3fff::/20"),  # documentation
    ipaddress.ip_network("5f00::/16"),  # segment routing
    ipaddress.ip_network("fec0::/10"),  # site-local, as it was
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Reach:
    """The public addresses, and those of our own networks that are allowed.

    Args:
        private: Networks that may be reached although they are not public.
    """

    def __init__(self, private: Iterable[str] = ()) -> None:
        self._private = [ipaddress.ip_network(one, strict=False) for one in private]

    def allows(self, address: str) -> bool:
        """Returns whether ``address`` may be connected to. What is not an address may not."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.scope_id is not None:
            return False
        return all(self._allows(one) for one in _meant(found))

    def _allows(self, address: Address) -> bool:
        if any(address in network for network in self._private if network.version == address.version):
            return True
        if any(address in network for network in _NEVER if network.version == address.version):
            return False
        return address.is_global and not (
            address.is_multicast
            or address.is_reserved
            or address.is_loopback
            or address.is_link_local
            or address.is_unspecified
            or address.is_private
        )


def _meant(address: Address) -> Iterator[Address]:
    """Yields every address that packets to ``address`` may end up at."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the same thing in another notation
        return
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)  # a gateway sends it there
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _COMPATIBLE:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
