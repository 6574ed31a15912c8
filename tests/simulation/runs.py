"""
What is measured of a simulated LAN: how it settles, what it says when it has settled, and how a newcomer gets on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .lan import Node, SimulatedLan

SETTLED = 0.999
"""The part of all pairs that must be verified."""

QUIET = 150.0
"""Seconds after which every node has introduced itself at its last pace."""


@dataclass
class Settling:
    """A LAN that powers up within some seconds."""

    nodes: int
    full: int
    seconds: float
    """Until full nodes had verified 99.9 % of all others; infinite for never."""
    introductions_highest: int
    packets_highest: int
    bytes_sent_per_minute: float
    bytes_received_per_minute: float
    buffer_highest: int
    lost_for_want_of_room: int


@dataclass
class Steady:
    """A LAN that has settled."""

    nodes: int
    introductions: float
    introductions_highest: int
    packets: float
    packets_highest: int
    bytes_sent_per_minute: float
    bytes_received_per_minute: float
    buffer_highest: int


@dataclass
class Newcome:
    """Seconds from the start of a newcomer until it knew, and had verified, 95 % of all."""

    nodes: int
    knows: float
    verified: float
    buffer_highest: int
    lost_for_want_of_room: int


def document(figures: Settling | Steady | Newcome) -> dict[str, Any]:
    """Return it for JSON."""
    return asdict(figures)


def power_up(lan: SimulatedLan, within: float = 5.0, patience: float = 1200.0,
             tell: Callable[[str], None] = lambda _text: None) -> Settling:
    """Start all nodes within some seconds and wait until they have settled."""
    begin = lan.now
    lan.start_within(within)
    lan.run(max(1.0, within))
    while lan.verified() < SETTLED and lan.now - begin < patience:
        lan.run(1.0)
        if (lan.now - begin) % 10 < 1:
            tell(f"{lan.count} nodes, {lan.now - begin:.0f} s: {lan.verified():.1%} verified")
    seconds = lan.now - begin if lan.verified() >= SETTLED else float("inf")
    sent, received = lan.bytes_per_minute(begin, lan.now)
    highest, lost = lan.buffers()
    return Settling(len(lan.nodes), len(lan.full), seconds, lan.introductions(begin, lan.now)[1],
                    lan.packets(begin, lan.now)[1], sent, received, highest, lost)


def steady(lan: SimulatedLan, seconds: float = 240.0, wait: float = QUIET) -> Steady:
    """Watch a settled LAN for so long, after a wait."""
    lan.run(wait)
    for node in lan.full:
        node.traffic.highest = 0
    begin = lan.now
    lan.run(seconds)
    sent, received = lan.bytes_per_minute(begin, lan.now)
    mean, highest = lan.introductions(begin, lan.now)
    packets, packets_highest = lan.packets(begin, lan.now)
    return Steady(len(lan.nodes), mean, highest, packets, packets_highest, sent, received, lan.buffers()[0])


def newcome(lan: SimulatedLan, patience: float = 120.0, part: float = 0.95) -> tuple[Newcome, Node]:
    """Let a newcomer start on a settled LAN."""
    begin = lan.now
    others = {node.identity.key for node in lan.nodes if node.alive}
    node = lan.add(full=True)
    node.start()
    knows = verified = float("inf")
    while verified == float("inf") and lan.now - begin < patience:
        lan.run(0.1)
        if knows == float("inf") and len(node.knows() & others) >= part * len(others):
            knows = lan.now - begin
        if len(node.core.peers.peers.keys() & others) >= part * len(others):
            verified = lan.now - begin
    return Newcome(len(lan.nodes), knows, verified, node.traffic.highest, node.traffic.lost), node
