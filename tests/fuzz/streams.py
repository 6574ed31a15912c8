"""
Live streams: descriptors, records, what is said around them, and both ends of one, by somebody with all keys.
"""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.streams.live_lan import IDENTITY, bodies, describe
from tribler_multicast.streams.live.datagrams import pack_numbers, read_numbers
from tribler_multicast.streams.live.descriptor import DOMAIN, Descriptor
from tribler_multicast.streams.live.messages import (
    Arrived,
    Need,
    Needs,
    OnAirMessage,
    Tune,
    Tuned,
    Why,
    pack_roster,
    pack_untune,
    read_roster,
    read_untune,
)
from tribler_multicast.streams.live.opened import GROUP
from tribler_multicast.streams.live.records import DOMAIN as RECORD_DOMAIN
from tribler_multicast.streams.live.records import Leaf, digest_of, read_record, sign_record
from tribler_multicast.streams.live.source import Source
from tribler_multicast.streams.live.viewer import Viewer
from tribler_multicast.transfer.session.packets import PROOF

from .harness import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STREAM = describe()
TAG, KEY = b"stream-1", bytes(range(32))
NEEDS = Needs(STREAM.id, TAG, KEY, 32110, Arrived(100, 90, 0.01), (Need(1, 0, 38, record=True), Need(2, 30, 3)))


def parsers() -> Iterator[Target]:
    """
    What reads one message, and nothing else.
    """
    def signed_again(data: bytes) -> object:
        """Read a descriptor whose signature is right, whatever it says."""
        return Descriptor.read(data[:-64] + IDENTITY.sign(data[:-64], DOMAIN))

    def target(name: str, read: Callable[[bytes], object], *samples: bytes) -> Target:
        return Target(f"streams: {name}", lambda data: read(data) is not None, samples)

    leaves = [Leaf(number * 1000, 1000, number, digest_of(bytes([number]))) for number in range(6)]
    yield Target("streams: descriptor", lambda data: Descriptor.read(data) is not None, (STREAM.pack(),), alike=True)
    yield target("descriptor, signed again", signed_again, STREAM.pack())
    yield target("record", read_record, sign_record(IDENTITY, STREAM.id, 1, leaves, final=False),
                 sign_record(IDENTITY, STREAM.id, 9, leaves[:1], final=True),
                 sign_record(IDENTITY, STREAM.id, 9, [], final=True, position=7))
    yield Target("streams: ON_AIR", lambda data: OnAirMessage.read(data) is not None,
                 (OnAirMessage(5, 6, STREAM).pack(),))
    yield target("TUNE", Tune.read, Tune(STREAM.id, TAG, KEY, 5).pack(), Tune(STREAM.id, TAG, KEY, 32110).pack())
    yield target("TUNED", Tuned.read, Tuned(TAG, KEY, 1, 2, 3, 4, STREAM).pack())
    yield target("ROSTER", read_roster, pack_roster(STREAM.id, [bytes(20), bytes(20)]), pack_roster(STREAM.id, []))
    yield target("NEEDS", Needs.read, NEEDS.pack(), NEEDS._replace(needs=()).pack())
    yield target("UNTUNE", read_untune, *(pack_untune(STREAM.id, why) for why in Why))
    yield target("what is not there", lambda data: read_numbers(memoryview(data)), pack_numbers([1, 2, 1 << 31]))


class Ends:
    """
    A source and a viewer of it, who is told things: an input is who says it, form, body.
    """

    WHO = GROUP, None, bytes(20)

    def __init__(self) -> None:
        self.build()

    def build(self) -> None:
        self.count, self.now, self.random = 0, 0.0, Random(1)
        self.source = Source(STREAM, IDENTITY, Random(1), 0.0)
        self.source.join(bytes(20), 0.0)
        self.viewer = Viewer(STREAM, 1, 0, 0, Random(1), 0.0)
        self.viewer.helpers.set([bytes(20)])

    @staticmethod
    def samples() -> Sequence[bytes]:
        """Get what a source sends, also what is signed as it should not be."""
        source, found = Source(STREAM, IDENTITY, Random(1), 0.0), []
        source.join(bytes(20), 0.0)
        for number in range(20):
            source.feed(Random(number).randbytes(10_000), number / 10)
            for _, batch in source.take(number / 10 + 0.05):
                found += [bytes((number % 3, batch.form)) + body for body in bodies(batch)[:2]]
        odd = Leaf(1 << 40, 5, 5, bytes(32))
        found += [bytes((0, PROOF)) + sign_record(IDENTITY, STREAM.id, first, [odd], final=final)
                  for first in (1, 5, 1 << 20, (1 << 31) - 1) for final in (False, True)]
        return found

    def take(self, data: bytes) -> bool:
        self.count += 1
        if self.count > 300:
            self.build()
        self.now += 0.002
        if len(data) < 2:
            return False
        before = self.viewer.counters["data: innovative"], len(self.viewer.checker._seen)
        body = data[2:]
        if data[1] == PROOF and not self.count % 2:
            body = body[:-64] + IDENTITY.sign(STREAM.id + body[:-64], RECORD_DOMAIN)
        self.viewer.datagram(data[1], memoryview(body), self.WHO[data[0] % 3], self.now)
        asked: list[Any] = self.viewer.asks(self.now) if not self.count % 10 else []
        for ask in asked:
            self.source.needs_received(bytes(20), ask.needs, Arrived(), self.now)
            self.viewer.giver.give(bytes(20), ask.needs, self.now)
        self.viewer.events.clear()
        assert self.viewer.open < 400
        return before != (self.viewer.counters["data: innovative"], len(self.viewer.checker._seen))


def sessions() -> Iterator[Target]:
    """
    Both ends of a stream.
    """
    yield Target("streams: data and records", Ends().take, Ends.samples())
