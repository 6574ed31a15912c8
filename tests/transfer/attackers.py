"""
Receivers that hold all the keys that a member holds, and use them against the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.session.coop_limits import MAX_PACKETS_ASKED
from tribler_multicast.transfer.session.coop_messages import Help, Want
from tribler_multicast.transfer.session.cooperation import Message
from tribler_multicast.transfer.session.helper import Client, Helper
from tribler_multicast.transfer.session.limits import FRAME
from tribler_multicast.transfer.session.packets import (
    KEY_SIZE,
    MAC_SIZE,
    NUMBERED,
    OVERHEAD,
    PLACE,
    RECODED,
    TAG_SIZE,
    UNICAST,
)
from tribler_multicast.transfer.session.reports import WHOLE, Arrival, Lacks, Report, Run
from tribler_multicast.transfer.session.stream import Stream

from .coop_lan import CONTENT_ID, SOURCE, CoopNode
from .session_lan import KEY

if TYPE_CHECKING:
    from tribler_multicast.transfer.session.sender import Batch


class SpoilingHelper(Helper):
    """
    Says that it has everything, and sends nonsense.
    """

    form = RECODED
    share = 1.0

    def _useful(self, want: Want, client: Client, wants_checked: bool) -> int:
        return want.packets

    def _make(self, want: Want, done: int, most: int, stream: Stream, now: float) -> tuple[int, bytearray] | None:
        symbol, size = self.geometry.symbol, self.geometry.size(want.generation)
        head = want.generation.to_bytes(4, "big")
        made = bytearray()
        for _ in range(most):
            place = (self.random.randbytes(size) if self.form == RECODED
                     else self.random.randrange(256, 1 << 32).to_bytes(4, "big"))
            made += bytes(18) + head + place + self.random.randbytes(symbol) + bytes(MAC_SIZE)
        return most, stream.finish(self.form, made, len(made) // most, now, 5)


class Spoiler(CoopNode):
    """
    Spoils what it gives, as itself.
    """

    form = RECODED

    def join(self) -> None:
        super().join()
        assert self.coop is not None
        honest = self.coop.helper
        helper = SpoilingHelper(honest.geometry, honest.tree, honest.content_id, random=honest.random,
                                now=self.local(self.lan.now), receiver=honest.receiver)
        helper.form = self.form
        self.coop.helper = helper


class NumberedSpoiler(Spoiler):
    """
    The same, with packets that only one who has all of a segment would send.
    """

    form = NUMBERED


class Forger(CoopNode):
    """
    Sends nonsense to the group, as if it were the source.
    """

    every = 0.005
    packets = 1
    ahead = 1

    def join(self) -> None:
        super().join()
        self.lan.at(self.lan.now + 0.05, self.forge)

    def forge(self) -> None:
        receiver, lan = self.receiver, self.lan
        if receiver is None or lan.source_gone or all(node.done for node in lan.nodes if node is not self):
            return
        stream = Stream(lan.sender.tag, KEY, unicast=False)
        stream.sequence = max(0, receiver.tracks[0].highest + self.ahead - 1)
        random = lan.random
        segment = receiver.passing or 0
        made = bytearray()
        for _ in range(self.packets):
            generation = random.choice([each for each in receiver.geometry.of(segment) if receiver.sizes[each]])
            made += stream.one(NUMBERED, PLACE.pack(generation, random.randrange(receiver.sizes[generation]))
                               + random.randbytes(receiver.geometry.symbol), lan.now, 5)
        lan.multicast(self, made, len(made) // self.packets)
        lan.at(lan.now + self.every, self.forge)


class JumpingForger(Forger):
    """
    The same, with sequences far ahead, so that what the source sends is old.
    """

    ahead = 100_000


class Liar(CoopNode):
    """
    Says again and again that everything is lacking, and asks everybody for it.
    """

    def join(self) -> None:
        super().join()
        self.lies = 1 << 20
        self.lan.at(self.lan.now + 0.05, self.lie)

    def lie(self) -> None:
        receiver, lan = self.receiver, self.lan
        if receiver is None or all(node.done for node in lan.nodes if node is not self):
            return
        self.lies += 1
        geometry = receiver.geometry
        member = lan.sender.members.get(self.name)
        if not lan.source_gone and member is not None:
            report = Report(self.lies, Arrival(lan.sender.group.sequence, 1), Arrival(), None, None,
                            Lacks(0, geometry.generations, [Run(0, geometry.generations, WHOLE)]))
            lan.sender.report_received(self.name, report.pack(), lan.now)
        least = lan.random.randrange(geometry.generations)
        wants = [Want(generation, 60) for generation in range(least, min(least + 17, geometry.generations))
                 if geometry.size(generation)]
        assert sum(want.packets for want in wants) <= MAX_PACKETS_ASKED
        for node in lan.nodes:
            if node is not self and node.coop is not None:
                wanted = Help(CONTENT_ID, geometry.k, geometry.symbol, bytes((self.lies % 256,)) * TAG_SIZE,
                              bytes(KEY_SIZE), 32111, self.lies, 1e9, True, False, False,
                              None, 0, wants)
                self.say(Message(node.name, Kind.HELP, wanted.pack(geometry)))
        self.say(Message(SOURCE, Kind.HELP, wanted.pack(geometry)))
        lan.at(lan.now + 0.02, self.lie)


class Replayer(CoopNode):
    """
    Sends all that it hears once more, to all.
    """

    def receive(self, arrived: list[tuple[float, bytes | memoryview]]) -> None:
        super().receive(arrived)
        for _, datagram in arrived[::16]:
            again = bytearray(datagram)
            if again[0] & UNICAST and self.lan.nodes[0] is not self:
                self.lan.unicast(self, self.lan.nodes[0].name, again, len(again))
            else:
                self.lan.multicast(self, again, len(again))


def batch_bytes(batch: Batch) -> int:
    """Bytes of a batch on the wire."""
    return len(batch.datagrams) + FRAME * (len(batch.datagrams) // batch.size)


__all__ = ["OVERHEAD", "Forger", "JumpingForger", "Liar", "NumberedSpoiler", "Replayer", "Spoiler"]
