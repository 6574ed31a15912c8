"""What is said around coded transfers, among friends and among hostile peers: who is heard, how often, by which way."""
from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.events import CodedReceived, RoundTrip
from tribler_multicast.protocol.limits import (
    ALL_CODED_BURST,
    ALL_CODED_PER_SECOND,
    ALL_RANKS_BURST,
    ALL_RANKS_PER_SECOND,
    CODED_BURST,
    CODED_PER_SECOND,
    MAX_CODED_PAYLOAD,
    MAX_MEASURED,
    MAX_OFFERS,
    OFFER_PATIENCE,
    RANKS_BURST,
    RANKS_PER_SECOND,
    ROUND_TRIPS_BURST,
    ROUND_TRIPS_PER_SECOND,
)
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.pair_seal import seal_for_pair
from tribler_multicast.protocol.sealing import Seal
from tribler_multicast.protocol.wire import (
    CODED_KINDS,
    CODED_PREFIX,
    MAX_SIGNED,
    MULTICAST_KINDS,
    PREFIX,
    RANK_KINDS,
    SEALED,
    UNICAST_KINDS,
    Kind,
    Writer,
    parse,
    prefix_of,
)
from tribler_multicast.transfer.content.manifest import MAX_MANIFEST
from tribler_multicast.transfer.session import limits as session_limits
from tribler_multicast.transfer.session import messages

from .befriending import befriend, meet
from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node

KINDS = sorted(CODED_KINDS)
OPEN = [kind for kind in KINDS if kind != Kind.OFFER]
LINK = (2, 4)
SECRET = b"which film somebody wants"


def heard(node: Node) -> list[tuple[bytes, Kind, bytes]]:
    return [(event.peer.mid, event.kind, event.payload) for _, event in node.history
            if isinstance(event, CodedReceived)]


def send(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, link: tuple[int, int] | None = None) -> bool:
    sent = node.core.coded.send(other.identity.mid, kind, payload, link, node.lan.now)
    node.flush()
    return sent


def say(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, sealed: bool = True) -> None:
    """Let a node send another one what its code would never say."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(kind, peer, LINK, other.address(), payload, sealed=sealed)
    node.flush()


def written(node: Node, other: Node, kind: Kind, payload: bytes = SECRET, sealed: bool = True) -> bytes:
    """Get such a datagram without sending it."""
    say(node, other, kind, payload, sealed)
    *_, data = node.lan.wire.pop()
    node.lan.queue.clear()
    return data


# --- Among nodes that do as they should.


@pytest.mark.parametrize("kind", OPEN)
def test_what_a_peer_says_is_told_and_nobody_else_can_read_it(kind: Kind) -> None:
    lan, (a, b, c) = meet(3)
    assert send(a, b, kind)
    lan.run(0.01)
    assert heard(b) == [(a.identity.mid, kind, SECRET)]
    assert heard(c) == []
    [data] = lan.of_kind(kind)
    assert (data[:22], parse(data).channel) == (CODED_PREFIX, 0x34)
    assert SECRET not in data


def test_a_message_says_by_which_link_it_came_and_leaves_by_the_one_that_is_named() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    for number, node in enumerate((a, b), 1):
        node.links = [*node.links, Link(3, 6, f"fe80::{number}", 32110, ("fe80::1/64",))]
        node.core.set_links(node.links, lan.now)
        node.flush()
    lan.run(10)
    peer = a.core.peers.get(b.identity.key)
    assert peer is not None
    assert [path.link for path in a.core.coded.paths(peer)] == [(2, 4), (3, 6)]
    for link in ((3, 6), (2, 4), None):
        assert send(a, b, Kind.JOIN, link=link)
    assert not send(a, b, Kind.JOIN, link=(4, 4))
    lan.run(0.01)
    assert [event.arrival.link for _, event in b.history if isinstance(event, CodedReceived)] == [(3, 6), (2, 4),
                                                                                                (2, 4)]


def test_by_a_silent_link_nothing_is_said() -> None:
    lan, (a, b) = meet()
    peer = a.core.peers.get(b.identity.key)
    assert peer is not None
    [link] = a.links
    a.core.links[link.key] = Link(link.index, link.family, link.ip, link.port, link.networks, silent=True)
    assert a.core.coded.paths(peer) == []
    assert not send(a, b, Kind.JOIN)
    assert lan.of_kind(Kind.JOIN) == []


def test_to_strangers_to_the_departed_and_after_the_end_nothing_is_said() -> None:
    lan, (a, b) = meet()
    assert not a.core.coded.send(bytes(20), Kind.JOIN, b"", None, lan.now)
    assert not send(a, b, Kind.PING), "only what is about transfers"
    assert not send(a, b, Kind.JOIN, bytes(MAX_CODED_PAYLOAD + 1))
    b.leave()
    lan.run(1)
    assert not send(a, b, Kind.JOIN)
    a.core.stop()
    assert not send(a, b, Kind.JOIN)


def test_offers_come_to_who_asks_and_no_more_than_asked_for() -> None:
    lan, (a, b) = meet()
    say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert (heard(a), a.dropped("unexpected")) == ([], 1)
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    for _ in range(MAX_OFFERS + 3):
        assert send(b, a, Kind.OFFER)
    lan.run(0.01)
    assert (len(heard(a)), a.dropped("unexpected")) == (MAX_OFFERS, 4)


def test_offers_come_in_time_or_not_at_all() -> None:
    lan, (a, b, c) = meet(3)
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    say(c, a, Kind.OFFER)
    lan.run(OFFER_PATIENCE - 1)
    say(b, a, Kind.OFFER)
    lan.run(1)
    say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert heard(a) == [(b.identity.mid, Kind.OFFER, SECRET)]
    assert a.dropped("unexpected") == 2
    assert send(a, c, Kind.OFFERS_WANTED, b"")
    assert list(a.core.coded.asked) == [c.identity.key], "who was asked long ago is forgotten"


def test_asking_again_does_not_add_up() -> None:
    lan, (a, b) = meet()
    for _ in range(3):
        assert send(a, b, Kind.OFFERS_WANTED, b"")
    for _ in range(MAX_OFFERS + 1):
        say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert len(heard(a)) == MAX_OFFERS


def test_the_largest_messages_of_a_session_fit() -> None:
    lan, (a, b) = meet()
    assert session_limits.MAX_CONTROL == MAX_CODED_PAYLOAD
    assert max(messages.OFFER.size, messages.ACCEPT.size) + MAX_MANIFEST <= MAX_CODED_PAYLOAD
    assert send(a, b, Kind.REPORT, bytes(MAX_CODED_PAYLOAD))
    lan.run(0.01)
    [data] = lan.of_kind(Kind.REPORT)
    assert len(data) <= MAX_SIGNED
    assert heard(b) == [(a.identity.mid, Kind.REPORT, bytes(MAX_CODED_PAYLOAD))]


# --- Prefixes.


def test_each_kind_has_the_prefix_of_its_overlay() -> None:
    assert {kind for kind in Kind if prefix_of(kind) == CODED_PREFIX} == set(range(27, 40)) == set(CODED_KINDS)
    assert CODED_PREFIX != PREFIX
    assert len(CODED_PREFIX) == 22


def test_the_document_has_the_prefix_and_all_kinds() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
    assert f"`{CODED_PREFIX.hex()}`" in text
    assert [kind for kind in Kind if f"| {int(kind)} | {kind.name} | " not in text] == []


@pytest.mark.parametrize("kind", sorted(MULTICAST_KINDS | UNICAST_KINDS))
def test_under_the_prefix_of_the_other_overlay_no_kind_is_heard(kind: Kind) -> None:
    lan, (a, b) = meet()
    lan.queue.clear()
    writer = b.core.outbox.writer
    multicast = kind in MULTICAST_KINDS
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    data = writer.datagram(kind, 0x04 if multicast else 0x14, SECRET, pair_key=None if multicast else peer.pair_key)
    other = PREFIX if kind in CODED_KINDS else CODED_PREFIX
    before = sum(a.core.counters.received.values())
    lan.transmit(None, 4, b.address(), None if multicast else a.address(), other + data[22:])
    lan.run(0.01)
    assert a.dropped("wrong_prefix") == 1
    assert sum(a.core.counters.received.values()) == before


@pytest.mark.parametrize("kind", [0, 41, 42, 99, 255])
@pytest.mark.parametrize("prefix", [PREFIX, CODED_PREFIX])
def test_kinds_that_are_not_there_yet_are_unknown_under_either_prefix(kind: int, prefix: bytes) -> None:
    lan, (a, b) = meet()
    data = written(b, a, Kind.JOIN)
    lan.transmit(None, 4, b.address(), a.address(), prefix + bytes((kind,)) + data[23:])
    lan.run(0.01)
    assert a.dropped("unknown_kind") == 1


# --- Among hostile ones.


@pytest.mark.parametrize("kind", KINDS)
def test_by_multicast_none_of_them_is_heard(kind: Kind) -> None:
    lan, (a, b) = meet()
    b.core.outbox.multicast(kind, LINK, SECRET)
    b.flush()
    lan.run(0.01)
    assert (heard(a), a.dropped("wrong_channel")) == ([], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_unsealed_none_of_them_is_heard(kind: Kind) -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    say(b, a, kind, sealed=False)
    lan.run(0.01)
    assert (heard(a), a.dropped("not_sealed")) == ([], 1)


@pytest.mark.parametrize("kind", OPEN)
def test_recordings_are_heard_once(kind: Kind) -> None:
    lan, (a, b) = meet()
    say(b, a, kind)
    [recorded] = lan.of_kind(kind)
    for _ in range(3):
        lan.transmit(None, 4, b.address(), a.address(), recorded)
    lan.run(0.01)
    assert (len(heard(a)), a.dropped("replay")) == (1, 3)


def test_what_was_recorded_before_a_restart_is_worth_nothing_after_it() -> None:
    lan, (a, b) = meet()
    say(b, a, Kind.JOIN)
    [recorded] = lan.of_kind(Kind.JOIN)
    lan.run(0.01)
    a.leave()
    lan.run(1)
    a.boot()
    lan.run(3)
    assert a.knows(b)
    lan.transmit(None, 4, b.address(), a.address(), recorded)
    lan.run(0.01)
    assert heard(a) == [(b.identity.mid, Kind.JOIN, SECRET)], "that of before the restart"


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_are_not_heard_and_verified_first(kind: Kind) -> None:
    lan, (a, _) = meet()
    stranger = Writer(identity_from("stranger"), 1)
    lan.transmit(None, 4, ("10.0.0.77", 32110), a.address(), stranger.datagram(kind, 0x34, seal_for_pair(bytes(32),
                                                                                                    SECRET)))
    lan.run(0.1)
    assert heard(a) == []
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.77", 32110)]


@pytest.mark.parametrize(("offset", "reason"), [(30, "bad_guard"), (105, "old_epoch"), (130, "bad_guard"),
                                               (-1, "bad_signature")])
def test_a_forged_byte_anywhere_is_found(offset: int, reason: str) -> None:
    lan, (a, b) = meet()
    b.boot()
    lan.run(3)
    data = bytearray(written(b, a, Kind.JOIN))
    if offset == 105:
        data[105:113] = bytes(8)
    else:
        data[offset] ^= 1
    before = a.dropped(reason)
    lan.transmit(None, 4, b.address(), a.address(), bytes(data))
    lan.run(0.01)
    assert (heard(a), a.dropped(reason)) == ([], before + 1)


def test_a_seal_that_is_none_is_dropped() -> None:
    lan, (a, b) = meet()
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    for sealed in (b"", bytes(39), bytes(200), seal_for_pair(bytes(32), SECRET)):
        data = b.core.outbox.writer.datagram(Kind.JOIN, 0x34, sealed, pair_key=peer.pair_key)
        lan.transmit(None, 4, b.address(), a.address(), data)
    lan.run(0.01)
    assert (heard(a), a.dropped("bad_seal")) == ([], 4)


def test_what_is_too_long_is_dropped_though_it_fits_into_a_datagram() -> None:
    lan, (a, b) = meet()
    say(b, a, Kind.REPORT, bytes(MAX_CODED_PAYLOAD + 1))
    lan.run(0.01)
    assert (heard(a), a.dropped("oversize")) == ([], 1)


def test_from_an_address_that_is_not_verified_it_counts_only_after_that_is() -> None:
    lan, (a, b) = meet()
    data = written(b, a, Kind.JOIN)
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), data)
    lan.run(0.2)
    assert heard(a) == []
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.99", 32110)]


def test_an_offer_from_another_address_uses_up_nothing() -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), written(b, a, Kind.OFFER))
    lan.run(0.05)
    assert heard(a) == []
    assert a.core.coded.asked[b.identity.key].left == MAX_OFFERS


@pytest.mark.parametrize(("kind", "rate", "burst"), [(Kind.JOIN, CODED_PER_SECOND, CODED_BURST),
                                                    (Kind.REPORT, RANKS_PER_SECOND, RANKS_BURST)])
def test_a_flood_of_one_peer_is_checked_within_its_budget_and_leaves_the_rest_of_it_alone(
        kind: Kind, rate: float, burst: float) -> None:
    lan, (a, b) = meet()
    for _ in range(3):
        for _ in range(1000):
            say(b, a, kind)
        lan.run(1)
    assert burst <= len(heard(a)) <= burst + 3 * rate
    assert a.dropped("rate") == 3000 - len(heard(a))
    assert a.knows(b)
    other = Kind.REPORT if kind == Kind.JOIN else Kind.JOIN
    say(b, a, other)
    lan.run(0.01)
    assert heard(a)[-1][1] == other, "reports and the rest have budgets of their own"


def test_other_kinds_share_one_budget() -> None:
    lan, (a, b) = meet()
    for kind in sorted(CODED_KINDS - RANK_KINDS - {Kind.OFFER}) * 50:
        say(b, a, kind)
    lan.run(0.01)
    assert CODED_BURST <= len(heard(a)) <= CODED_BURST + 1


@pytest.mark.parametrize(("kind", "every", "most"), [
    (Kind.LEAVE, CODED_BURST, ALL_CODED_BURST + ALL_CODED_PER_SECOND),
    (Kind.REPORT, RANKS_BURST, ALL_RANKS_BURST + ALL_RANKS_PER_SECOND)])
def test_floods_of_many_peers_are_checked_within_the_budget_of_all(
        kind: Kind, every: float, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    lan, (a, *others) = meet(6)
    monkeypatch.setattr(a.core.gate.all_coded, "burst", 100.0)
    monkeypatch.setattr(a.core.gate.all_rank_reports, "burst", 100.0)
    a.core.gate.all_coded.tokens = a.core.gate.all_rank_reports.tokens = 100.0
    for node in others:
        for _ in range(int(every)):
            say(node, a, kind)
    lan.run(0.01)
    assert 100 <= len(heard(a)) <= 130 < 5 * every < most
    assert a.dropped("rate") == 5 * int(every) - len(heard(a))


def test_offers_of_many_leave_room_for_what_else_is_said() -> None:
    lan, (a, b) = meet()
    for _ in range(10):
        assert send(a, b, Kind.OFFERS_WANTED, b"")
        for _ in range(MAX_OFFERS):
            say(b, a, Kind.OFFER)
        lan.run(0.1)
    offers = len(heard(a))
    assert offers < 200
    say(b, a, Kind.ACCEPT)
    lan.run(0.01)
    assert len(heard(a)) == offers + 1


def test_no_bytes_make_taking_them_in_raise() -> None:
    lan, (a, b) = meet()
    random = Random(8)
    recorded = [written(b, a, kind) for kind in KINDS]
    for _ in range(3000):
        data = bytearray(random.choice(recorded))
        for place in random.sample(range(len(data)), random.randrange(1, 4)):
            data[place] ^= random.randrange(1, 256)
        a.core.datagram_received(bytes(data[:random.randrange(len(data))]) if random.random() < 0.3 else bytes(data),
                                 type("Seen", (), {"link": LINK, "multicast": False, "source": b.address(),
                                                   "hop_limit": 255})(), lan.now)
    a.flush()
    assert heard(a) == []


# --- Policies and groups.


@pytest.mark.parametrize("kind", KINDS)
def test_with_the_policy_friends_they_are_for_friends(kind: Kind) -> None:
    lan, (only, friend, other) = meet(3)
    befriend(only, friend)
    only.core.policy.friends_only = True
    assert not send(only, other, Kind.JOIN)
    assert send(only, friend, Kind.OFFERS_WANTED, b"")
    say(other, only, kind)
    say(friend, only, kind)
    lan.run(0.01)
    assert heard(only) == [(friend.identity.mid, kind, SECRET)]
    assert only.dropped("not_friend") == 1


def test_in_a_group_they_look_like_everything_else_that_is_sealed() -> None:
    seal = Seal(b"r" * 32)
    lan = SimulatedLan()
    a, b, outside = lan.node(seal=seal), lan.node(seal=seal), lan.node()
    lan.run(6)
    lan.wire.clear()
    for kind in OPEN:
        assert send(a, b, kind, bytes(MAX_CODED_PAYLOAD))
        [(*_, data)] = lan.wire
        assert data.startswith(SEALED)
        assert CODED_PREFIX not in data
        assert len(data) <= 1400
        lan.wire.clear()
    lan.run(0.01)
    assert [kind for _, kind, _ in heard(b)] == OPEN
    assert heard(outside) == []


def test_a_group_hears_none_of_them_that_is_not_under_its_seal() -> None:
    seal = Seal(b"r" * 32)
    lan = SimulatedLan()
    a, b = lan.node(seal=seal), lan.node(seal=seal)
    lan.run(6)
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    for domain in (b.core.group.domain, b"tribler-multicast signature 1\0"):
        b.core.outbox.writer.domain = domain
        data = b.core.outbox.writer.datagram(Kind.JOIN, 0x34, seal_for_pair(peer.pair_key, SECRET),
                                             pair_key=peer.pair_key)
        lan.transmit(None, 4, b.address(), a.address(), data)
    lan.run(0.01)
    assert (heard(a), a.dropped("unsealed")) == ([], 2)
    lan.transmit(None, 4, b.address(), a.address(), CODED_PREFIX + seal.seal(b.address(), 0x14, data)[22:])
    lan.run(0.01)
    assert heard(a) == []
    lan.transmit(None, 4, b.address(), a.address(), seal.seal(b.address(), 0x14, data))
    lan.run(0.01)
    assert a.dropped("bad_signature") == 1, "signed outside of the group"


def test_recordings_are_heard_once_in_a_group_too() -> None:
    seal = Seal(b"r" * 32)
    lan = SimulatedLan()
    a, b = lan.node(seal=seal), lan.node(seal=seal)
    lan.run(6)
    lan.wire.clear()
    assert send(b, a, Kind.JOIN)
    [(*_, recorded)] = lan.wire
    lan.transmit(None, 4, b.address(), a.address(), recorded)
    lan.run(0.01)
    assert (len(heard(a)), a.dropped("replay")) == (1, 1)


def test_who_changes_the_group_awaits_no_offers_of_the_former_one() -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    for node in (a, b):
        node.rekey(Seal(b"r" * 32))
    lan.run(6)
    assert a.knows(b)
    say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert (heard(a), a.dropped("unexpected")) == ([], 1)


# --- Round trips.


def measure(node: Node, other: Node) -> bytes | None:
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    number = node.core.liveness.measure(peer, LINK, node.lan.now)
    node.flush()
    return number


def test_a_round_trip_is_told_by_its_number_and_others_are_not() -> None:
    lan, (a, b) = meet()
    number = measure(a, b)
    lan.run(1)
    trips = [event for _, event in a.history if isinstance(event, RoundTrip)]
    assert [trip.number for trip in trips] == [number]
    assert trips[0].seconds == pytest.approx(0.0004)
    lan.run(60)
    assert len([event for _, event in a.history if isinstance(event, RoundTrip)]) == 1


def test_two_that_measure_each_other_as_often_as_they_may_keep_within_what_the_other_checks() -> None:
    lan, (a, b) = meet()
    for _ in range(600):
        measure(a, b)
        measure(b, a)
        lan.run(0.1)
    trips = [event for _, event in (*a.history, *b.history) if isinstance(event, RoundTrip)]
    assert len(trips) > 2 * 60 * (ROUND_TRIPS_PER_SECOND - 1)
    assert (a.dropped("rate"), b.dropped("rate")) == (0, 0)
    assert a.gone(b) == b.gone(a) == []


def test_how_often_a_peer_is_measured_and_how_many_wait_is_bounded() -> None:
    lan, (a, b) = meet()
    lan.filter = lambda node, _data: node is a
    numbers = [measure(a, b) for _ in range(100)]
    waiting = [number for number in numbers if number is not None]
    assert len(waiting) == ROUND_TRIPS_BURST < MAX_MEASURED
    for number in waiting:
        a.core.liveness.stop_measuring(number)
    assert a.core.liveness.measured == set()
    a.core.liveness.measured = {bytes([number]) for number in range(MAX_MEASURED)}
    lan.run(5)
    assert measure(a, b) is None
