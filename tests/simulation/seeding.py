"""
A LAN that settled long ago, without the hours of events that it took: every full node holds everybody as verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.pace import introduction_interval
from tribler_multicast.protocol.peers import Path, PeerState
from tribler_multicast.protocol.replay import ReplayWindow
from tribler_multicast.protocol.wire import PREFIX, Address, Kind, Writer

from .lan import LINK, Link, SimulatedLan

if TYPE_CHECKING:
    from .lan import Node


def settled(count: int, full: int | None = None, seed: int = 1) -> SimulatedLan:
    """Get a LAN on which all introduce themselves at their pace, each at some moment of its own."""
    lan = SimulatedLan(count, full, seed=seed)
    interval = introduction_interval(count - 1, 5.0)
    heard = {node.number: lan.now - lan.random.uniform(0.0, 0.8 * interval) for node in lan.nodes}
    said = {node.number: introduction(node, interval) for node in lan.nodes}
    for node in lan.nodes:
        node.alive = True
        node.core.started = lan.now - 1000.0
        node.core.outbox.writer.sequence = 1000
        node.core.set_links([Link(*LINK, *node.address, ("10.0.0.0/8",))], lan.now)
        node.core.take_outgoing()
        node.core.timers.heap.clear()
    for node in lan.full:
        for other in lan.nodes:
            if other is not node:
                hold(node, other, heard[other.number], interval, said[other.number])
                if not other.full:
                    hold(other, node, heard[node.number], interval, said[node.number])
    lan.average()
    for node in lan.nodes:
        lan.give_pages(node)
        node.core.introducer.before = interval
        node.core.introducer.schedule(heard[node.number])
        node.flush()
    return lan


def introduction(node: Node, interval: float) -> bytes:
    """Make the introduction that a node sent last."""
    payload = Address(4, *node.address).pack() + Introduction(interval).pack()
    return Writer(node.identity, 1).datagram(Kind.INTRODUCTION, 4, payload)[len(PREFIX):]


def hold(node: Node, other: Node, heard: float, interval: float, said: bytes) -> None:
    """Let a node hold another one as verified."""
    pair_key = node.identity.pair_key(other.identity.key)
    assert pair_key is not None
    peer = PeerState(other.identity.key, 1, Introduction(interval), pair_key, heard, ReplayWindow(1000))
    node.core.peers.set_path(peer, Path(LINK, other.address, heard, heard, confirmed=True, introduction=said))
    node.core.liveness.watch(peer, peer.paths[LINK], heard)
