"""
A LAN on a virtual clock as in `session_lan`, where receivers help each other.

Every node has a link of its own, both ways; control messages and helpers' data take them, too. Receivers lose what
arrives, and reports and HELPs to the source get lost as well.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session.coop_limits import ASK_LEAST, ASK_START
from tribler_multicast.transfer.session.cooperation import Cooperation, Message, SourceCooperation
from tribler_multicast.transfer.session.events import GroupMembership, PeerNamed
from tribler_multicast.transfer.session.limits import FRAME
from tribler_multicast.transfer.session.messages import LACKS_ROOM
from tribler_multicast.transfer.session.packets import OVERHEAD
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import lacking_segments

from .session_lan import CONTROL, KEY, WIRE, Content, Node, Pipe, SessionLan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tribler_multicast.transfer.session.helper import Helper
    from tribler_multicast.transfer.session.seeker import Seeker

SOURCE = b"the source".ljust(20, b"\0")
CONTENT_ID = sha256(b"content").digest()


class CoopNode(Node):
    """
    A receiver that asks and is asked.
    """

    lan: CoopLan

    def __init__(self, lan: CoopLan, number: int, down: Pipe, up: Pipe) -> None:
        super().__init__(lan, number, down, up)
        self.name = (b"receiver %d" % number).ljust(20, b"\0")
        self.key = sha256(self.name).digest()
        self.coop: Cooperation | None = None
        self.gone = False
        self.in_group = True
        self.times = 0
        self.named: list[bytes] = []

    @property
    def seeker(self) -> Seeker | None:
        return None if self.coop is None else self.coop.seeker

    @property
    def helper(self) -> Helper | None:
        return None if self.coop is None else self.coop.helper

    def join(self) -> None:
        lan, content = self.lan, self.content
        now = self.local(lan.now)
        self.times += 1
        self.in_group = True
        random = Random(f"{self.number} {self.times}")
        tree = HashTree(content.cut.segments, content.tree.root)
        self.receiver = Receiver(content.geometry, tree, tree.add, tag=lan.sender.tag, keys=(KEY, self.key),
                                 random=random, now=now, stored=self.segments, sealed=lan.sender.sealed)
        self.coop = Cooperation(self.receiver, CONTENT_ID, self.name, port=32111, random=random, now=now,
                                source=None if lan.source_gone else SOURCE, checked=lan.checked,
                                start=ASK_START / content.scale, floor=ASK_LEAST / content.scale)
        if not lan.source_gone:
            lan.sender.join(self.name, self.key, lan.now,
                            lacking_segments(self.segments, content.cut.segments, LACKS_ROOM), helps=lan.cooperates)
            lan.source.joined(self.name)
        lan.pump()
        self.serve()

    def leave(self) -> None:
        """Be gone, without a word."""
        self.gone = True
        self.receiver = self.coop = None
        self.wake = None

    def serve(self) -> None:
        coop = self.coop
        if self.receiver is None or coop is None:
            return
        before = set(self.segments)
        super().serve()
        for segment in self.segments.keys() - before:
            coop.give(segment, self.segments[segment])
        if self.lan.cooperates:
            self.cooperate(coop)

    def cooperate(self, coop: Cooperation) -> None:
        """Ask and answer."""
        now = self.local(self.lan.now)
        coop.run_timers(now)
        for event in coop.take_events():
            self.events.append(event)
            if isinstance(event, GroupMembership):
                self.in_group = event.wanted
            if isinstance(event, PeerNamed):
                self.named.append(event.member)
        for message in coop.take_messages():
            self.say(message)
        for segment in coop.wanted():
            if segment in self.segments:
                coop.give(segment, self.segments[segment])
        for batch in coop.take_batches(now):
            self.lan.unicast(self, batch.member or b"", batch.datagrams, batch.size)
        when = max(coop.next_timer(now), now + 0.0005) - self.clock_offset
        if self.wake is None or when < self.wake or self.wake <= self.lan.now:
            self.wake = when
            self.lan.at(when, self.woken)

    def say(self, message: Message) -> None:
        """Send a control message."""
        mid, kind, payload = message
        through = self.up.send(self.lan.now, (len(payload) + CONTROL) / self.lan.content.scale)
        if through is None or (mid == SOURCE and self.lan.random.random() < self.up.loss):
            return
        self.lan.at(through + WIRE, lambda: self.lan.control(self.name, mid, kind, payload))

    def told(self, who: bytes, kind: int, payload: bytes) -> None:
        """Take a control message."""
        if self.coop is not None:
            self.coop.message_received(who, kind, payload, self.local(self.lan.now))
            self.serve()


class CoopLan(SessionLan):
    """
    A source, and receivers that help each other.
    """

    nodes: list[CoopNode]

    def __init__(self, content: Content, *, cooperates: bool = True, checked: bool = False, **more: object) -> None:
        super().__init__(content, **more)
        self.cooperates = cooperates
        self.checked = checked
        self.source_gone = False
        self.source = SourceCooperation(self.sender, CONTENT_ID)
        self.down = self.pipe(self.mbit, self.queue_time)
        self.helped_bytes = 0.0
        self.sums_bytes = 0.0

    def node(self, *, mbit: float | None = None, loss: float = 0.0, queue: float | None = None,
             of: Callable[..., CoopNode] = CoopNode) -> CoopNode:
        mbit, queue = mbit or self.mbit, queue or self.queue_time
        node = of(self, len(self.nodes) + 1, self.pipe(mbit, queue, loss), self.pipe(mbit, queue, loss))
        self.nodes.append(node)
        return node

    def kill_source(self) -> None:
        self.source_gone = True
        self.scheduler.remove(self.sender)

    def reported(self, node: CoopNode, report: bytes) -> None:
        if not self.source_gone:
            super().reported(node, report)

    def pump(self) -> None:
        if self.source_gone:
            return
        super().pump()
        for segment in self.source.wanted():
            self.source.give(segment, self.content.segments[segment])
        for message in self.source.take_messages(self.now):
            wire = (len(message.payload) + CONTROL) / self.content.scale
            self.sums_bytes += wire if message.kind == Kind.SUMS else 0
            through = self.up.send(self.now, wire)
            if through is not None:
                self.at(through + WIRE, lambda message=message: self.control(SOURCE, *message))
        due = self.source.next_timer()
        if due < self.now + 60:
            self.at(max(due, self.now + 0.005), self.pump)

    def find(self, mid: bytes) -> CoopNode | None:
        return next((node for node in self.nodes if node.name == mid), None)

    def control(self, who: bytes, mid: bytes, kind: int, payload: bytes) -> None:
        """Take a control message through the last link."""
        if mid == SOURCE:
            if not self.source_gone:
                self.source.message_received(who, kind, payload, self.now)
                self.pump()
            return
        node = self.find(mid)
        if node is None:
            return
        through = node.down.send(self.now, (len(payload) + CONTROL) / self.content.scale)
        if through is not None and self.random.random() >= node.down.loss:
            self.at(through + WIRE, lambda: node.told(who, kind, payload))

    def unicast(self, node: CoopNode, mid: bytes, datagrams: bytearray, size: int) -> None:
        """Send a helper's datagrams to somebody."""
        target = self.find(mid)
        if target is None:
            return
        view = memoryview(datagrams).toreadonly()  # Several receivers read it.
        symbol = self.content.geometry.symbol
        found = []
        for at in range(0, len(datagrams), size):
            if size >= OVERHEAD - 4 + symbol:
                wire = FRAME + OVERHEAD + symbol + (0 if size == OVERHEAD + symbol else 60 / self.content.scale)
            else:
                wire = (size + FRAME) / self.content.scale
            self.helped_bytes += wire
            through = node.up.send(self.now, wire)
            if through is None:
                continue
            arrived = target.down.send(through + WIRE, wire)
            if arrived is not None and self.random.random() >= target.down.loss:
                found.append((arrived + WIRE, view[at:at + size]))
        if found:
            self.at(found[-1][0], lambda: target.receive(found))

    def multicast(self, node: CoopNode, datagrams: bytearray, size: int) -> None:
        """Send somebody's datagrams to the group: to all but itself."""
        view = memoryview(datagrams).toreadonly()  # Several receivers read it.
        is_data = size >= OVERHEAD + self.content.geometry.symbol
        wire = (size + FRAME) if is_data else (size + FRAME) / self.content.scale
        for at in range(0, len(datagrams), size):
            through = node.up.send(self.now, wire)
            for target in self.nodes if through is not None else ():
                arrived = None if target is node or target.receiver is None else target.down.send(through + WIRE, wire)
                if arrived is not None and self.random.random() >= target.down.loss:
                    found = [(arrived + WIRE, view[at:at + size])]
                    self.at(found[-1][0], lambda target=target, found=found: target.receive(found))

    @property
    def honest(self) -> list[CoopNode]:
        return [node for node in self.nodes if type(node) is CoopNode and not node.gone]

    def run_until_honest_done(self, seconds: float = 60.0) -> float:
        """Run until all honest ones have everything; get when the last one was done."""
        self.run(seconds, lambda: all(node.done is not None for node in self.honest))
        assert all(node.done is not None for node in self.honest), [node.done for node in self.nodes]
        assert all(node.is_equal for node in self.honest)
        return max(node.done or 0.0 for node in self.honest)

    @property
    def named(self) -> set[bytes]:
        """Who was named by anybody honest."""
        return {mid for node in self.honest for mid in node.named}

    @property
    def staying(self) -> list[CoopNode]:
        return [node for node in self.nodes if not node.gone]

    def run_until_done(self, seconds: float = 60.0) -> float:
        self.run(seconds, lambda: all(node.done is not None for node in self.staying))
        assert all(node.done is not None for node in self.staying), [node.done for node in self.nodes]
        assert all(node.is_equal for node in self.staying)
        return max(node.done or 0.0 for node in self.staying)
