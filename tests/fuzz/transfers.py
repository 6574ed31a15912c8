"""
Coded transfer: manifests, indexes, proofs, what is said around a session, and its data, by somebody with all keys.
"""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from ipv8.keyvault.crypto import default_eccrypto

from tests.transfer.coop_lan import CONTENT_ID, SOURCE
from tests.transfer.session_lan import KEY, TAG
from tests.transfer.session_lan import Content as Cut
from tests.transfer.test_coop_fuzz import valid
from tribler_multicast.protocol.identity import Identity
from tribler_multicast.transfer.content.index import Entry, pack_index, read_index
from tribler_multicast.transfer.content.manifest import MANIFEST_DOMAIN, Content, Manifest
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.errors import ContentError
from tribler_multicast.transfer.session import coop_messages
from tribler_multicast.transfer.session.cooperation import Cooperation, SourceCooperation
from tribler_multicast.transfer.session.events import SegmentReady
from tribler_multicast.transfer.session.kernels import BEST, FALLBACK, Way
from tribler_multicast.transfer.session.messages import (
    Accept,
    Ending,
    Join,
    Offer,
    Refusal,
    pack_end,
    pack_refusal,
    pack_report,
    read_end,
    read_refusal,
    read_report,
)
from tribler_multicast.transfer.session.packets import (
    HEAD,
    KEY_SIZE,
    MAC_SIZE,
    NUMBERED,
    PROOF,
    RECODED,
    UNICAST,
    pack_proof,
)
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import WHOLE, Arrival, Delay, Lacks, Report, Run, pack_lacks, read_lacks
from tribler_multicast.transfer.session.sender import Sender
from tribler_multicast.transfer.session.stream import Stream

from .harness import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CUT = Cut(5 << 20)
GEOMETRY = CUT.geometry
IDENTITY = Identity(default_eccrypto.generate_key("curve25519"))
FILM = Content(False, "film.mkv", 3 << 20, 0, 1, bytes(range(32)))
ENTRIES = [Entry("a/b.txt", 5, False), Entry("a/c", 70_000, False), Entry("empty", 0, True),
           Entry("\N{SNOWMAN}/x", 1 << 40, False)]
LACKS = Lacks(0, GEOMETRY.segments, [Run(0, 1, 3), Run(2, 2, WHOLE)])
REPORT = Report(1, Arrival(100, 90, 5, 1000), Arrival(3, 3, 4, 5), Delay(1, 2, 3), 1,
                Lacks(0, GEOMETRY.generations, [Run(1, 1, 5), Run(9, 4, WHOLE)]))


def parsers() -> Iterator[Target]:
    """
    What reads one message, and nothing else.
    """
    signed = Manifest.sign(FILM, IDENTITY, 1e9).pack()
    folder = Manifest.sign(Content(True, "album", 70_005 + (1 << 40), len(pack_index(ENTRIES)), 4, bytes(32)),
                           IDENTITY, 2e9).pack()

    def signed_again(data: bytes) -> object:
        """Read a manifest whose signature is right, whatever it says."""
        return Manifest.read(data[:-64] + IDENTITY.sign(data[:-64], MANIFEST_DOMAIN))

    def target(name: str, read: Callable[[bytes], object], *samples: bytes) -> Target:
        return Target(f"transfer: {name}", lambda data: read(data) is not None, samples)

    yield Target("transfer: manifest", Manifest.read, (signed, folder), (ContentError,), alike=True)
    yield Target("transfer: manifest, signed again", signed_again, (signed, folder), (ContentError,))
    yield Target("transfer: content in a manifest", Content.unpack, (signed, folder), (ContentError,))
    yield Target("transfer: index", read_index, (pack_index(ENTRIES), pack_index(ENTRIES[:1]), b""),
                 (ContentError,))
    yield Target("transfer: proof", ProofReader().take, ProofReader.samples())
    yield target("OFFER", Offer.read, Offer(True, 3, signed).pack())
    yield target("JOIN", lambda data: (join := Join.read(data)) and join.lacks(GEOMETRY.segments),
                 Join.of(CONTENT_ID, LACKS, 32110).pack(), Join.of(CONTENT_ID, LACKS, 1, wants_manifest=True).pack())
    yield target("ACCEPT", Accept.read, Accept(CONTENT_ID, TAG, KEY, KEY, 64, 1344, True, signed).pack(),
                 Accept(CONTENT_ID, TAG, KEY, KEY, 128, 1024).pack())
    yield target("REFUSE", read_refusal, *(pack_refusal(CONTENT_ID, reason) for reason in Refusal))
    yield target("LEAVE", read_end, *(pack_end(TAG, reason) for reason in Ending))
    yield target("REPORT", lambda data: (found := read_report(data)) and Report.read(found[1], GEOMETRY.generations),
                 pack_report(TAG, REPORT.pack()))
    yield target("what is lacking", lambda data: read_lacks(data, GEOMETRY.segments), pack_lacks(LACKS),
                 pack_lacks(Lacks(0, 5, [])))
    random = Random(1)
    said: dict[int, list[bytes]] = {}
    for _ in range(400):
        kind, payload = valid(random)
        said.setdefault(kind, []).append(payload)
    readers: dict[str, Callable[[bytes], object]] = {
        "MEMBERS": coop_messages.Members.read, "HELP": lambda data: coop_messages.Help.read(data, GEOMETRY),
        "HAVE": lambda data: coop_messages.Have.read(data, GEOMETRY.segments),
        "SUMS": lambda data: coop_messages.Sums.read(data, GEOMETRY),
        "ALARM": lambda data: coop_messages.read_alarm(data, GEOMETRY.segments)}
    for (name, read), kind in zip(readers.items(), sorted(said), strict=True):
        yield target(name, read, *said[kind][:40])
    yield target("account of a helper", coop_messages.read_account, b"\0\0\0\1\5\6\7")


class ProofReader:
    """
    A tree that is learned from proofs.
    """

    def __init__(self) -> None:
        self.build()

    def build(self) -> None:
        self.count = 0
        self.tree = HashTree(GEOMETRY.segments, CUT.tree.root)

    @staticmethod
    def samples() -> Sequence[bytes]:
        return [pack_proof(first, height, CUT.tree.proof(first, height) or b"")
                for first, height in ((0, 0), (0, 2), (4, 0))]

    def take(self, data: bytes) -> bool:
        from tribler_multicast.transfer.session.packets import read_proof  # noqa: PLC0415

        self.count += 1
        if self.count > 100:
            self.build()
        found = read_proof(memoryview(data))
        return found is not None and self.tree.add(*found)


class Session:
    """
    A receiver with helpers, and a source; whoever speaks has the keys. An input is way, form, body of a datagram.
    """

    def __init__(self, way: Way, *, sealed: bool, raw: bool = False, checked: bool = False) -> None:
        self.way, self.is_sealed, self.raw, self.checked = way, sealed, raw, checked
        self.build()

    def build(self) -> None:
        self.count, self.now = 0, 0.0
        tree = HashTree(GEOMETRY.segments, CUT.tree.root)
        self.receiver = Receiver(GEOMETRY, tree, tree.add, tag=TAG, keys=(KEY, bytes(KEY_SIZE)), random=Random(1),
                                 now=0.0, sealed=self.is_sealed, way=self.way)
        self.coop = Cooperation(self.receiver, CONTENT_ID, b"me" * 10, port=1, random=Random(2), now=0.0,
                                source=SOURCE, checked=self.checked)
        self.streams = [Stream(TAG, KEY, unicast=False, way=self.way, sealed=self.is_sealed),
                        Stream(TAG, bytes(KEY_SIZE), unicast=True, way=self.way, sealed=self.is_sealed)]

    @staticmethod
    def samples() -> Sequence[bytes]:
        size = GEOMETRY.size(0)
        symbol = CUT.segments[0][:GEOMETRY.symbol]
        found = [bytes((NUMBERED,)) + bytes(4) + number.to_bytes(4, "big") + symbol for number in (0, 1, 1 << 20)]
        found += [bytes((RECODED,)) + bytes(4) + b"\1" + bytes(size - 1) + symbol,
                  bytes((PROOF,)) + pack_proof(0, 2, CUT.tree.proof(0, 2) or b""),
                  bytes((0xC4, 0)), bytes((0xC4, 1)), bytes((0xC4, 0)) + b"\0\0\0\1\5\6\7"]
        return [way + each for each in found for way in (b"\0", b"\1")]

    def take(self, data: bytes) -> bool:
        if len(data) < 2:
            return False
        if self.count >= 400:
            self.build()
        self.count += 1
        self.now += 0.001
        receiver = self.receiver
        if self.raw:
            made = bytearray(data[1:])
        else:
            made = self.streams[data[0] & 1].one(data[1] & ~UNICAST, data[2:1440], self.now, data[0])
        before = receiver.rank
        receiver.data_received(bytes(made), self.now)
        if not self.count % 3:  # several at once, of another length than the first one had
            receiver.batch_received(memoryview(made * 3), max(1, len(made) - self.count % 2), 3, self.now)
        receiver.run_timers(self.now)
        self.coop.run_timers(self.now)
        self.coop.take_messages()
        receiver.take_reports()
        for event in receiver.take_events():
            if isinstance(event, SegmentReady):
                receiver.stored(event.segment, False)
        return receiver.rank > before or bool(receiver.counters)


class Raw(Session):
    """
    The same with datagrams as they are on the wire: an input is a byte that means nothing, datagram.
    """

    def samples(self) -> Sequence[bytes]:  # type: ignore[override]
        made = [Stream(TAG, KEY, unicast=False, sealed=self.is_sealed).one(each[1], each[2:], 1.0, 5)
                for each in Session.samples()]
        return [b"\0" + bytes(each) for each in made] + [bytes(HEAD.size + MAC_SIZE)]


class Source:
    """
    A source that is told things by a member: an input is kind, payload.
    """

    def __init__(self) -> None:
        self.build()

    def build(self) -> None:
        self.count, self.now = 0, 0.0
        self.sender = Sender(GEOMETRY, CUT.tree, TAG, KEY, RateControl(0.0))
        self.coop = SourceCooperation(self.sender, CONTENT_ID)
        for number in range(3):
            mid = bytes([number]) * 20
            self.sender.join(mid, bytes(KEY_SIZE), 0.0, helps=True)
            self.coop.joined(mid)

    @staticmethod
    def samples() -> Sequence[bytes]:
        random = Random(3)
        said = [valid(random) for _ in range(60)]
        return [b"\0" + REPORT.pack(), *(bytes((kind,)) + payload for kind, payload in said)]

    def take(self, data: bytes) -> bool:
        self.count += 1
        if self.count > 300:
            self.build()
        self.now += 0.002
        mid = bytes([self.count % 3]) * 20
        before = self.sender.counters.total()
        if data[:1] == b"\0":
            self.sender.report_received(mid, data[1:], self.now)
        elif data:
            self.coop.message_received(mid, data[0], data[1:], self.now)
        if not self.count % 10:
            self.sender.run_timers(self.now)
            self.sender.make(self.now, 32)
            self.sender.take_events()
            self.coop.take_messages(self.now)
            for segment in (*self.coop.wanted(), *self.sender.wanted()):
                self.coop.give(segment, CUT.segments[segment])
                self.sender.give(segment, CUT.segments[segment])
        return self.sender.counters.total() == before


def sessions() -> Iterator[Target]:
    """
    Both ends of a session.
    """
    ways: list[tuple[str, Any]] = [("standard library", FALLBACK)]
    if BEST is not FALLBACK:
        ways.append(("native code", BEST))
    for name, way in ways:
        yield Target(f"data: clear, {name}", Session(way, sealed=False).take, Session.samples())
        yield Target(f"data: sealed, {name}", Session(way, sealed=True, checked=True).take, Session.samples())
        raw = Raw(way, sealed=True, raw=True)
        yield Target(f"data: from anybody, {name}", raw.take, raw.samples(), alike=True)
    yield Target("source: reports, HELPs, ALARMs", Source().take, Source.samples())
