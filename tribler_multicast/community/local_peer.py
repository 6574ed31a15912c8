"""What the community tells of peers and interfaces."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class LocalPeer:
    """
    A peer that is verified on our LAN now.

    `public_key` is IPv8's (74 bytes), `mid` 20 bytes; addresses are (`ipv4` or `ipv6`, IP, port) of its unicast
    sockets, services (`ipv8` or `libtorrent`, IP, port) of its client; `rtt` in seconds, `first_seen` (of this stay)
    and `last_seen` in Unix seconds, `friend` `none`, `sent`, `received` or `mutual`.
    """

    public_key: bytes
    mid: bytes
    nickname: str
    capabilities: frozenset[str]
    addresses: list[tuple[str, str, int]]
    services: list[tuple[str, str, int]]
    interface: str | None
    rtt: float | None
    first_seen: float
    last_seen: float
    epoch: int
    friend: str = "none"


class Discovered(NamedTuple):
    """
    A peer that answered a discovery: where from, and what it offers.
    """

    peer: LocalPeer
    address: tuple[str, int]
    capabilities: frozenset[str]


@dataclass(frozen=True)
class PingResult:
    """
    What pinging one peer gave. `loss` is between 0 and 1; times are round trips in seconds, None when unknown: `min`,
    `avg` and `max` of multicast there and unicast back, `unicast_rtt` of unicast both ways. `throughput_mbps` is what
    the link there carries by multicast in Mbit/s, counted in whole Ethernet frames; None when not measured.
    """

    mid: bytes
    sent: int
    received: int
    loss: float
    min: float | None
    avg: float | None
    max: float | None
    unicast_rtt: float | None
    throughput_mbps: float | None = None


@dataclass(frozen=True)
class InterfaceStatus:
    """
    One interface in use, or one that can't be used and why. `joined` lists the families, `note` is "", `vpn` or
    `container`, `gateway` has `ip` and `hardware_address` of the network's default gateway where they are known, and
    `visibility` is what holds there: `visible`, `listen` or `off`.
    """

    name: str
    index: int
    addresses: list[str]
    joined: list[str] = field(default_factory=list)
    error: str | None = None
    note: str = ""
    port: int | None = None
    gateway: dict[str, str | None] | None = None
    visibility: str = "visible"
