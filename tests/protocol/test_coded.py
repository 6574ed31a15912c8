"""What is said around coded transfers: to whom, by which way, under which prefix, by whose policy."""
from __future__ import annotations

from pathlib import Path

import pytest

from tribler_multicast.protocol.events import CodedReceived
from tribler_multicast.protocol.limits import (
    MAX_CODED_PAYLOAD,
    MAX_OFFERS,
    OFFER_PATIENCE,
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
    SEALED,
    UNICAST_KINDS,
    Kind,
    parse,
    prefix_of,
)
from tribler_multicast.transfer.content.manifest import MAX_MANIFEST
from tribler_multicast.transfer.session import limits as session_limits
from tribler_multicast.transfer.session import messages

from .befriending import befriend, meet
from .carried import KINDS, OPEN, SECRET, heard, say, send, written
from .simulated import SimulatedLan

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


def test_a_join_is_a_question_for_one_offer() -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    say(b, a, Kind.OFFER)
    assert send(a, b, Kind.JOIN)
    for _ in range(MAX_OFFERS):
        say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert len(heard(a)) == MAX_OFFERS, "it takes nothing away from what was asked for before"
    assert send(a, b, Kind.JOIN)
    say(b, a, Kind.OFFER)
    say(b, a, Kind.OFFER)
    lan.run(0.01)
    assert len(heard(a)) == MAX_OFFERS + 1


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
    coded = {*range(27, 40), 45, *range(50, 57)}
    assert {kind for kind in Kind if prefix_of(kind) == CODED_PREFIX} == coded == set(CODED_KINDS)
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
