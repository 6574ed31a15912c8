"""The node's own place on the LAN, as the protocol sees it: links (interface and family) and arrivals."""
from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple, Protocol

from .wire import IPV4, packed_ip


class Arrival(Protocol):
    """
    How a datagram came in. `lan.endpoint.Datagram` is one.
    """

    @property
    def link(self) -> tuple[int, int]:
        """
        Interface index and family (4 or 6) of the socket.
        """

    @property
    def multicast(self) -> bool:
        """
        Whether it came to the multicast group.
        """

    @property
    def source(self) -> tuple[str, int]:
        """
        IP address (no scope) and port it says it comes from.
        """

    @property
    def hop_limit(self) -> int | None:
        """
        TTL or hop limit on arrival, None where the platform does not tell.
        """


class Destination(NamedTuple):
    """
    Where to send: a link, and an address on it; no address means the multicast group. What goes to an address that is
    not verified, so that perhaps nobody is there, must not hold up what goes to others.
    """

    link: tuple[int, int]
    address: tuple[str, int] | None
    verified: bool = True


@dataclass(frozen=True)
class Link:
    """
    One interface in one family: the address and port we are reached at there, and which networks are on it.

    A `silent` one is listened to only: nothing is sent by it, and nobody becomes local by it.
    """

    index: int
    family: int
    ip: str
    port: int
    networks: tuple[str, ...]
    silent: bool = False
    ranges: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """
        Work out the ranges of addresses once: they are looked at for every datagram.
        """
        ranges = []
        for network in self.networks:
            parsed: IPv4Network | IPv6Network = ip_network(network, strict=False)
            ranges.append((int(parsed.network_address), int(parsed.netmask)))
        object.__setattr__(self, "ranges", tuple(ranges))

    @property
    def key(self) -> tuple[int, int]:
        """
        Interface index and family.
        """
        return self.index, self.family

    def is_on_link(self, ip: str) -> bool:
        """
        Tell whether an address is of this link, so that its datagrams cross no router. Never raises.
        """
        try:
            packed = packed_ip(self.family, ip)
        except ValueError:
            return False
        number = int.from_bytes(packed, "big")
        if self.family == IPV4 and (number in (0, 0xFFFFFFFF) or number >> 28 == 0xE):
            return False  # "This host", broadcast and multicast are nobody's source address.
        return any(number & mask == network for network, mask in self.ranges)
