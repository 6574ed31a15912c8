"""
How near an address is, so that what came from far can't make this node ask something near.

A user may subscribe to a feed on any host, the own machine included. But the *owner* of a feed must not choose where
this node sends requests inside the user's network: routers and printers do things for a mere GET from inside, and
programs on loopback trust whoever can reach them (server-side request forgery, OWASP). So a redirect, and the link of
an item, leads only to addresses that are as far away as the host it came from, or farther.
"""
from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipaddress import IPv4Address

INTERNET: Final = 0
NETWORK: Final = 1
"""Private and link-local addresses, and all others that the internet does not route."""
MACHINE: Final = 2
"""Loopback, and the unspecified address, which leads there."""

PLACES: Final = ("the internet", "the local network", "this machine")

NAT64: Final = IPv6Network("64:ff9b::/96")


def nearness(host: str) -> int:
    """
    How near an IP address is: INTERNET, NETWORK or MACHINE. Raises ValueError for what is none.
    """
    address = _embedded(ip_address(host.partition("%")[0]))
    if address.is_loopback or address.is_unspecified:
        return MACHINE
    return INTERNET if address.is_global and not address.is_multicast else NETWORK


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """
    The IPv4 address that an IPv6 one stands for, where it does (RFC 4291 2.5.5.2, 6052, 3056, 4380), else itself.
    """
    if not isinstance(address, IPv6Address):
        return address
    if address in NAT64:
        return ip_address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
