"""
A LAN on a virtual clock: one sender, receivers behind shaped links that lose packets, each on its own.

Symbols may be tiny (`symbol`): then links are slower by as much as datagrams are shorter, so that all takes the same
time and the same number of datagrams as with real ones. Bytes are told as they would be with real symbols.
"""

from __future__ import annotations

import heapq
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.transfer.content.tree import HashTree, leaf_hash
from tribler_multicast.transfer.session.events import AllStored, SegmentReady
from tribler_multicast.transfer.session.geometry import Geometry
from tribler_multicast.transfer.session.limits import FRAME, LEAST_RATE, START_RATE
from tribler_multicast.transfer.session.messages import LACKS_ROOM
from tribler_multicast.transfer.session.packets import OVERHEAD
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import lacking_segments
from tribler_multicast.transfer.session.scheduler import Scheduler
from tribler_multicast.transfer.session.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from tribler_multicast.transfer.session.events import Event

REAL_SYMBOL = 1344
TINY_SYMBOL = 16
MEBIBYTE = 1 << 20
MBIT = 1e6 / 8
WIRE = 0.0001
CONTROL = 120
"""Bytes that the overlay puts around a control message: prefix, kind, guard, seal."""
TAG = b"session1"
KEY = bytes(range(32))


class Cut:
    """
    A content of some segments.
    """

    def __init__(self, size: int, segment_size: int) -> None:
        self.size = size
        self.segment_size = segment_size
        self.segments = -(-size // segment_size)

    def length(self, segment: int) -> int:
        return min(self.segment_size, self.size - segment * self.segment_size)


class Content:
    """
    Bytes to send, cut for tiny symbols or real ones.
    """

    def __init__(self, size: int, symbol: int = TINY_SYMBOL, k: int = 64, seed: int = 1) -> None:
        segment = -(-MEBIBYTE * symbol // REAL_SYMBOL)
        self.scale = (FRAME + OVERHEAD + REAL_SYMBOL) / (FRAME + OVERHEAD + symbol)
        self.cut = Cut(-(-size * symbol // REAL_SYMBOL), segment)
        self.geometry = Geometry(self.cut, k, symbol, segment)
        self.real_size = size
        random = Random(seed)
        self.segments = [random.randbytes(self.cut.length(number)) for number in range(self.cut.segments)]
        self.tree = HashTree.of_leaves(b"".join(leaf_hash(segment) for segment in self.segments))


class Pipe:
    """
    A shaped link with a queue in front of it: bytes per second, seconds of queue, chance of loss behind it.
    """

    def __init__(self, rate: float, queue: float = 0.05, loss: float = 0.0) -> None:
        self.rate = rate
        self.queue = queue
        self.loss = loss
        self.busy = 0.0
        self.bytes = 0
        self.overflowed = 0

    def send(self, now: float, size: float) -> float | None:
        """Get when it is through; None when the queue is full."""
        begin = max(now, self.busy)
        if begin - now > self.queue:
            self.overflowed += 1
            return None
        self.busy = begin + size / self.rate
        self.bytes += size
        return self.busy


class Node:
    """
    A receiver, what it stored, and its link.
    """

    def __init__(self, lan: SessionLan, number: int, down: Pipe, up: Pipe) -> None:
        self.lan, self.number, self.down, self.up = lan, number, down, up
        self.name = b"receiver %d" % number
        self.key = sha256(self.name).digest()
        self.content = lan.content
        self.clock_offset = 1000.0 * number
        self.receiver: Receiver | None = None
        self.segments: dict[int, bytes] = {}
        self.done: float | None = None
        self.events: list[Event] = []
        self.wake: float | None = None
        self.deaf = False

    def join(self) -> None:
        """Join, as JOIN and ACCEPT do: with what is here already."""
        content, lan = self.content, self.lan
        tree = HashTree(content.cut.segments, content.tree.root)
        self.receiver = Receiver(content.geometry, tree, tree.add, tag=lan.sender.tag, keys=(KEY, self.key),
                                 random=Random(self.number), now=self.local(lan.now), stored=self.segments,
                                 sealed=lan.sender.sealed)
        lan.sender.join(self.name, self.key, lan.now, lacking_segments(self.segments, content.cut.segments, LACKS_ROOM))
        lan.pump()

    def local(self, when: float) -> float:
        return when + self.clock_offset

    def receive(self, arrived: list[tuple[float, bytes | memoryview]]) -> None:
        if self.receiver is None or self.deaf:
            return
        for when, datagram in arrived:
            self.receiver.data_received(datagram, self.local(when))
        self.serve()

    def serve(self) -> None:
        receiver = self.receiver
        if receiver is None:
            return
        receiver.run_timers(self.local(self.lan.now))
        for event in receiver.take_events():
            self.events.append(event)
            if isinstance(event, SegmentReady):
                is_good = bool(receiver.tree.check(event.segment, event.data))
                if is_good:
                    self.segments[event.segment] = event.data
                receiver.stored(event.segment, is_good)
                self.serve()
            elif isinstance(event, AllStored) and self.done is None:
                self.done = self.lan.now
        for report in receiver.take_reports():
            through = self.up.send(self.lan.now, (len(report) + CONTROL) / self.lan.content.scale)
            if through is not None and self.lan.random.random() >= self.up.loss:
                self.lan.at(through + WIRE, lambda report=report: self.lan.reported(self, report))
        # A nanosecond late: with its offset taken off and added again a time may be a hair earlier than it was.
        due = receiver.next_timer() - self.clock_offset + 1e-9
        if self.wake is None or due < self.wake or self.wake <= self.lan.now:
            self.wake = due
            self.lan.at(due, self.woken)

    def woken(self) -> None:
        if self.wake is not None and self.lan.now >= self.wake:
            self.wake = None
            self.serve()

    @property
    def is_equal(self) -> bool:
        return [self.segments.get(number) for number in range(self.content.cut.segments)] == self.content.segments


class SessionLan:
    """
    A sender and receivers on a switch.
    """

    def __init__(self, content: Content, *, mbit: float = 100.0, queue: float = 0.05, seed: int = 1,
                 read_delay: float = 0.0005, sealed: bool = False) -> None:
        self.now = 0.0
        self.content = content
        self.random = Random(seed)
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.mbit, self.queue_time = mbit, queue
        self.up = self.pipe(mbit, queue)
        self.nodes: list[Node] = []
        self.rate = RateControl(0.0, start=START_RATE / content.scale, floor=LEAST_RATE / content.scale)
        self.scheduler = Scheduler(self.rate, 0.0)
        self.sender = Sender(content.geometry, content.tree, TAG, KEY, self.rate, sealed=sealed)
        self.scheduler.add(self.sender)
        self.read_delay = read_delay
        self.reading: set[int] = set()
        self.wake: float | None = None
        self.trace: list[tuple[float, float, float]] = []

    def pipe(self, mbit: float, queue: float = 0.05, loss: float = 0.0) -> Pipe:
        return Pipe(mbit * MBIT / self.content.scale, queue, loss)

    def node(self, *, mbit: float | None = None, loss: float = 0.0, queue: float | None = None) -> Node:
        mbit, queue = mbit or self.mbit, queue or self.queue_time
        node = Node(self, len(self.nodes) + 1, self.pipe(mbit, queue, loss), self.pipe(mbit, queue, loss))
        self.nodes.append(node)
        return node

    def at(self, when: float, call: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.events, (max(when, self.now), self.count, call))

    def reported(self, node: Node, report: bytes) -> None:
        self.sender.report_received(node.name, report, self.now)
        self.pump()

    def pump(self) -> None:
        """Let the sender send what is due."""
        self.sender.run_timers(self.now)
        for segment in self.sender.wanted():
            if segment not in self.reading:
                self.reading.add(segment)
                self.at(self.now + self.read_delay, lambda segment=segment: self.read(segment))
        for outgoing in self.scheduler.take(self.now):
            self.transmit(outgoing.batch.member, outgoing.batch.datagrams, outgoing.batch.size)
        due = max(self.now, self.scheduler.next_timer(self.now))
        if due <= self.now:
            due = self.now + 0.001
        if self.wake is None or due < self.wake or self.wake <= self.now:
            self.wake = due
            self.at(due, self.woken)

    def woken(self) -> None:
        if self.wake is not None and self.now >= self.wake:
            self.wake = None
            self.pump()

    def read(self, segment: int) -> None:
        self.reading.discard(segment)
        self.sender.give(segment, self.content.segments[segment])
        self.pump()

    def transmit(self, member: bytes | None, datagrams: bytearray, size: int) -> None:
        arrivals: dict[int, list[tuple[float, memoryview]]] = {}
        view = memoryview(datagrams).toreadonly()  # Several receivers read it.
        random = self.random.random
        is_data = size == OVERHEAD + self.content.geometry.symbol
        wire = size + FRAME if is_data else (size + FRAME) / self.content.scale
        targets = [node for node in self.nodes
                   if node.receiver is not None and not node.deaf and (member is None or node.name == member)]
        for at in range(0, len(datagrams), size):
            through = self.up.send(self.now, wire)
            if through is None:
                continue
            for node in targets:
                arrived = node.down.send(through + WIRE, wire)
                if arrived is not None and random() >= node.down.loss:
                    arrivals.setdefault(node.number, []).append((arrived + WIRE, view[at:at + size]))
        for number, found in arrivals.items():
            node = self.nodes[number - 1]
            self.at(found[-1][0], lambda node=node, found=found: node.receive(found))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> None:
        end = self.now + seconds
        while self.events and self.events[0][0] <= end:
            when, _, call = heapq.heappop(self.events)
            self.now = max(self.now, when)
            call()
            if until is not None and until():
                return
        self.now = end

    def run_until_done(self, seconds: float = 60.0) -> float:
        """Run until all have everything; get when the last one was done."""
        self.run(seconds, lambda: all(node.done is not None for node in self.nodes))
        assert all(node.done is not None for node in self.nodes), [node.done for node in self.nodes]
        assert all(node.is_equal for node in self.nodes)
        return max(node.done or 0.0 for node in self.nodes)

    @property
    def bytes_per_file(self) -> float:
        """Bytes that the sender put on its link, over those of the content."""
        return self.up.bytes * self.content.scale / self.content.real_size


class Greedy:
    """
    A flow like TCP Reno behind the same link: slow start, then one packet more each round trip, half after a loss.
    """

    SIZE = 1514.0

    def __init__(self, lan: SessionLan) -> None:
        self.lan = lan
        self.size = self.SIZE / lan.content.scale
        self.window, self.threshold = 10.0, 1e9
        self.flying = 0
        self.passed = 0.0
        self.halved_at = -1.0
        self.stopped = False
        lan.at(lan.now, self.send)

    def send(self) -> None:
        while self.flying < int(self.window) and not self.stopped:
            self.flying += 1
            sent = self.lan.now
            through = self.lan.up.send(sent, self.size)
            if through is None:
                self.lan.at(sent + self.lan.queue_time + 0.001, lambda sent=sent: self.lost(sent))
            else:
                self.lan.at(through + 0.0005, self.acknowledged)

    def acknowledged(self) -> None:
        self.flying -= 1
        self.passed += self.SIZE
        self.window += 1.0 if self.window < self.threshold else 1.0 / self.window
        self.send()

    def lost(self, sent: float) -> None:
        self.flying -= 1
        if sent > self.halved_at:
            self.halved_at = self.lan.now
            self.threshold = self.window = max(2.0, self.window / 2)
        self.send()
