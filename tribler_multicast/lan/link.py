"""A link of the LAN, an interface in one family: where to listen, its sockets, and what comes by them."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from .interfaces import IPV4, Interface
from .visibility import VISIBLE

if TYPE_CHECKING:
    import socket

    from .gateways import Gateway

LinkKey = tuple[int, int]

RETRY_FIRST: Final = 1.0
"""Seconds until a socket that could not be opened is tried again the first time."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines about the same trouble."""


@dataclass(frozen=True)
class LanConfig:
    """
    Where to listen. `allow` and `deny` are names of interfaces; the unicast port is the first free of `ports` from
    `first_port` on, else any. `networks` are (gateway, visibility), for those where it is not `visibility`.
    """

    group4: str = "239.255.84.77"
    group6: str = "ff12::5472:6962"
    port: int = 32109
    first_port: int = 32110
    ports: int = 16
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ipv4: bool = True
    ipv6: bool = True
    visibility: str = VISIBLE
    networks: tuple[tuple[str, str], ...] = ()

    def group(self, family: int) -> str:
        """
        Get the group's address.
        """
        return self.group4 if family == IPV4 else self.group6


class Datagram(NamedTuple):
    """
    One datagram as it came in.
    """

    data: bytes
    link: LinkKey
    multicast: bool
    source: tuple[str, int]
    hop_limit: int | None


@dataclass
class LanLink:
    """
    The sockets on one interface in one family, or why there are none. A `silent` one is listened to, never spoken by.
    """

    interface: Interface
    family: int
    multicast: socket.socket | None = None
    unicast: socket.socket | None = None
    spare: socket.socket | None = None
    error: str | None = None
    send_error: str | None = None
    retry: float = RETRY_FIRST
    retry_at: float = 0.0
    rejoin_at: float = 0.0
    logged_at: float = field(default=-LOG_INTERVAL)
    visibility: str = VISIBLE
    gateways: tuple[Gateway, ...] = ()

    @property
    def silent(self) -> bool:
        """
        Whether nothing may be sent by it.
        """
        return self.visibility != VISIBLE

    @property
    def key(self) -> LinkKey:
        """
        Interface index and family.
        """
        return self.interface.index, self.family

    @property
    def address(self) -> tuple[str, int] | None:
        """
        Get the unicast address and port, None when closed.
        """
        if self.unicast is None:
            return None
        ip, port = self.unicast.getsockname()[:2]
        return ip.partition("%")[0], port


def same_network(before: tuple[Gateway, ...], now: tuple[Gateway, ...]) -> bool:
    """
    Tell whether gateways are those of before; a hardware address that was or is not known says nothing.
    """
    return len(before) == len(now) and all(
        one.ip == other.ip and (one.hardware_address == other.hardware_address
                                or None in (one.hardware_address, other.hardware_address))
        for one, other in zip(before, now, strict=True))


class LanListener:
    """
    Mixed into an IPv8 listener that wants to know how a datagram came in.
    """

    def on_datagram(self, datagram: Datagram) -> None:
        """
        Take one datagram.
        """
