"""Attacks on friends: forged, repeated and overtaken verdicts, and asks without end."""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.friends import NOTHING, Bond, MemoryBook, Verdict
from tribler_multicast.protocol.wire import Kind, parse

from .befriending import (
    UNICAST4,
    UNIX_MS,
    ask,
    befriend,
    bond,
    friend_payload,
    meet,
    say,
    states,
    withdraw,
)
from .simulated import Seen

if TYPE_CHECKING:
    from .simulated import Node

LONG = 4 * limits.FRIEND_AGAIN_MOST


def test_an_older_message_never_overrides_a_newer_one() -> None:
    lan, (a, b) = meet()
    held: list[bytes] = []

    def hold(node: Node, data: bytes) -> bool:
        if node is b and data[22] == Kind.FRIEND and not held:
            held.append(data)
            return False
        return True

    lan.filter = hold
    ask(a, b)
    lan.run(0.1)
    withdraw(a, b)
    lan.run(1)
    assert states(a, b) == ("none", "none")
    lan.transmit(a, 4, a.address(), b.address(), held[0])
    lan.run(1)
    assert states(a, b) == ("none", "none")
    assert b.dropped("stale") == 1


def test_recorded_messages_count_no_more() -> None:
    lan, (a, b) = meet()
    befriend(a, b)
    recorded = lan.of_kind(Kind.FRIEND, a)
    withdraw(a, b)
    lan.run(1)
    for reason in ("replay", "replay", "old_epoch"):
        for data in recorded:
            lan.transmit(None, 4, a.address(), b.address(), data)
        lan.run(1)
        assert states(a, b) == ("none", "none")
        assert b.dropped(reason) == len(recorded)
        restarted = b if reason == "replay" and b.epoch == 1 else a
        restarted.kill()
        restarted.boot()
        b.core.counters.dropped.clear()
        lan.run(5)


def test_forged_messages_count_nothing() -> None:
    lan, (a, b, c) = meet(3)
    payload = friend_payload(Verdict.YES, 5, 0)
    for guard in (None, c.core.peers.get(b.identity.key)):
        data = bytearray(c.core.outbox.writer.datagram(Kind.FRIEND, UNICAST4, payload,
                                                       pair_key=guard.pair_key if guard else bytes(32)))
        data[41:105] = a.identity.key
        lan.transmit(None, 4, a.address(), b.address(), bytes(data))
    lan.run(1)
    assert bond(b, a) == NOTHING
    assert b.dropped("bad_guard") == 2
    other = say(c, b, payload)
    lan.run(1)
    assert bond(b, a) == NOTHING
    assert bond(b, c).state == "received"
    lan.transmit(None, 4, c.address(), a.address(), other)
    lan.run(1)
    assert bond(a, c) == NOTHING


def test_from_another_address_it_is_not_taken() -> None:
    lan, (a, b) = meet()
    peer = a.core.peers.get(b.identity.key)
    assert peer is not None
    data = a.core.outbox.writer.datagram(Kind.FRIEND, UNICAST4, friend_payload(1, 5, 0), pair_key=peer.pair_key)
    lan.transmit(None, 4, ("10.0.9.9", 32110), b.address(), data)
    lan.run(0.05)
    assert bond(b, a) == NOTHING


@pytest.mark.parametrize("payload", [
    b"", friend_payload(1, 5, 0)[:-1], friend_payload(1, 5, 0) + b"x", friend_payload(3, 5, 0),
    friend_payload(255, 5, 0), friend_payload(1, 1 << 63, 0), friend_payload(1, 0, (1 << 64) - 1)])
def test_what_is_no_verdict_is_malformed(payload: bytes) -> None:
    lan, (a, b) = meet()
    say(a, b, payload)
    lan.run(1)
    assert bond(b, a) == NOTHING
    assert b.dropped("malformed") == 1


def test_a_stranger_who_tells_a_verdict_is_challenged_first() -> None:
    lan, (a, b) = meet()
    b.core.stop()
    b.core.start(lan.now)
    b.core.outbox.take()
    lan.wire.clear()
    assert not b.knows(a)
    say(a, b, friend_payload(1, 5, 0))
    lan.run(0.02)
    assert bond(b, a) == NOTHING
    lan.run(2)
    assert b.knows(a)


def test_serials_at_the_end_of_their_range_harm_nobody() -> None:
    lan, (a, b) = meet()
    lan.filter = lambda node, data: node is b or data[22] != Kind.FRIEND
    say(a, b, friend_payload(1, limits.MAX_SERIAL, limits.MAX_SERIAL, flags=255))
    lan.run(1)
    assert bond(b, a).state == "received"
    b.core.friends.ask(a.identity.key, 1 << 80, lan.now)
    b.flush()
    assert bond(b, a) == Bond(Verdict.YES, limits.MAX_SERIAL, True, limits.MAX_SERIAL, limits.MAX_SERIAL)
    withdraw(b, a)
    assert bond(b, a).state == "none"
    ask(b, a)
    lan.run(1)
    assert bond(b, a).mine is Verdict.YES


def test_one_peer_has_a_bounded_rate() -> None:
    lan, (a, b) = meet()
    lan.wire.clear()
    for number in range(400):
        say(a, b, friend_payload(1 + number % 2, 1000 + number, 0, flags=1))
        lan.run(0.01)
    lan.run(1)
    most = limits.FRIENDS_BURST + 5 * limits.FRIENDS_PER_SECOND
    assert b.core.counters.received["friend"] <= most
    assert b.dropped("rate") >= 400 - most
    assert len(lan.of_kind(Kind.FRIEND, b)) <= 2 * most


def test_one_machine_fills_only_its_share_of_the_list() -> None:
    lan, (a, b) = meet()
    spammers = []
    for _ in range(limits.MAX_ASKS_PER_ADDRESS + 4):
        spammer = lan.node(book=MemoryBook())
        spammer.links = [type(link)(link.index, link.family, "10.0.7.7", 40000 + spammer.number, link.networks)
                         for link in spammer.links]
        spammer.core.set_links(spammer.links, lan.now)
        spammers.append(spammer)
    lan.run(10)
    for spammer in spammers:
        assert spammer.knows(a)
        ask(spammer, a)
    lan.run(LONG)
    assert len(a.core.friends.book.asking()) == limits.MAX_ASKS_PER_ADDRESS
    assert a.dropped("asks_full") > 4
    ask(b, a)
    lan.run(5)
    assert states(b, a) == ("sent", "received")


def test_asks_are_bounded_and_those_of_who_is_here_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.protocol.friends.MAX_ASKS_WAITING", 3)
    lan, nodes = meet(6)
    a, *others = nodes
    for other in others[:3]:
        ask(other, a)
        lan.run(1)
    ask(others[3], a)
    lan.run(5)
    assert [bond(a, other).state for other in others] == ["received"] * 3 + ["none"] * 2
    assert a.dropped("asks_full") > 0
    others[1].leave()
    lan.run(LONG)
    assert [bond(a, other).state for other in others] == ["received", "none", "received", "received", "none"]
    withdraw(a, others[0])
    ask(others[4], a)
    lan.run(5)
    assert bond(a, others[4]).state == "received"
    others[1].boot()
    lan.run(5)
    assert states(others[1], a) == ("sent", "none")
    withdraw(a, others[2])
    lan.run(LONG)
    assert states(others[1], a) == ("sent", "received")


def test_thousands_of_keys_cost_a_bounded_number_of_looks_writes_and_rows() -> None:
    """The gate is asked what it would let through: to verify thousands takes the simulation too long."""
    lan, (a, b) = meet()
    befriend(a, b)
    gate, now = a.core.gate, lan.now
    chosen = a.core.peers.get(b.identity.key)
    template = b.core.peers.get(a.identity.key)
    assert chosen is not None
    assert template is not None
    random = Random(1)
    arrival = Seen(next(iter(a.core.links)), False, b.address(), 255)
    passed = 0
    for number in range(5000):
        peer = type(chosen)(random.randbytes(64), 1, chosen.introduction, chosen.pair_key, now, chosen.window)
        data = b.core.outbox.writer.datagram(Kind.FRIEND, UNICAST4, friend_payload(1, number, 0),
                                             pair_key=chosen.pair_key)
        header = parse(data)._replace(signer=peer.key)
        header = header._replace(epoch=peer.epoch)
        passed += gate.admit_pair(data, header, arrival, peer, now + number * 0.001) is None
    assert passed <= limits.ALL_FRIENDS_BURST + 5 * limits.ALL_FRIENDS_PER_SECOND
    say(b, a, friend_payload(1, UNIX_MS, bond(a, b).serial))
    before = a.core.counters.received["friend"]
    lan.run(1)
    assert a.core.counters.received["friend"] == before + 1, "a friend must be heard whatever strangers do"


def test_who_asks_and_withdraws_under_ever_new_keys_leaves_no_trace() -> None:
    lan, nodes = meet(4)
    a, *others = nodes
    for other in others:
        ask(other, a)
        lan.run(1)
        withdraw(other, a)
        lan.run(1)
    assert a.core.friends.book.bonds == {}
