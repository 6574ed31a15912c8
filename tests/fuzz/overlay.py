"""
The overlay's parsers, one by one; and a node that gets all of it: datagrams as they are, and whatever a verified peer,
a friend or a member of the group can sign and seal.
"""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tests.protocol.befriending import befriend, friend_payload, meet
from tests.protocol.searching import offer, torrent
from tests.protocol.sharing import file_id, share
from tests.protocol.simulated import Seen, introduction_of
from tribler_multicast.client import Result
from tribler_multicast.protocol import queries
from tribler_multicast.protocol.file_messages import FileAnswer, FileRequest
from tribler_multicast.protocol.fragments import Fragment, Head, pack_ask, read_ask, read_trailer
from tribler_multicast.protocol.handshake import Challenge, Proof
from tribler_multicast.protocol.introduction import Introduction, Service
from tribler_multicast.protocol.pages import Page
from tribler_multicast.protocol.receipt import pack_receipt, read_receipt
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.swarms import Client as Listening
from tribler_multicast.protocol.swarms import pack_answer, read_answer, swarm_name
from tribler_multicast.protocol.train_packet import Measured, packets
from tribler_multicast.protocol.train_receiver import pack_report, read_report
from tribler_multicast.protocol.values import pack_values, unpack_values
from tribler_multicast.protocol.wire import CODED_KINDS, Address, Kind, Reader, WireError, Writer, channel_of, parse
from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.summary import Both, WeatherSummary
from tribler_multicast.weather.weather import Weather

from .harness import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.protocol.simulated import Node

LINK = (2, 4)
KINDS = 48
"""Kinds that are tried: all there are, and some that are not."""
SEALED, MULTICAST, STRANGE = 1, 2, 0x80
FILM = bytes(20)
VALUES: tuple[Any, ...] = (1, -5, 2**70, "text \N{SNOWMAN}", b"bytes", True, None, 2.5, (1, ("a", (b"b",))), [1, [2]])
ADDRESS = Address(4, "10.0.0.7", 32110)
INTRODUCTION = Introduction(5.0, frozenset({"search", "coded"}), "n\N{SNOWMAN}", ((Service(1), ADDRESS),))
RESULTS = [Result("torrent", bytes(20), "red boat", 1000), Result("coded", bytes(32), "boat", None),
           Result("file", bytes(32), "x" * 200, 0, False)]
SUMMARY = WeatherSummary("bulk", make_tag("gateway", bytes(8)), 1.0, rates=Both(1e6, 2e6), capacity=Both(1e7, 1e8))


def reading(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """
    Take what may be refused by WireError.
    """
    def take(data: bytes) -> bool:
        read(data)
        return True

    return take


def parsers() -> Iterator[Target]:
    """
    What reads one payload, and nothing else.
    """
    head = Head.of(7, pack_values(VALUES))
    packed = pack_values(VALUES)
    query = queries.Query.make("red boat", ("torrent", "file"), 20, True)
    proof = Proof(bytes(64), bytes(16), 3, ADDRESS, Address(6, "fe80::1", 1), INTRODUCTION)
    writer = Writer(_identity(), 1)
    introduction = writer.datagram(Kind.INTRODUCTION, 4, introduction_of("10.0.0.50"))
    page = Page(bytes(8), 1, True, False, [introduction[22:]] * 3)

    def target(name: str, read: Callable[[bytes], object], *samples: bytes) -> Target:
        return Target(f"overlay: {name}", reading(read), samples, (WireError,))

    yield target("datagram", parse, introduction, writer.datagram(Kind.PING, 4, bytes(28)))
    yield target("introduction", lambda data: Introduction.read(Reader(data)), INTRODUCTION.pack(),
                 Introduction(300.0).pack())
    yield target("challenge", Challenge.unpack, Challenge(bytes(64), bytes(16), ADDRESS, ADDRESS).pack())
    yield target("proof", Proof.unpack, proof.pack())
    yield target("page", Page.unpack, page.pack(), page._replace(introductions=[]).pack())
    yield Target("overlay: values", reading(unpack_values), (packed, pack_values(()), pack_values((b"x" * 3000,)),
                                                             pack_values(((((((1,),),),),),))), (ValueError,))
    yield target("fragment", Fragment.read, Fragment.cut(head, packed, 0).pack(),
                 Fragment(Head(1, 60_000, bytes(32)), 3, bytes(Head(1, 60_000, bytes(32)).length(3))).pack())
    yield target("trailer", read_trailer, head.pack())
    yield target("ask", read_ask, pack_ask(head, {0}), pack_ask(Head(1, 60_000, bytes(32)), {0, 5, 9}))
    yield target("query", queries.Query.unpack, query.pack(), query.pack(0xffff))
    yield target("results", queries.read_page, *queries.pack_pages(query, RESULTS))
    yield target("file request", FileRequest.unpack, FileRequest(bytes(8), bytes(32)).pack())
    yield target("file answer", FileAnswer.unpack, *(FileAnswer(bytes(8), state, 0.5, bytes(20), 404).pack()
                                                     for state in range(1, 5)))
    yield target("swarms", lambda data: read_answer(data, 3), pack_answer(bytes(8), {0: [Listening(6881, True)], 2: [
        Listening(port, False) for port in range(1, 17)]}))
    yield Target("overlay: receipt", lambda data: read_receipt(data) is not None, (pack_receipt(1, 5, bytes(64)),))
    yield target("train report", read_report, pack_report(bytes(8), Measured(10, 0, 9, 5000)))
    yield Target("weather summary", lambda data: WeatherSummary.read(data) is not None, (SUMMARY.pack(),))


def _identity() -> Any:  # noqa: ANN401
    from tests.protocol.simulated import identity_from  # noqa: PLC0415

    return identity_from("fuzz")


class WeatherNode:
    """
    Hears summaries of a dozen machines, and draws its conclusions.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.weather = Weather(0.0, bytes)
        self.weather.set_gateway("gateway")
        self.count = 0

    def take(self, data: bytes) -> bool:
        self.count += 1
        self.now += 0.3
        number = self.count % 12
        heard = self.weather.heard(self.now, bytes([number]) * 20, number % 5, data, verified=number % 3 > 0)
        if not self.count % 16:
            self.weather.run(self.now)
        return heard


class Overlay:
    """
    A node, and a verified peer of it that says anything: an input is kind, way, payload.
    """

    def __init__(self, *, friends: bool = False, seal: Seal | None = None) -> None:
        self.friends, self.seal = friends, seal
        self.random = Random(1)
        self.build()

    def build(self) -> None:
        self.lan, (self.victim, self.attacker) = meet(seal=self.seal)
        if self.friends:
            befriend(self.victim, self.attacker)
            self.victim.core.policy.friends_only = True
        for node in (self.victim, self.attacker):
            offer(node, [torrent("red boat")])
        share(self.attacker, {"film": 0.5})
        self.said: list[bytes] = []
        self.count = 0
        self.lan.filter = lambda node, _: node is self.attacker
        self.listen(self.attacker)

    def listen(self, node: Node) -> None:
        """
        Write down what a node says, as inputs.
        """
        outbox = node.core.outbox
        to_peer, multicast = outbox.to_peer, outbox.multicast

        def note(kind: int, way: int, payload: bytes) -> None:
            self.said.append(bytes((kind, way)) + payload)
            del self.said[:-400]

        def to(kind: Kind, peer: Any, link: Any, address: Any, payload: bytes, sealed: bool = False) -> None:  # noqa: ANN401
            note(kind, SEALED if sealed else 0, payload)
            to_peer(kind, peer, link, address, payload, sealed)

        def all_(kind: Kind, link: Any, payload: bytes) -> None:  # noqa: ANN401
            note(kind, MULTICAST, payload)
            multicast(kind, link, payload)

        outbox.to_peer, outbox.multicast = to, all_  # type: ignore[method-assign]

    def samples(self) -> Sequence[bytes]:
        """
        Get what can be said, besides what the attacker's node answers to the victim's questions (`answers`).
        """
        head = Head(9, 3000, bytes(32))
        whole = pack_values(VALUES)
        coded = sorted(CODED_KINDS)
        made = [(Kind.FRIEND, 0, friend_payload(1, 5, 0, 1)), (Kind.GOODBYE, MULTICAST, b""),
                (Kind.PROBE, 0, bytes(8)), (Kind.PROBE_REPLY, 0, bytes(8)), (Kind.ANSWER, 0, INTRODUCTION.pack()),
                (Kind.INTRODUCTION, MULTICAST, introduction_of("10.0.0.2")),
                (Kind.SOLICITATION, MULTICAST, ADDRESS.pack() + bytes(2)),
                (Kind.FRAGMENT, MULTICAST, Fragment(head, 1, bytes(head.length(1))).pack()),
                (Kind.FRAGMENT, MULTICAST, Fragment.cut(Head.of(4, whole), whole, 0).pack()),
                (Kind.TRAILER, MULTICAST, head.pack()), (Kind.ASK, 0, pack_ask(head, {1})),
                (Kind.PING, MULTICAST, bytes(8) + bytes(20)), (Kind.PONG, 0, bytes(12)),
                (Kind.PULL, 0, bytes(8) + bytes(64) + b"\xff" * 64),
                (Kind.PAGE, 0, Page(bytes(8), 1, True, True, []).pack()),
                (Kind.TRAIN, MULTICAST, bytes(28) + (50).to_bytes(4, "big") + (1200).to_bytes(2, "big") + bytes(32)),
                (Kind.TRAIN_END, MULTICAST, bytes(8) + bytes(32)),
                (Kind.TRAIN_REPORT, 0, pack_report(bytes(8), Measured(1, 0, 1, 1))),
                (Kind.QUERY, MULTICAST, queries.Query.make("red", ("torrent",), 9, True).pack()),
                (Kind.QUERY, SEALED, queries.Query.make("red", ("torrent",), 9, True).pack()),
                (Kind.RESULTS, SEALED, queries.pack_pages(queries.Query.make("r", ("file",), 9, True), RESULTS)[0]),
                (Kind.FILE_REQUEST, SEALED, FileRequest(bytes(8), file_id("film")).pack()),
                (Kind.FILE_ANSWER, SEALED, FileAnswer(bytes(8), 3, infohash=bytes(20)).pack()),
                (Kind.WHO_HAS, SEALED, bytes(8) + swarm_name(bytes(8), FILM)),
                (Kind.HAS, SEALED, pack_answer(bytes(8), {0: [Listening(6881, True)]})),
                (Kind.WEATHER, MULTICAST, SUMMARY.pack()), *((kind, SEALED, bytes(60)) for kind in coded)]
        return [bytes((kind, way)) + payload for kind, way, payload in made]

    def answers(self) -> Sequence[bytes]:
        """
        Let the victim ask for everything, and get what the attacker's node would say to that.
        """
        victim, now = self.victim.core, self.lan.now
        mid = self.attacker.identity.mid
        self.said.clear()
        for begin in (lambda: victim.searches.start("red", ("torrent", "file"), 3.0, now),
                      lambda: victim.pings.start(None, 5, 0.2, now), lambda: victim.trains.start(mid, now),
                      lambda: victim.file_requests.start(mid, file_id("film"), now),
                      lambda: victim.swarms.start([FILM], now), lambda: self.attacker.core.swarms.start([FILM], now),
                      lambda: victim.announce(VALUES, now), lambda: self.attacker.core.announce(VALUES, now)):
            try:
                begin()
            except (ValueError, KeyError, RuntimeError):
                continue  # It does enough of that already.
        self.victim.flush()
        self.attacker.flush()
        self.lan.run(1.0)
        self.tidy()
        return list(self.said)

    def tidy(self) -> None:
        for node in (self.victim, self.attacker):
            node.history.clear()
        self.lan.wire.clear()

    def take(self, data: bytes) -> bool:
        victim, attacker = self.victim, self.attacker
        if len(data) < 2:
            return False
        kind, way, payload = data[0] % KINDS, data[1], data[2:1150]
        known = attacker.core.peers.get(victim.identity.key)
        if known is None or not victim.knows(attacker):
            self.build()
            return False
        writer, multicast = attacker.core.outbox.writer, bool(way & MULTICAST)
        channel = channel_of(4, multicast)
        if way & SEALED:
            channel, payload = channel | 0x20, self.sealed(known.pair_key, payload)
        made = writer.datagram(kind, channel, payload, pair_key=None if multicast else known.pair_key)  # type: ignore[arg-type]
        if way & STRANGE:
            made = made[:-3] + b"xyz"
        if self.seal is not None:
            made = self.seal.seal(attacker.address(), channel_of(4, multicast), made)
        before = sum(victim.core.counters.received.values())
        victim.receive(made, Seen(LINK, multicast, attacker.address(), 1 if multicast else 255))
        understood = sum(victim.core.counters.received.values()) > before
        self.count += 1
        if not self.count % 64:
            self.lan.run(0.2)
            self.tidy()
        return understood

    @staticmethod
    def sealed(key: bytes, payload: bytes) -> bytes:
        from tribler_multicast.protocol.pair_seal import seal_for_pair  # noqa: PLC0415

        return seal_for_pair(key, payload)


class RawOverlay(Overlay):
    """
    The same node, and datagrams as anybody can put them on the wire: an input is way, datagram.
    """

    def samples(self) -> Sequence[bytes]:
        self.lan.run(3)
        found: dict[tuple[int, bool], bytes] = {}
        for _, _, _, _, target, data in [*self.lan.wire, *self.recorded]:
            found.setdefault((data[22], target is None), bytes((0 if target is None else 1,)) + data)
        train = next(iter(packets(bytes(32), bytes(8), 1, 600)))
        return [*found.values(), b"\0" + train, b"\0" + Seal(bytes(32)).seal(("10.0.0.2", 32110), 4, train)]

    def build(self) -> None:
        self.recorded: list[Any] = []
        super().build()
        self.lan.filter = lambda *_: True
        self.answers()

    def tidy(self) -> None:
        self.recorded = [*self.recorded, *self.lan.wire][-300:]
        super().tidy()

    def take(self, data: bytes) -> bool:
        victim = self.victim
        unicast = bool(data[:1] and data[0] & 1)
        before = sum(victim.core.counters.received.values())
        victim.receive(data[1:2000], Seen(LINK, not unicast, self.attacker.address(), 255 if unicast else 1))
        self.count += 1
        if not self.count % 64:
            self.lan.run(0.05)
            self.tidy()
        if not victim.knows(self.attacker):
            self.build()
        return sum(victim.core.counters.received.values()) > before


def nodes() -> Iterator[Target]:
    """
    Whole nodes, which take anything and never raise.
    """
    raw, peer = RawOverlay(), Overlay()
    friend, member = Overlay(friends=True), Overlay(seal=Seal(b"r" * 32))
    yield Target("overlay: from anybody", raw.take, raw.samples(), alike=True)
    yield Target("overlay: from a verified peer", peer.take, peer.samples(), refill=peer.answers, weight=8)
    yield Target("overlay: from a friend", friend.take, friend.samples(), refill=friend.answers, weight=8)
    yield Target("overlay: from a group's member", member.take, member.samples(), refill=member.answers, weight=8)
    yield Target("weather: summaries of others", WeatherNode().take, (SUMMARY.pack(),))
