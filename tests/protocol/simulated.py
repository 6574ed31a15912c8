"""
A LAN on a virtual clock: real protocol instances, a switch that loses and delays datagrams, and an attacker's hands.

No socket, no thread, no waiting: an hour takes as long as its events do.
"""
from __future__ import annotations

import heapq
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.core import MulticastProtocol
from tribler_multicast.protocol.events import Event, PeerAnswered, PeerGone, PeerLocal
from tribler_multicast.protocol.identity import Identity
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from tribler_multicast.protocol.sealing import Seal

LATENCY = 0.0002


@dataclass
class Seen:
    """
    How a datagram came in, as the protocol wants to know it.
    """

    link: tuple[int, int]
    multicast: bool
    source: tuple[str, int]
    hop_limit: int | None


def identity_from(seed: str) -> Identity:
    """Make the same key for the same seed: who challenges whom depends on the order of the keys."""
    secret = sha256(seed.encode()).digest()
    return Identity(default_eccrypto.key_from_private_bin(b"LibNaCLSK:" + secret + sha256(secret).digest()))


def introduction_of(ip: str, port: int = 32110) -> bytes:
    """Write the payload of an INTRODUCTION that says it comes from there."""
    return Address(4 if "." in ip else 6, ip, port).pack() + Introduction(5.0).pack()


class Node:
    """
    One machine with one interface on one simulated LAN.
    """

    def __init__(self, lan: SimulatedLan, number: int, **kwargs: object) -> None:
        self.lan = lan
        self.number = number
        self.identity = identity_from(f"{lan.seed} {number}")
        self.links = [Link(2, 4, f"10.0.{number >> 8}.{number & 255}", 32110, ("10.0.0.1/16",))]
        self.seal = kwargs.pop("seal", None)
        self.kwargs = kwargs
        self.epoch = kwargs.pop("epoch", 0)
        self.history: list[tuple[float, Event]] = []
        self.alive = False
        self.wake: float | None = None
        self.boot()

    def boot(self) -> None:
        """Start the protocol afresh with the same identity, as a restarted process does."""
        self.epoch += 1
        self.core = MulticastProtocol(self.identity, self.epoch, Introduction(5.0, nickname=f"node {self.number}"),
                                      Random(self.number * 1000 + self.epoch), **self.kwargs)
        self.alive = True
        self.wake = None
        self.core.set_links(self.links, self.lan.now)
        self.core.set_seal(self.seal, self.lan.now)
        self.core.start(self.lan.now)
        self.flush()

    def kill(self) -> None:
        """Fall silent with no goodbye, as after kill -9."""
        self.alive = False

    def leave(self) -> None:
        """Say goodbye and go."""
        self.core.stop()
        self.flush()
        self.alive = False

    def rekey(self, seal: Seal | None) -> None:
        """Go into another group, or out of it."""
        self.seal = seal
        self.core.set_seal(seal, self.lan.now)
        self.flush()

    def address(self, family: int = 4) -> tuple[str, int]:
        return next((link.ip, link.port) for link in self.links if link.family == family)

    def receive(self, data: bytes, seen: Seen) -> None:
        if self.alive:
            self.core.datagram_received(data, seen, self.lan.now)
            self.flush()

    def run(self) -> None:
        self.wake = None
        if self.alive:
            self.core.run_timers(self.lan.now)
            self.flush()

    def flush(self) -> None:
        for destination, data in self.core.take_outgoing():
            source = next((link.ip, link.port) for link in self.links if link.key == destination.link)
            self.lan.transmit(self, destination.link[1], source, destination.address, data)
        self.history += [(self.lan.now, event) for event in self.core.take_events()]
        due = self.core.next_timer()
        if self.alive and due is not None and (self.wake is None or due < self.wake):
            self.wake = due
            self.lan.at(due, self.run)

    def knows(self, other: Node) -> bool:
        return self.core.peers.get(other.identity.key) is not None

    def gone(self, other: Node) -> list[tuple[float, str]]:
        return [(when, event.reason) for when, event in self.history
                if isinstance(event, PeerGone) and event.peer.key == other.identity.key]

    def greeted(self, other: Node) -> list[float]:
        return [when for when, event in self.history
                if isinstance(event, PeerLocal) and event.first and event.peer.key == other.identity.key]

    def answers(self) -> list[PeerAnswered]:
        return [event for _, event in self.history if isinstance(event, PeerAnswered)]

    def dropped(self, reason: str) -> int:
        return self.core.counters.dropped[reason]


class SimulatedLan:
    """
    A switch with nodes on it; `loss` is the chance that one receiver does not get one datagram.
    """

    def __init__(self, loss: float = 0.0, seed: int = 1) -> None:
        self.now = 1000.0
        self.loss = loss
        self.seed = seed
        self.random = Random(seed)
        self.nodes: list[Node] = []
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.wire: list[tuple[float, Node | None, int, tuple[str, int], tuple[str, int] | None, bytes]] = []
        self.filter: Callable[[Node, bytes], bool] = lambda _node, _data: True

    def node(self, **kwargs: object) -> Node:
        node = Node(self, len(self.nodes) + 1, **kwargs)
        self.nodes.append(node)
        return node

    def at(self, when: float, call: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.queue, (max(when, self.now), self.count, call))

    def transmit(self, sender: Node | None, family: int, source: tuple[str, int], target: tuple[str, int] | None,
                 data: bytes, hop_limit: int | None = None) -> None:
        """Put a datagram on the wire; `sender` None is an attacker, who may name any source."""
        self.wire.append((self.now, sender, family, source, target, data))
        hops = hop_limit if hop_limit is not None else 1 if target is None else 255
        for node in self.nodes:
            for link in node.links:
                if link.family == family and (target is None or target == (link.ip, link.port)):
                    if self.random.random() < self.loss or not self.filter(node, data):
                        continue
                    seen = Seen(link.key, target is None, source, hops)
                    self.at(self.now + LATENCY, lambda node=node, seen=seen: node.receive(data, seen))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.queue and self.queue[0][0] <= end:
            when, _, call = heapq.heappop(self.queue)
            self.now = max(self.now, when)
            call()
        self.now = end

    def of_kind(self, kind: int, sender: Node | None = None) -> list[bytes]:
        """Get the datagrams of one kind that were on the wire."""
        return [data for _, node, _, _, _, data in self.wire if data[22] == kind and (sender is None or node is sender)]
