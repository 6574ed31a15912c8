"""
A LAN of thousands of nodes on a virtual clock, with the real protocol classes.

Full nodes do all that a node does. Of thousands, some are full and the rest are light: they introduce themselves, and
verify and answer full nodes, with the real classes too; but among each other they do not speak, and where a node goes
by how many peers it has, they go by how many the full ones have on average. So a full node meets all that it would
meet, and a run costs full x all, not all x all.

Each node has a processor, and two sockets with the receive buffer that Linux gives by default. A datagram waits there
until the processor has time; when the buffer is full it is lost.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.protocol.budget import Recent, TokenBucket
from tribler_multicast.protocol.core import MulticastProtocol
from tribler_multicast.protocol.events import PeerLocal
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.limits import VERIFIED_BURST, VERIFIED_PER_SECOND
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.pages import Pages
from tribler_multicast.protocol.peers import PeerTable
from tribler_multicast.protocol.wire import KIND_NAMES

from .cached import WORK, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LATENCY = 0.0005
JITTER = 0.0005
"""Seconds a datagram takes, and at most so much more."""

RECEIVE_BUFFER = 212_992
"""Bytes, Linux's net.core.rmem_default."""

TRUESIZE = 2304
"""Bytes charged to it for each datagram, whatever its size: half a page and the sk_buff, as many network drivers do."""

PER_DATAGRAM = 5e-6
PER_OPERATION = 100e-6
"""Seconds of a processor: a datagram that is dropped early, and each signature checked or made and secret agreed on.
`python -m bench.crypto` measures 4, 66, 26 and 60 microseconds; what Python does around them is in the difference."""

HEADERS = 14 + 20 + 8
"""Bytes of Ethernet, IPv4 and UDP around a datagram."""

LINK = (2, 4)


@dataclass(slots=True)
class Seen:
    """How a datagram came in."""

    multicast: bool
    source: tuple[str, int]
    hop_limit: int
    link: tuple[int, int] = LINK


@dataclass
class Traffic:
    """What one node sent and received per second, and the most that waited in its buffers (bytes)."""

    sent: Counter[int] = field(default_factory=Counter)
    received: Counter[int] = field(default_factory=Counter)
    sent_bytes: Counter[int] = field(default_factory=Counter)
    received_bytes: Counter[int] = field(default_factory=Counter)
    highest: int = 0
    lost: int = 0


class CrowdTable(PeerTable):
    """The table of a light node, which holds few but counts like one that holds all."""

    lan: SimulatedLan

    @property
    def address_count(self) -> int:
        return round(self.lan.mean_addresses)


class CrowdPages(Pages):
    """The pages of a light node: those of some full one."""

    whose: Pages | None = None

    def known(self, link: tuple[int, int]) -> Iterator[bytes]:
        return self.whose.known(link) if self.whose is not None else iter(())

    def stored(self, key: bytes, link: tuple[int, int]) -> bytes:
        return self.whose.stored(key, link) if self.whose is not None else b""


class Node:
    """One machine with one interface."""

    def __init__(self, lan: SimulatedLan, number: int, full: bool) -> None:
        self.lan = lan
        self.number = number
        self.full = full
        self.identity = identity_of(f"{lan.seed} {number}")
        self.address = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 32110)
        self.traffic = Traffic()
        self.buffers: tuple[deque[float], deque[float]] = (deque(), deque())
        self.busy_until = 0.0
        self.wake = float("inf")
        self.verified_at: dict[bytes, float] = {}
        self.alive = False
        self.core = MulticastProtocol(self.identity, 1, Introduction(5.0), Random(f"{lan.seed} {number}"))
        if not full:
            self.lighten()

    def lighten(self) -> None:
        """Let this node stand for one in the crowd: it deals with the full ones only, at its share of the pace."""
        core, lan = self.core, self.lan
        core.gate.stamped = Recent(1 << 13, 1 << 20, 600.0)
        core.peers = core.gate.peers = CrowdTable()
        core.peers.lan = lan
        share = lan.full_count / lan.count
        wanted = core.exchange.wanted
        wanted.pace = TokenBucket(VERIFIED_PER_SECOND * share, max(1.0, VERIFIED_BURST * share))
        if lan.random.random() > VERIFIED_BURST * share:
            wanted.pace.tokens = lan.random.random()
        wanted.crowd = lambda now: round(lan.mean_crowd)  # type: ignore[method-assign]
        core.puller.start = lambda now: None  # type: ignore[method-assign]
        core.pages.__class__ = CrowdPages

    def start(self) -> None:
        WORK.count = 0
        self.alive = True
        self.lan.give_pages(self)
        self.core.set_links([Link(*LINK, *self.address, ("10.0.0.0/8",))], self.lan.now)
        self.core.start(self.lan.now)
        self.flush()

    def receive(self, data: bytes, seen: Seen) -> None:
        """Take in a datagram if there is room for it, and let the processor be busy with it."""
        if not self.alive:
            return
        now, traffic = self.lan.now, self.traffic
        buffer = self.buffers[seen.multicast]
        while buffer and buffer[0] <= now:
            buffer.popleft()
        held = len(buffer) * TRUESIZE
        if held > RECEIVE_BUFFER:
            traffic.lost += 1
            return
        traffic.highest = max(traffic.highest, held + TRUESIZE)
        second = int(now)
        traffic.received[second] += 1
        traffic.received_bytes[second] += len(data) + HEADERS
        WORK.count = 0
        self.core.datagram_received(data, seen, now)
        self.flush(PER_DATAGRAM)
        buffer.append(self.busy_until)

    def run(self) -> None:
        if self.lan.now < self.wake:
            return  # A timer that was to be looked at was made earlier since.
        self.wake = float("inf")
        if self.alive:
            WORK.count = 0
            self.core.run_timers(self.lan.now)
            self.flush()

    def flush(self, base: float = 0.0) -> None:
        """Send what there is to send, and be busy with what was done."""
        core, lan = self.core, self.lan
        if core.outbox.waiting:
            for destination, data in core.take_outgoing():
                lan.transmit(self, destination.address, data)
        if core.events:
            for event in core.take_events():
                if isinstance(event, PeerLocal) and event.first:
                    self.verified_at.setdefault(event.peer.key, lan.now)
        self.busy_until = max(self.busy_until, lan.now) + base + WORK.take() * PER_OPERATION
        due = core.next_timer()
        if due is not None and due < self.wake:
            self.wake = due
            lan.at(due, self.run)

    def knows(self) -> set[bytes]:
        """Get the keys that it verified or knows as candidates."""
        return set(self.core.peers.peers) | {key for key, _ in self.core.candidates.table}


class SimulatedLan:
    """
    A switch with `count` nodes on it, `full_count` of them full; `loss` is the chance that one receiver does not get
    one datagram.
    """

    def __init__(self, count: int, full_count: int | None = None, loss: float = 0.0, seed: int = 1) -> None:
        self.now = 1000.0
        self.count = count
        self.full_count = min(count, full_count or count)
        self.loss = loss
        self.seed = seed
        self.random = Random(seed)
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.made = 0
        self.mean_addresses = self.mean_crowd = 0.0
        self.nodes: list[Node] = []
        self.full: list[Node] = []
        self.light: list[Node] = []
        self.at_address: dict[tuple[str, int], Node] = {}
        self.sent: dict[str, Counter[int]] = {name: Counter() for name in KIND_NAMES.values()}
        every = max(1, count // self.full_count)
        for number in range(count):
            self.add(number % every == 0 and len(self.full) < self.full_count)
        self.average()

    def add(self, full: bool) -> Node:
        node = Node(self, len(self.nodes) + 1, full)
        self.nodes.append(node)
        (self.full if full else self.light).append(node)
        self.at_address[node.address] = node
        return node

    def average(self) -> None:
        """Let light nodes count what full ones do."""
        alive = [node.core for node in self.full if node.alive]
        if alive:
            self.mean_addresses = sum(core.peers.address_count for core in alive) / len(alive)
            self.mean_crowd = sum(core.exchange.wanted.crowd(self.now) for core in alive) / len(alive)
        self.at(self.now + 0.05, self.average)

    def give_pages(self, node: Node) -> None:
        """Let a light node hand on what some full node heard."""
        if isinstance(node.core.pages, CrowdPages):
            node.core.pages.whose = self.random.choice(self.full).core.pages

    def start_within(self, seconds: float) -> None:
        """Start all at random times; the full ones among the first as often as among the last."""
        times = sorted(self.random.uniform(0.0, seconds) for _ in self.nodes)
        every = max(1, self.count // self.full_count)
        mine = times[::every][:self.full_count]
        others = sorted(set(times) - set(mine))
        self.random.shuffle(others)
        for nodes, when in ((self.full, mine), (self.light, others)):
            for node, delay in zip(nodes, when, strict=True):
                self.at(self.now + delay, node.start)

    def at(self, when: float, call: Callable[[], None]) -> None:
        self.made += 1
        heapq.heappush(self.queue, (max(when, self.now), self.made, call))

    def transmit(self, sender: Node, target: tuple[str, int] | None, data: bytes) -> None:
        second = int(self.now)
        self.sent[KIND_NAMES[data[22]]][second] += 1
        sender.traffic.sent[second] += 1
        sender.traffic.sent_bytes[second] += len(data) + HEADERS
        when = self.now + LATENCY + self.random.random() * JITTER
        if target is None:
            seen = Seen(True, sender.address, 1)
            self.at(when, lambda: self.deliver(sender, data, seen))
            return
        node = self.at_address.get(target)
        if node is not None and not (self.loss and self.random.random() < self.loss):
            seen = Seen(False, sender.address, 255)
            self.at(when, lambda: node.receive(data, seen))

    def deliver(self, sender: Node, data: bytes, seen: Seen) -> None:
        """Give a multicast datagram to all that are to hear it: one event for all of them."""
        random, loss = self.random.random, self.loss
        for nodes in (self.full, self.light) if sender.full else (self.full,):
            for node in nodes:
                if node is not sender and node.alive and not (loss and random() < loss):
                    node.receive(data, seen)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        queue = self.queue
        while queue and queue[0][0] <= end:
            when, _, call = heapq.heappop(queue)
            self.now = max(self.now, when)
            call()
        self.now = end

    def verified(self) -> float:
        """Get which part of all others the full nodes have verified, on average."""
        others = sum(node.alive for node in self.nodes) - 1
        return sum(len(node.core.peers) for node in self.full) / len(self.full) / max(1, others)

    # --- Figures.

    def introductions(self, begin: float, end: float) -> tuple[float, int]:
        """Get introductions per second on the LAN: mean, and in the highest second."""
        seconds = range(int(begin), int(end))
        counts = [self.sent["introduction"][second] for second in seconds]
        return sum(counts) / len(counts), max(counts)

    def packets(self, begin: float, end: float) -> tuple[float, int]:
        """Get packets per second on the whole LAN: mean, and in the highest second; from what full nodes send."""
        counts = [sum(node.traffic.sent[second] for node in self.full) * len(self.nodes) / len(self.full)
                  for second in range(int(begin), int(end))]
        return sum(counts) / len(counts), round(max(counts))

    def bytes_per_minute(self, begin: float, end: float) -> tuple[float, float]:
        """Get bytes that a node sends and receives per minute, on average."""
        seconds = range(int(begin), int(end))
        sent = sum(node.traffic.sent_bytes[second] for node in self.full for second in seconds)
        received = sum(node.traffic.received_bytes[second] for node in self.full for second in seconds)
        scale = 60 / len(seconds) / len(self.full)
        return sent * scale, received * scale

    def buffers(self) -> tuple[int, int]:
        """Get the most bytes that waited in a receive buffer, and the datagrams lost for want of room."""
        return max(node.traffic.highest for node in self.full), sum(node.traffic.lost for node in self.full)
