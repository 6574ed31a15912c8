"""Each attack fails, and is counted by reason."""
from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tribler_multicast.protocol.handshake import Challenge, Proof
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.limits import CHALLENGE_SIZE, MAX_DATAGRAM, MAX_KEYS_PER_ADDRESS, TARGET_BURST
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import PREFIX, Address, Kind, Writer, channel_of

from .simulated import Seen, SimulatedLan, identity_from, introduction_of

if TYPE_CHECKING:
    from .simulated import Node

GROUP = None


def pair(seed: int = 1) -> tuple[SimulatedLan, Node, Node]:
    """Make two nodes that hold each other as local."""
    lan = SimulatedLan(seed=seed)
    a, b = lan.node(), lan.node()
    lan.run(20)
    assert a.knows(b)
    assert b.knows(a)
    return lan, a, b


def state(node: Node) -> list[object]:
    """Get all that a datagram could change about a node's peers."""
    return [(peer.key, peer.epoch, peer.introduction, {link: path.address for link, path in peer.paths.items()})
            for peer in node.core.peers]


def test_forged_signature_has_no_effect() -> None:
    lan, a, b = pair()
    writer = Writer(b.identity, 1)
    writer.sequence = 1000
    before = state(a)
    for kind in (Kind.INTRODUCTION, Kind.GOODBYE):
        payload = introduction_of(*b.address()) if kind == Kind.INTRODUCTION else b""
        data = writer.datagram(kind, channel_of(4, True), payload)
        for broken in (data[:-1] + bytes((data[-1] ^ 1,)), data[:-64] + bytes(64)):
            lan.transmit(None, 4, b.address(), GROUP, broken)
    lan.run(1)
    assert a.dropped("bad_signature") == 4
    assert state(a) == before


def test_forged_signature_of_a_stranger_is_counted_too_and_without_a_stamp_not_even_looked_at() -> None:
    lan, a, _ = pair()
    data = Writer(identity_from("stranger"), 1).datagram(Kind.INTRODUCTION, 4, introduction_of("10.0.0.50", 1))
    lan.transmit(None, 4, ("10.0.0.50", 1), GROUP, data[:-64] + bytes(64))
    lan.transmit(None, 4, ("10.0.0.50", 1), GROUP, data)
    lan.transmit(None, 4, ("10.0.0.50", 1), GROUP, data[:-65] + b"x" + data[-64:])
    lan.run(1)
    assert (a.dropped("bad_signature"), a.dropped("repeated"), a.dropped("no_stamp")) == (1, 1, 1)
    assert not lan.of_kind(Kind.CHALLENGE, a)[1:]


def test_key_of_another_does_not_fit_the_signature() -> None:
    lan, a, b = pair()
    forged = Writer(identity_from("attacker"), 1).datagram(Kind.GOODBYE, channel_of(4, True), b"")
    forged = forged[:41] + b.identity.key + (1).to_bytes(8, "big") + (5000).to_bytes(8, "big") + forged[121:]
    lan.transmit(None, 4, b.address(), GROUP, forged)
    lan.run(1)
    assert a.dropped("bad_signature") == 1
    assert a.knows(b)


def test_replay_on_the_same_channel_is_dropped_before_its_signature_is_checked() -> None:
    lan, a, b = pair()
    recorded = lan.of_kind(Kind.INTRODUCTION, b)
    for data in recorded:
        lan.transmit(None, 4, b.address(), GROUP, data)
    lan.run(1)
    assert a.dropped("replay") == len(recorded)
    assert a.dropped("bad_signature") == 0


def test_replay_on_another_channel_is_dropped() -> None:
    lan, a, b = pair()
    a.links = [*a.links, Link(2, 6, "fe80::1", 32110, ("fe80::1/64",))]
    a.core.set_links(a.links, lan.now)
    a.flush()
    introduction = lan.of_kind(Kind.INTRODUCTION, b)[-1]
    lan.transmit(None, 4, b.address(), a.address(), introduction)
    lan.transmit(None, 6, ("fe80::2", 32110), GROUP, introduction)
    for data in lan.of_kind(Kind.CHALLENGE) + lan.of_kind(Kind.CONFIRM):
        lan.transmit(None, 4, b.address(), GROUP, data)
    lan.run(1)
    assert a.dropped("wrong_channel") == 4
    assert set(a.core.peers.get(b.identity.key).paths) == {(2, 4)}


def test_old_epoch_is_dropped_after_a_restart() -> None:
    lan, a, b = pair()
    recorded = lan.of_kind(Kind.INTRODUCTION, b)
    b.kill()
    b.boot()
    lan.run(5)
    before = state(a)
    for data in recorded:
        lan.transmit(None, 4, b.address(), GROUP, data)
    lan.run(1)
    assert a.dropped("old_epoch") == len(recorded)
    assert state(a) == before


def test_old_goodbye_does_not_remove_a_peer_that_is_back() -> None:
    lan, a, b = pair()
    b.leave()
    lan.run(1)
    goodbyes = [data for *_, data in lan.wire if data[22] == Kind.GOODBYE]
    b.boot()
    lan.run(5)
    for data in goodbyes:
        for target in (GROUP, a.address()):
            lan.transmit(None, 4, b.address(), target, data)
    lan.run(1)
    assert a.knows(b)
    assert a.dropped("old_epoch") + a.dropped("wrong_channel") == 2 * len(goodbyes)


def test_goodbye_of_an_epoch_not_confirmed_counts_for_nothing() -> None:
    lan, a, b = pair()
    lan.transmit(None, 4, b.address(), GROUP, Writer(b.identity, 7).datagram(Kind.GOODBYE, channel_of(4, True), b""))
    lan.run(1)
    assert a.knows(b)
    assert a.dropped("unconfirmed_epoch") == 1


def test_recorded_exchange_does_not_bring_back_a_peer_that_left() -> None:
    confirms = 0
    for seed in range(6):  # Who is the initiator depends on the keys.
        lan, a, b = pair(seed)
        b.leave()
        lan.run(1)
        confirms += len(lan.of_kind(Kind.CONFIRM, b))
        for _, sender, family, source, target, data in list(lan.wire):
            if sender is b and data[22] != Kind.GOODBYE:
                lan.transmit(None, family, source, target, data)
        lan.run(5)
        assert not a.knows(b)
        assert a.dropped("unexpected") >= 1
    assert confirms


def test_what_was_said_before_the_exchange_of_a_restart_counts_for_nothing() -> None:
    lan, a, b = pair()
    b.kill()
    lan.filter = lambda node, data: data[22] == Kind.INTRODUCTION and node is not a
    b.boot()
    lan.run(1)
    early = [data for data in lan.of_kind(Kind.INTRODUCTION, b) if data[112] == 2]
    lan.filter = lambda _node, _data: True
    lan.run(10)
    assert a.core.peers.get(b.identity.key).epoch == 2
    for data in early:
        lan.transmit(None, 4, b.address(), GROUP, data)
    lan.run(1)
    assert early
    assert a.dropped("replay") == len(early)


def test_recorded_exchange_does_not_bring_back_a_peer_later_either() -> None:
    lan, a, b = pair()
    b.leave()
    lan.run(200)
    for data in lan.of_kind(Kind.RESPONSE, b) + lan.of_kind(Kind.CONFIRM, b):
        lan.transmit(None, 4, b.address(), a.address(), data)
    lan.run(5)
    assert not a.knows(b)


def test_node_behind_a_router_is_not_local() -> None:
    lan = SimulatedLan()
    a = lan.node()
    lan.run(10)
    far = Writer(identity_from("far"), 1)
    lan.transmit(None, 4, ("10.9.0.1", 32110), GROUP, far.datagram(Kind.INTRODUCTION, 4, introduction_of("10.9.0.1")))
    lan.run(0.1)
    assert a.dropped("off_link") == 1
    for target, hops in ((GROUP, 2), (GROUP, 64), (a.address(), 254), (a.address(), 64), (a.address(), 1)):
        channel = channel_of(4, target is None)
        kind = Kind.INTRODUCTION if target is None else Kind.CHALLENGE
        lan.transmit(None, 4, ("10.0.0.200", 32110), target, far.datagram(kind, channel, bytes(300)), hop_limit=hops)
    lan.run(0.1)
    assert a.dropped("hop_limit") == 5


def test_proxy_that_relays_a_node_from_elsewhere_fails() -> None:
    here, there = SimulatedLan(seed=1), SimulatedLan(seed=2)
    a, b = here.node(), there.node()
    proxy_here, proxy_there = ("10.0.5.5", 32110), ("10.0.6.6", 32110)
    mark_here = mark_there = 0
    for turn in range(4000):
        if turn % 500 == 0:  # However they came to believe in the proxy: what it hands on of introductions won't do.
            a.core.exchange.challenge(b.identity.key, (2, 4), proxy_here, here.now)
            b.core.exchange.challenge(a.identity.key, (2, 4), proxy_there, there.now)
            a.flush()
            b.flush()
        here.run(0.005)
        there.run(0.005)
        for _, sender, family, _, target, data in here.wire[mark_here:]:
            if sender is a and target in (GROUP, proxy_here):
                there.transmit(None, family, proxy_there, GROUP if target is None else b.address(), data)
        mark_here = len(here.wire)
        for _, sender, family, _, target, data in there.wire[mark_there:]:
            if sender is b and target in (GROUP, proxy_there):
                here.transmit(None, family, proxy_here, GROUP if target is None else a.address(), data)
        mark_there = len(there.wire)
    assert here.of_kind(Kind.CHALLENGE, a)
    assert len(here.of_kind(Kind.CHALLENGE)) > len(here.of_kind(Kind.CHALLENGE, a))
    assert a.dropped("address_mismatch") + b.dropped("address_mismatch") > 10
    assert not a.knows(b)
    assert not b.knows(a)


def test_proxy_that_keeps_the_addresses_of_one_side_fails_too() -> None:
    here, there = SimulatedLan(seed=1), SimulatedLan(seed=2)
    a, b = here.node(), there.node()
    b.links = [Link(2, 4, "10.0.7.7", 32110, ("10.0.0.1/16",))]
    b.core.set_links(b.links, there.now)
    b.flush()
    mark_here = mark_there = 0
    for _ in range(2000):
        here.run(0.005)
        there.run(0.005)
        for _, sender, family, _, target, data in here.wire[mark_here:]:
            if sender is a:  # There, the proxy speaks with an address of its own; here, with that of b.
                there.transmit(None, family, ("10.0.6.6", 32110), GROUP if target is None else b.address(), data)
        mark_here = len(here.wire)
        for _, sender, family, source, target, data in there.wire[mark_there:]:
            if sender is b and target in (GROUP, ("10.0.6.6", 32110)):
                here.transmit(None, family, source, GROUP if target is None else a.address(), data)
        mark_there = len(there.wire)
    assert not a.knows(b)
    assert not b.knows(a)


def test_introduction_repeated_from_another_address_makes_nobody_challenge_that_address() -> None:
    lan, a, b = pair()
    lan.wire.clear()
    b.core.solicit(())
    b.core.introduce(lan.now)
    b.kill()
    said = b.core.take_outgoing()
    thief = ("10.0.50.50", 9)
    for _, data in said:
        lan.transmit(None, 4, thief, GROUP, data)
    lan.run(2)
    assert a.dropped("address_mismatch") == len(said) == 2
    assert not any(target == thief for *_, target, _ in lan.wire)


def test_forged_introductions_that_name_a_victim_bring_it_few_packets() -> None:
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(8)]
    lan.run(20)
    lan.wire.clear()
    victim = ("10.0.99.99", 80)
    writer = Writer(identity_from("attacker"), 1)
    lan.transmit(None, 4, victim, GROUP, writer.datagram(Kind.INTRODUCTION, 4, introduction_of(*victim)))
    lan.run(10)
    assert sum(target == victim for *_, target, _ in lan.wire) <= 3 * len(nodes)
    lan.wire.clear()
    for number in range(1000):
        writer = Writer(identity_from(f"attacker {number}"), 1)
        lan.transmit(None, 4, victim, GROUP, writer.datagram(Kind.INTRODUCTION, 4, introduction_of(*victim)))
        lan.run(0.01)
    shot = Counter(sender for _, sender, _, _, target, _ in lan.wire if target == victim)
    assert max(shot.values()) <= TARGET_BURST + 2 * 10 + 5


def test_no_answer_is_larger_than_what_asked_for_it() -> None:
    lan, _, _ = pair()
    biggest = Introduction(5.0, frozenset(), "n" * 64)
    lan.nodes[0].core.introduction = biggest
    lan.nodes[1].core.introduction = biggest
    lan.node()
    lan.run(2)
    assert {len(data) for data in lan.of_kind(Kind.CHALLENGE)} == {CHALLENGE_SIZE}
    assert all(len(data) <= CHALLENGE_SIZE for kind in (Kind.RESPONSE, Kind.CONFIRM) for data in lan.of_kind(kind))


def test_challenge_for_another_node_or_another_address_is_not_answered() -> None:
    lan, a, b = pair()
    writer, attacker = Writer(identity_from("attacker"), 1), Address(4, "10.0.50.50", 9)
    here, elsewhere = Address(4, *a.address()), Address(4, "10.0.50.51", 9)
    for target, initiator, responder, reason in ((b.identity.key, attacker, here, "wrong_recipient"),
                                                 (a.identity.key, elsewhere, here, "address_mismatch"),
                                                 (a.identity.key, attacker, elsewhere, "address_mismatch")):
        before = a.dropped(reason)
        payload = Challenge(target, bytes(16), initiator, responder).pack()
        lan.transmit(None, 4, attacker[1:], a.address(), writer.datagram(Kind.CHALLENGE, channel_of(4, False), payload))
        lan.run(0.1)
        assert a.dropped(reason) == before + 1
    assert not any(target == attacker[1:] for *_, target, _ in lan.wire)


def test_response_that_signs_other_addresses_proves_nothing() -> None:
    lan = SimulatedLan()
    a, liar = lan.node(), identity_from("liar")
    lan.run(5)
    writer, place = Writer(liar, 1), ("10.0.50.50", 9)
    wrong = Address(4, "10.0.50.51", 9)
    for initiator, responder in ((Address(4, *a.address()), wrong), (wrong, Address(4, *place))):
        a.core.pending.by_path.clear()
        a.core.exchange.challenge(liar.key, (2, 4), place, lan.now)
        a.flush()
        challenge = Challenge.unpack(lan.of_kind(Kind.CHALLENGE)[-1][121:-64])
        proof = Proof(a.identity.key, bytes(16), a.epoch, initiator, responder, Introduction(5.0)).pack()
        before = a.dropped("address_mismatch")
        lan.transmit(None, 4, place, a.address(), writer.datagram(Kind.RESPONSE, 0x14, proof, challenge.nonce))
        lan.run(0.1)
        assert a.dropped("address_mismatch") == before + 1
    assert not len(a.core.peers)


def test_unicast_between_others_can_not_be_imitated() -> None:
    lan, a, b = pair()
    before = state(a)
    writer = Writer(identity_from("attacker"), 1)
    writer.sequence = 1000
    for kind in (Kind.PROBE, Kind.PROBE_REPLY, Kind.ANSWER, Kind.GOODBYE):
        data = writer.datagram(kind, channel_of(4, False), bytes(8), guard=bytes(16))
        lan.transmit(None, 4, b.address(), a.address(), data[:41] + b.identity.key + data[105:])
    lan.run(1)
    assert a.dropped("bad_guard") == 4
    assert state(a) == before


def test_oversize_truncated_and_foreign_datagrams_are_counted() -> None:
    lan, a, _ = pair()
    for data in (PREFIX + bytes(MAX_DATAGRAM), PREFIX + b"\x01", b"hello", PREFIX + b"\x01\x09\x04" + bytes(300),
                 PREFIX + b"\x63\x01\x04" + bytes(300)):
        lan.transmit(None, 4, ("10.0.0.77", 1), GROUP, data)
    lan.run(1)
    for reason in ("oversize", "malformed", "not_ours", "version", "unknown_kind"):
        assert a.dropped(reason) == 1, reason


def test_own_key_in_other_hands_is_noticed() -> None:
    lan, a, _ = pair()
    lan.transmit(None, 4, ("10.0.0.99", 1), GROUP, Writer(a.identity, 9).datagram(Kind.GOODBYE, 4, b""))
    lan.run(1)
    assert a.dropped("own_key_elsewhere") == 1


def test_one_address_can_not_fill_the_table() -> None:
    lan = SimulatedLan()
    a = lan.node(shortest_interval=600.0)
    lan.run(5)
    for number in range(MAX_KEYS_PER_ADDRESS + 20):
        other = lan.node(shortest_interval=600.0)
        other.kill()
        other.links = [Link(2, 4, "10.0.200.1", 40000 + number, ("10.0.0.1/16",))]
        other.kwargs = {"shortest_interval": 600.0}
        other.boot()
        lan.run(2)
        other.kill()
    assert len(a.core.peers.keys_at[(2, 4), "10.0.200.1"]) == MAX_KEYS_PER_ADDRESS
    assert a.dropped("table_full") > 0


def test_signed_but_nonsensical_payloads_are_dropped() -> None:
    lan, a, b = pair()
    writer = Writer(b.identity, 1)
    writer.sequence = 1000
    before = state(a)
    place = Address(4, *b.address()).pack()
    for payload in (b"", b"\0", place, place + Introduction(5.0).pack() + b"x", b"\5" + place[1:] + bytes(6),
                    place + b"\0\1\0\0\xff" + b"n" * 255 + b"\0", place + b"\0\1\0\0\0\x07",
                    place + b"\0\1\0\0\0\x01\x01\x05"):
        lan.transmit(None, 4, b.address(), GROUP, writer.datagram(Kind.INTRODUCTION, 4, payload))
    lan.run(1)
    assert a.dropped("malformed") == 8
    assert state(a) == before


def test_source_that_is_no_host_address_is_off_link() -> None:
    link = Link(1, 4, "10.0.0.1", 1, ("10.0.0.1/8", "0.0.0.0/0"))
    assert not any(link.is_on_link(ip) for ip in ("224.0.0.1", "255.255.255.255", "0.0.0.0", "::1", "nonsense", ""))
    assert link.is_on_link("10.200.3.4")
    six = Link(1, 6, "fe80::1", 1, ("fe80::1/64", "fd00::1/64"))
    assert six.is_on_link("fe80::99%eth0")
    assert not six.is_on_link("fd01::1")


def test_seen_is_what_the_protocol_needs() -> None:
    assert Seen((1, 4), True, ("10.0.0.1", 1), None).hop_limit is None
