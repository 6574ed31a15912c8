"""
A LAN on a virtual clock with one live source and viewers behind shaped links that lose packets, each on its own.

Bodies travel without heads and MACs, which count for the links all the same.
"""

from __future__ import annotations

import heapq
import itertools
from random import Random
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tests.transfer.session_lan import MBIT, WIRE, Pipe
from tribler_multicast.protocol.identity import Identity
from tribler_multicast.streams.live.descriptor import Descriptor
from tribler_multicast.streams.live.limits import REPORT_EACH, VIEWER_GONE
from tribler_multicast.streams.live.messages import Arrived
from tribler_multicast.streams.live.opened import GROUP
from tribler_multicast.streams.live.source import Source
from tribler_multicast.streams.live.viewer import Data, Head, Over, Viewer
from tribler_multicast.transfer.session.limits import FRAME
from tribler_multicast.transfer.session.packets import HEAD, MAC_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tribler_multicast.streams.live.datagrams import Batch
    from tribler_multicast.streams.live.messages import Need

IDENTITY = Identity(default_eccrypto.generate_key("curve25519"))
CONTROL = 260
"""Bytes of a message between two peers, and of headers."""


def describe(name: str = "camera", identity: Identity = IDENTITY) -> Descriptor:
    """Describe a stream."""
    return Descriptor.sign(identity, bytes(16), 1_700_000_000_000, name, "video/mp2t")


def bodies(batch: Batch) -> list[bytes]:
    """Take a batch apart."""
    return [bytes(batch.datagrams[at + HEAD.size:at + batch.size - MAC_SIZE])
            for at in range(0, len(batch.datagrams), batch.size)]


class Node:
    """
    A viewer, what it played, and its link.
    """

    def __init__(self, lan: LiveLan, name: bytes, down: Pipe, up: Pipe) -> None:
        self.lan, self.name, self.down, self.up = lan, name, down, up
        self.viewer: Viewer | None = None
        self.played = bytearray()
        self.first: int | None = None
        self.holes = 0
        self.head = b""
        self.over = False
        self.delays: list[float] = []
        self.times: list[float] = []
        self.joined = 0.0
        self.is_dead = False
        self.is_deaf = False
        self.came = 0
        self.least, self.queue = float("inf"), 0.0
        self.timer = float("inf")
        self.lied: Callable[[int, bytes], bytes] | None = None
        """What it makes of what it gives to others."""

    def join(self) -> None:
        lan = self.lan
        self.joined = lan.now
        assert lan.source.join(self.name, lan.now)
        head = lan.source.history.head
        self.viewer = Viewer(lan.source.descriptor, lan.source.start_for(lan.mark, lan.now), lan.source.newest,
                             0 if head is None else head[0], Random(self.name), lan.now)
        lan.tell_roster()
        self.report()
        self.look()

    def report(self) -> None:
        if not self.is_dead:
            self.lan.at(self.lan.now + REPORT_EACH, self.report)
            self.lan.ask(self, None, ())

    def receive(self, form: int, body: bytes, who: bytes | None, took: float) -> None:
        if self.viewer is not None and not self.is_dead:
            if who == GROUP:
                self.came += 1
                self.least = min(self.least, took)
                self.queue += 0.1 * (took - self.least - self.queue)
            self.viewer.datagram(form, memoryview(body), who, self.lan.now)
            self.look()

    def look(self) -> None:
        viewer, lan = self.viewer, self.lan
        if viewer is None or self.is_dead:
            return
        if lan.now >= viewer.due:
            for ask in viewer.asks(lan.now):
                lan.ask(self, ask.who, ask.needs)
        for event in viewer.events:
            if isinstance(event, Data):
                self.play(event)
            elif isinstance(event, Head):
                self.head = event.data
            elif isinstance(event, Over):
                self.over = True
        viewer.events.clear()
        when = max(viewer.due, lan.now + 0.001)
        if when < self.timer:
            self.timer = when
            lan.at(when, self.wake)

    def play(self, event: Data) -> None:
        if self.first is None:
            self.first = event.position
        elif event.position != self.first + len(self.played):
            self.holes += 1
            self.played += bytes(event.position - self.first - len(self.played))
        self.played += event.data
        self.delays.append(self.lan.now - event.cut / 1e6 - self.lan.source.began)
        self.times.append(self.lan.now)

    def wake(self) -> None:
        if self.lan.now >= self.timer:
            self.timer = float("inf")
            self.look()


class LiveLan:
    """
    A source, its viewers, and what is between them.
    """

    def __init__(self, viewers: int, *, rate: float = 4 * MBIT, link: float = 20 * MBIT,
                 source_link: float | None = None, loss: float = 0.0, seed: int = 1, queue: float = 0.05) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.rate = rate
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self.source = Source(describe(), IDENTITY, Random(seed), 0.0)
        self.up = Pipe(source_link or link, queue)
        self.down = Pipe(source_link or link, queue)
        self.loss = loss
        self.nodes = {name: Node(self, name, Pipe(link, queue), Pipe(link, queue))
                      for name in (b"viewer %013d" % number for number in range(viewers))}
        self.fed = bytearray()
        self.mark: int | None = None
        self.feeding = True
        self.group_sent = 0
        self._timer = float("inf")

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._count), what))

    def start(self) -> None:
        """Begin to feed."""
        self.at(0.0, self.feed)

    def feed(self) -> None:
        if self.feeding:
            data = self.random.randbytes(int(self.rate * 0.02))
            self.fed += data
            self.source.feed(data, self.now)
            self.at(self.now + 0.02, self.feed)
        self.pump()

    def pump(self) -> None:
        """Send what the source sends now."""
        for to, batch in self.source.take(self.now):
            whom = list(self.nodes.values()) if to is None else [self.nodes[to]] if to in self.nodes else []
            for body in bodies(batch):
                if to is None:
                    self.group_sent += 1
                self.carry(self.up, batch.form, body, GROUP if to is None else None, whom)
        when = self.source.next_timer(self.now)
        if when < self._timer:
            self._timer = when
            self.at(when, self.pump_again)

    def pump_again(self) -> None:
        if self.now >= self._timer:
            self._timer = float("inf")
            self.pump()

    def carry(self, up: Pipe, form: int, body: bytes, who: bytes | None, whom: Iterable[Node]) -> None:
        size = HEAD.size + len(body) + MAC_SIZE + FRAME
        through = up.send(self.now, size)
        if through is None:
            return
        for node in whom:
            if node.viewer is None or node.is_dead or (who == GROUP and node.is_deaf):
                continue
            arrives = node.down.send(through, size)
            if arrives is not None and self.random.random() >= self.loss:
                took = arrives + WIRE - self.now
                self.at(arrives + WIRE, lambda node=node, took=took: node.receive(form, body, who, took))  # type: ignore[misc]

    def ask(self, node: Node, who: bytes | None, needs: tuple[Need, ...]) -> None:
        """Carry a question."""
        arrived = Arrived(self.group_sent, min(node.came, self.group_sent), node.queue)
        size = CONTROL + 6 * len(needs)
        to = self.down if who is None else self.nodes[who].down
        through = node.up.send(self.now, size)
        arrives = None if through is None else to.send(through, size)
        if arrives is None or self.random.random() < self.loss:
            return
        if who is None:
            self.at(arrives + WIRE, lambda: self.source_asked(node, needs, arrived))
        else:
            self.at(arrives + WIRE, lambda: self.helper_asked(self.nodes[who], node, needs))

    def source_asked(self, node: Node, needs: tuple[Need, ...], arrived: Arrived) -> None:
        self.source.needs_received(node.name, needs, arrived, self.now)
        self.pump()

    def helper_asked(self, helper: Node, node: Node, needs: tuple[Need, ...]) -> None:
        if helper.viewer is None or helper.is_dead:
            return
        for batch in helper.viewer.giver.give(node.name, needs, self.now).batches:
            for body in bodies(batch):
                said = body if helper.lied is None else helper.lied(batch.form, body)
                self.carry(helper.up, batch.form, said, helper.name, [node])

    def kill(self, node: Node) -> None:
        """Switch a viewer off; its source notices after a while."""
        node.is_dead = True
        self.at(self.now + VIEWER_GONE + 0.1, self.tell_roster)

    def tell_roster(self) -> None:
        there = [node for node in self.nodes.values() if node.viewer is not None and not node.is_dead]
        for node in there:
            assert node.viewer is not None
            node.viewer.helpers.set(other.name for other in there if other is not node)

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._events and self._events[0][0] <= until:
            when, _, what = heapq.heappop(self._events)
            self.now = max(self.now, when)
            what()
        self.now = until

    def end(self) -> None:
        """End the stream, and let everybody get it."""
        self.feeding = False
        self.source.end(self.now)
        self.pump()
        self.run(self.now + 5)
