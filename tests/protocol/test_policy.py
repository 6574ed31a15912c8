"""The policy `friends`: what a node gives to whom, kind by kind, and what who captures its packets learns."""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.fragments import Fragment, Head, pack_ask
from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.pages import LARGEST, SMALLEST
from tribler_multicast.protocol.pair_seal import NONCE_SIZE, SEAL_SIZE, box_key, open_from_pair, seal_for_pair
from tribler_multicast.protocol.policy import OPEN_KINDS
from tribler_multicast.protocol.values import pack_values
from tribler_multicast.protocol.wire import (
    GUARD_END,
    MULTICAST_KINDS,
    PAIR_SEALED,
    SEAL_OVERHEAD,
    SEALABLE_KINDS,
    SIGNATURE_SIZE,
    UNICAST_KINDS,
    Address,
    Kind,
    Writer,
    channel_of,
    parse,
)

from .announcing import PATIENCE, announce, heard
from .befriending import ask, befriend, bond, meet, states, told, withdraw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .simulated import Node, SimulatedLan

SECRET = "what nobody else may know"
CONTENT = (SECRET, b"\x00\xff" * 40, 7)
GIVEN_TO_ALL = {Kind.INTRODUCTION, Kind.GOODBYE, Kind.CHALLENGE, Kind.RESPONSE, Kind.CONFIRM, Kind.PROBE,
                Kind.PROBE_REPLY, Kind.SOLICITATION, Kind.FRIEND, Kind.PULL, Kind.PAGE}


def trio(loss: float = 0.0, seed: int = 1) -> tuple[SimulatedLan, list[Node]]:
    """Make a node for friends only, its friend, and one that is none; all hold each other as local."""
    lan, nodes = meet(3, seed=seed)
    befriend(*nodes[:2])
    nodes[0].core.policy.friends_only = True
    lan.loss = loss
    lan.wire.clear()
    return lan, nodes


def sent_to(lan: SimulatedLan, sender: Node, receiver: Node) -> set[int]:
    """Get the kinds that one node sent to another, or to all."""
    return {data[22] for _, node, _, _, target, data in lan.wire
            if node is sender and target in (None, receiver.address())}


def test_no_kind_is_open_by_accident() -> None:
    assert GIVEN_TO_ALL | {Kind.ANSWER, Kind.PONG, Kind.TRAIN_REPORT} == OPEN_KINDS


def payload_of(kind: Kind, sender: Node) -> bytes:
    """Make a payload of a kind that a node would like to answer."""
    introduction = Introduction(5.0).pack()
    address = Address(4, *sender.address()).pack()
    head = Head.of(1, pack_values(("x",)))
    known: dict[int, bytes] = {
        Kind.INTRODUCTION: address + introduction, Kind.SOLICITATION: address + bytes(2) + introduction,
        Kind.ANSWER: introduction, Kind.PULL: bytes(8) + SMALLEST + LARGEST, Kind.PAGE: bytes(11),
        Kind.GOODBYE: b"", Kind.PROBE: bytes(8), Kind.PROBE_REPLY: bytes(8), Kind.PING: bytes(28),
        Kind.PONG: bytes(12), Kind.FRAGMENT: Fragment.cut(head, pack_values(("x",)), 0).pack(),
        Kind.TRAILER: head.pack(), Kind.ASK: pack_ask(head, [0]), Kind.FRIEND: bytes(18)}
    return known.get(kind, bytes(600))


def ways() -> Iterator[tuple[Kind, bool, bool]]:
    for kind in Kind:
        for multicast, kinds in ((True, MULTICAST_KINDS), (False, UNICAST_KINDS)):
            if kind in kinds:
                yield kind, multicast, False
                if not multicast:
                    yield kind, multicast, True


@pytest.mark.parametrize(("kind", "multicast", "sealed"), list(ways()))
def test_a_stranger_gets_nothing_but_introductions_and_verification_by_any_kind(
        kind: Kind, multicast: bool, sealed: bool) -> None:
    lan, (only, friend, other) = trio()
    announce(only, CONTENT)
    lan.run(0.02)
    lan.wire.clear()
    before = only.core.counters.received[kind.name.lower()]
    peer = other.core.peers.get(only.identity.key)
    assert peer is not None
    payload = payload_of(kind, other)
    if sealed:
        payload = seal_for_pair(peer.pair_key, payload)
    data = other.core.outbox.writer.datagram(kind, channel_of(4, multicast) | (PAIR_SEALED if sealed else 0), payload,
                                             pair_key=None if multicast else peer.pair_key)
    lan.transmit(other, 4, other.address(), None if multicast else only.address(), data)
    lan.run(3)
    assert sent_to(lan, only, other) <= GIVEN_TO_ALL
    assert heard(only) == []
    if kind in OPEN_KINDS and not sealed:
        assert only.dropped("not_friend") == (kind == Kind.SOLICITATION)
    elif kind not in OPEN_KINDS:
        assert only.dropped("not_friend") >= 1
        assert only.core.counters.received[kind.name.lower()] == before
    assert heard(friend)[0] == CONTENT


def test_a_friend_gets_everything() -> None:
    lan, (only, friend, other) = trio()
    announce(only, CONTENT)
    announce(friend, ("hello",))
    announce(other, ("unwanted",))
    run = friend.core.pings.start(only.identity.mid, 2, 0.1, lan.now)
    alone = other.core.pings.start(only.identity.mid, 2, 0.1, lan.now)
    friend.core.solicit(())
    other.core.solicit(())
    friend.flush()
    other.flush()
    lan.run(PATIENCE)
    assert heard(friend) == [CONTENT, ("unwanted",)] or heard(friend) == [("unwanted",), CONTENT]
    assert heard(other) == [("hello",)]
    assert heard(only) == [("hello",)]
    assert [len(tally.times) for tally in run.tallies.values()] == [2]
    assert [len(tally.times) for tally in alone.tallies.values()] == [0]
    assert Kind.ANSWER in sent_to(lan, only, friend)
    assert Kind.ANSWER not in sent_to(lan, only, other)
    assert Kind.PONG not in sent_to(lan, only, other)
    assert only.dropped("not_friend") > 2


def test_who_captures_everything_learns_nothing_of_what_is_announced() -> None:
    lan, (only, friend, _) = trio(loss=0.3)
    values = (SECRET * 300, *CONTENT)
    announce(only, values)
    lan.run(PATIENCE)
    assert heard(friend) == [values]
    packed = pack_values(values)
    head = Head.of(1, packed)
    about = [(target, data) for _, node, _, _, target, data in lan.wire
             if data[22] in (Kind.FRAGMENT, Kind.TRAILER, Kind.ASK)]
    assert {data[22] for _, data in about} == {Kind.FRAGMENT, Kind.TRAILER, Kind.ASK}
    for target, data in about:
        assert target in (only.address(), friend.address())
        assert data[24] & PAIR_SEALED
        assert len(data) <= limits.MAX_DATAGRAM
    for _, _, _, _, _, data in lan.wire:
        for clear in (SECRET.encode(), CONTENT[1], head.digest, head.digest[:8], head.size.to_bytes(4, "big")):
            assert clear not in data[GUARD_END + 80:-SIGNATURE_SIZE]


@pytest.mark.parametrize("size", [0, 1, 5000, limits.MAX_ANNOUNCEMENT])
def test_all_sizes_reach_several_friends_whole_at_loss(size: int) -> None:
    lan, nodes = meet(5)
    only, *friends = nodes
    for friend in friends[:3]:
        befriend(only, friend)
    only.core.policy.friends_only = True
    lan.loss = 0.1
    values = (Random(1).randbytes(size - 5),) if size > 5 else (None,) * size
    announce(only, values)
    lan.run(PATIENCE + 4)
    assert [heard(friend) for friend in friends] == [[values]] * 3 + [[]]


def ask_for(node: Node, other: Node, head: Head) -> None:
    """Let a node ask another for all fragments of an announcement, as its code would not."""
    peer = node.core.peers.get(other.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(Kind.ASK, peer, (2, 4), other.address(), pack_ask(head, range(head.count)), sealed=True)
    node.flush()


def test_who_is_no_friend_gets_no_fragment_again_even_when_the_policy_is_another_now() -> None:
    lan, (only, friend, other) = trio()
    announce(only, (SECRET * 200,))
    lan.run(0.1)
    only.core.policy.friends_only = False
    ask_for(other, only, Head.of(1, pack_values((SECRET * 200,))))
    lan.run(5)
    assert only.dropped("not_friend") == 1
    assert Kind.FRAGMENT not in sent_to(lan, only, other)
    assert len(heard(friend)) == 1


def test_what_was_not_sent_yet_is_not_sent_twice() -> None:
    lan, nodes = meet(3)
    only, first, second = nodes
    befriend(only, first)
    befriend(only, second)
    only.core.policy.friends_only = True
    values = (Random(1).randbytes(200_000),)
    head = Head.of(1, pack_values(values))
    announce(only, values)
    lan.run(0.01)
    keys = only.core.announcer.kept[1].friends
    assert keys is not None
    last = next(node for node in (first, second) if node.identity.key == keys[-1])
    ask_for(last, only, head)
    lan.run(PATIENCE)
    assert heard(first) == heard(second) == [values]
    assert len([1 for _, node, _, _, target, data in lan.wire
                if node is only and target == last.address() and data[22] == Kind.FRAGMENT]) == head.count


def test_with_no_friend_here_nothing_is_sent_and_the_next_one_is() -> None:
    lan, (only, friend, _) = trio()
    friend.leave()
    lan.run(1)
    lan.wire.clear()
    assert announce(only, CONTENT) == 1
    lan.run(3)
    assert lan.of_kind(Kind.FRAGMENT) == lan.of_kind(Kind.TRAILER) == []
    friend.boot()
    lan.run(20)
    assert announce(only, CONTENT) == 2
    lan.run(1)
    assert heard(friend) == [CONTENT]


def test_who_becomes_a_friend_gets_what_is_announced_from_then_on_and_who_is_none_any_more_does_not() -> None:
    lan, (only, friend, other) = trio()
    befriend(only, other)
    announce(only, ("both",))
    lan.run(2)
    withdraw(only, friend)
    announce(only, ("one",))
    lan.run(2)
    assert heard(friend) == [("both",)]
    assert heard(other) == [("both",), ("one",)]
    assert states(only, friend) == ("none", "none")


def test_the_policy_changes_at_once_and_what_was_for_friends_stays_theirs() -> None:
    lan, (only, friend, other) = trio(loss=0.4)
    announce(only, (SECRET * 200,))
    only.core.policy.friends_only = False
    lan.run(PATIENCE)
    assert len(heard(friend)) == 1
    assert heard(other) == []
    assert SECRET.encode() not in b"".join(data for *_, data in lan.wire)
    lan.loss = 0
    for number in range(12):
        announce(only, (number,))
    only.core.policy.friends_only = True
    lan.run(3)
    assert heard(friend)[1:] == [(number,) for number in range(12)]
    assert heard(other) == [(0,)], "the others had not left yet"
    only.core.policy.friends_only = False
    announce(only, ("to all again",))
    lan.run(3)
    assert heard(other)[-1] == ("to all again",)


def test_the_policy_that_changes_in_the_middle_ends_what_goes_to_all() -> None:
    lan, (only, friend, other) = trio()
    only.core.policy.friends_only = False
    values = (Random(1).randbytes(100_000),)
    announce(only, values)
    lan.run(0.02)
    assert lan.of_kind(Kind.FRAGMENT)
    only.core.policy.friends_only = True
    lan.wire.clear()
    lan.run(PATIENCE)
    assert heard(friend) == [values]
    assert heard(other) == []
    assert not [1 for _, node, _, _, target, data in lan.wire if node is only and target is None
                and data[22] in (Kind.FRAGMENT, Kind.TRAILER)]
    assert Kind.FRAGMENT not in sent_to(lan, only, other)


def test_a_friends_only_node_can_be_asked_and_accepts() -> None:
    lan, (only, _, other) = trio()
    ask(other, only)
    lan.run(1)
    assert told(only)[-1] == "received"
    ask(only, other)
    lan.run(1)
    assert states(only, other) == ("mutual", "mutual")
    announce(only, ("welcome",))
    lan.run(1)
    assert heard(other) == [("welcome",)]


def test_two_friends_only_nodes_talk() -> None:
    lan, (only, friend, other) = trio()
    friend.core.policy.friends_only = True
    announce(only, ("one",))
    announce(friend, ("two",))
    lan.run(2)
    assert (heard(friend), heard(only), heard(other)) == ([("one",)], [("two",)], [])


# --- The box.


def test_a_box_opens_for_its_pair_only() -> None:
    sealed = seal_for_pair(b"k" * 32, b"content")
    assert len(sealed) == len(b"content") + SEAL_SIZE <= len(b"content") + SEAL_OVERHEAD
    assert open_from_pair(b"k" * 32, sealed) == b"content"
    assert open_from_pair(b"l" * 32, sealed) is None
    assert seal_for_pair(b"k" * 32, b"content") != sealed
    for damaged in (b"", sealed[:SEAL_SIZE - 1], sealed[:-1], sealed + b"x", bytes(len(sealed)),
                    bytes((sealed[0] ^ 1,)) + sealed[1:], sealed[:-1] + bytes((sealed[-1] ^ 1,))):
        assert open_from_pair(b"k" * 32, damaged) is None


def test_both_libraries_make_the_same_box() -> None:
    bindings = pytest.importorskip("nacl.bindings")
    sealed = seal_for_pair(b"k" * 32, b"content")
    assert bindings.crypto_secretbox(b"content", sealed[:NONCE_SIZE], box_key(b"k" * 32)) == sealed[NONCE_SIZE:]


def test_the_largest_fragment_fits_when_sealed() -> None:
    packed = bytes(100_000)
    payload = Fragment.cut(Head.of(1, packed), packed, 0).pack()
    lan, (only, friend, _) = trio()
    peer = only.core.peers.get(friend.identity.key)
    assert peer is not None
    only.core.outbox.to_peer(Kind.FRAGMENT, peer, (2, 4), friend.address(), payload, sealed=True)
    [(_, data)] = only.core.take_outgoing()
    assert limits.MAX_DATAGRAM - 2 <= len(data) <= limits.MAX_DATAGRAM
    assert parse(data).payload != payload
    assert lan.now


@pytest.mark.parametrize("damage", ["content", "other pair", "no seal", "short"])
def test_a_damaged_box_is_dropped_and_counted(damage: str) -> None:
    lan, (only, friend, _) = trio()
    peer = friend.core.peers.get(only.identity.key)
    assert peer is not None
    payload = payload_of(Kind.FRAGMENT, friend)
    sealed = {"content": lambda: seal_for_pair(peer.pair_key, payload)[:-1] + b"?",
              "other pair": lambda: seal_for_pair(bytes(32), payload),
              "no seal": lambda: payload, "short": lambda: b"x"}[damage]()
    data = friend.core.outbox.writer.datagram(Kind.FRAGMENT, channel_of(4, False) | PAIR_SEALED, sealed,
                                              pair_key=peer.pair_key)
    lan.transmit(friend, 4, friend.address(), only.address(), data)
    lan.run(0.1)
    assert only.dropped("bad_seal") == 1
    assert heard(only) == []


def test_the_seal_bit_counts_for_announcements_and_searches_by_unicast_only() -> None:
    lan, (only, friend, _) = trio()
    peer = friend.core.peers.get(only.identity.key)
    assert peer is not None
    writer: Writer = friend.core.outbox.writer
    for kind in sorted(UNICAST_KINDS - SEALABLE_KINDS):
        sealed = seal_for_pair(peer.pair_key, payload_of(kind, friend))
        data = writer.datagram(kind, channel_of(4, False) | PAIR_SEALED, sealed, pair_key=peer.pair_key)
        lan.transmit(friend, 4, friend.address(), only.address(), data)
    count = len(UNICAST_KINDS - SEALABLE_KINDS)
    for kind in sorted(MULTICAST_KINDS):
        lan.transmit(friend, 4, friend.address(), None,
                     writer.datagram(kind, channel_of(4, True) | PAIR_SEALED, payload_of(kind, friend)))
    lan.run(0.1)
    assert only.dropped("wrong_channel") == count + len(MULTICAST_KINDS)
    assert only.knows(friend)
    assert bond(only, friend).state == "mutual"


def test_the_bit_is_signed_and_guarded() -> None:
    lan, (only, friend, _) = trio()
    announce(friend, ("clear",))
    lan.filter = lambda node, data: False
    lan.run(2)
    trailers = [data for _, node, _, _, target, data in lan.wire
                if node is friend and target == only.address() and data[22] == Kind.TRAILER]
    lan.filter = lambda node, data: True
    flipped = bytearray(trailers[0])
    flipped[24] |= PAIR_SEALED
    lan.transmit(friend, 4, friend.address(), only.address(), bytes(flipped))
    lan.run(0.1)
    assert only.dropped("bad_guard") == 1
