"""A node under flood: bounded work, nothing changed, and newcomers get in all the same."""
from __future__ import annotations

from functools import cache
from itertools import count, cycle
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.core import MulticastProtocol
from tribler_multicast.protocol.limits import (
    MAX_PENDING_CHALLENGES,
    PEER_BURST,
    PEER_PER_SECOND,
    REPEAT_BITS,
    UNVERIFIED_SENDS_BURST,
    UNVERIFIED_SENDS_PER_SECOND,
)
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.wire import PREFIX, Kind, Writer

from .simulated import Seen, SimulatedLan, identity_from, introduction_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .simulated import Node

RATE = 20_000


@cache
def stamped(number: int) -> tuple[str, bytes]:
    """Make a stamped introduction of a node of its own, at an address of its own; to forge one takes a millisecond."""
    ip = f"10.0.{number & 3}.{1 + number % 251}"
    return ip, Writer(identity_from(f"forger {number}"), 1).datagram(Kind.INTRODUCTION, 4, introduction_of(ip))


def forged_introductions(seed: int, distinct: int | None) -> Iterator[tuple[str, int, bytes]]:
    """Make introductions with bad signatures: `distinct` stamped ones over and over, or ever new ones with no stamp."""
    random = Random(seed)
    for number in count():
        ip, data = stamped(number % (distinct or 1))
        if distinct is None:
            ip = f"10.0.{random.randint(0, 3)}.{random.randint(1, 254)}"
            data = data[:41] + random.randbytes(64) + data[105:]
        yield ip, 32110, data[:-64] + random.randbytes(64)


def flood(node: Node, seconds: float, datagrams: Iterator[tuple[str, int, bytes]], multicast: bool = True) -> None:
    """Let datagrams rain on a node while the rest of the LAN goes on."""
    lan = node.lan
    end = lan.now + seconds
    while lan.now < end:
        for _ in range(20):
            ip, port, data = next(datagrams)
            node.receive(data, Seen((2, 4), multicast, (ip, port), 1 if multicast else 255))
        lan.run(20 / RATE)


@pytest.mark.parametrize("distinct", [1, 250, 4000, None])
def test_newcomer_is_verified_within_three_seconds_of_a_flood(distinct: int | None) -> None:
    for seed in range(2):
        lan = SimulatedLan(seed=seed)
        a, b = lan.node(), lan.node()
        lan.run(20)
        forged = forged_introductions(seed, distinct)
        flood(a, 0.2, forged)
        newcomer = lan.node()
        flood(a, 3.0, forged)
        assert a.knows(newcomer)
        assert newcomer.knows(a)
        assert a.knows(b)
        assert len(a.core.peers) == 2
        lan.wire.clear()


@pytest.mark.parametrize(("distinct", "checked"), [(None, 100), (1, 1), (2000, 2000)])
def test_flood_costs_few_signature_checks_and_no_memory(distinct: int | None, checked: int) -> None:
    lan = SimulatedLan()
    a = lan.node()
    lan.run(10)
    flood(a, 4.0, forged_introductions(1, distinct))
    dropped = a.core.counters.dropped
    assert dropped["bad_signature"] <= checked
    assert sum(dropped[reason] for reason in ("flood", "no_stamp", "repeated", "bad_signature")) >= 79_000
    assert len(a.core.gate.sources.buckets) <= 4096
    assert len(a.core.gate.stamped.new.array) == REPEAT_BITS // 8
    assert not a.core.pending
    assert not a.core.exchange.wanted
    assert len(a.core.timers.heap) < 20


def test_flood_in_the_name_of_a_peer_leaves_the_peer_local() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(20)
    genuine, (ip, port) = Writer(b.identity, 1), b.address()
    genuine.sequence = 1 << 20
    few = [(ip, port, genuine.datagram(Kind.INTRODUCTION, 4, b"")[:-64] + bytes(64)) for _ in range(1000)]
    flood(a, 25.0, cycle(few))
    assert a.dropped("bad_signature") <= PEER_BURST + 25 * PEER_PER_SECOND + 1
    assert a.knows(b)
    assert b.knows(a)
    assert not a.gone(b)


def test_honest_challenge_gets_through_a_flood_of_them() -> None:
    lan = SimulatedLan()
    a = lan.node()
    lan.run(10)
    forged = ((ip, port, data[:22] + bytes((Kind.CHALLENGE,)) + data[23:24] + b"\x14" + data[25:])
              for ip, port, data in forged_introductions(1, None))
    flood(a, 2.0, forged, multicast=False)
    lan.filter = lambda node, data: not (node is a and data[22] == Kind.INTRODUCTION)  # Only its CHALLENGE is heard.
    newcomer = lan.node()
    newcomer.core.exchange.challenge(a.identity.key, (2, 4), a.address(), lan.now)
    newcomer.flush()
    flood(a, 1.0, forged, multicast=False)
    assert a.knows(newcomer)
    assert newcomer.knows(a)


def test_flood_of_valid_signatures_from_invented_addresses_brings_few_challenges() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(20)
    made = [(ip, 32110, data) for ip, data in map(stamped, range(2000))]
    flood(a, 5.0, cycle(made))
    assert a.core.counters.sent["challenge"] <= UNVERIFIED_SENDS_BURST + 5 * UNVERIFIED_SENDS_PER_SECOND + 10
    assert len(a.core.pending) <= MAX_PENDING_CHALLENGES
    assert {peer.key for peer in a.core.peers} == {b.identity.key}


def test_random_bytes_are_dropped_before_they_cost_anything() -> None:
    node = MulticastProtocol(identity_from("x"), 1)
    node.set_links([Link(2, 4, "10.0.0.1", 32110, ("10.0.0.1/24",))], 0.0)
    random = Random(3)
    for size in [*range(300), 1400, 1401, 2048]:
        for start in (b"", PREFIX, PREFIX + b"\x01\x01\x04"):
            data = (start + random.randbytes(size))[:max(size, len(start))]
            for multicast in (True, False):
                seen = Seen((2, 4), multicast, ("10.0.0.9", 5), 1 if multicast else 255)
                node.datagram_received(data, seen, 1.0)
    assert not node.peers
    assert not node.take_outgoing()
    assert node.counters.received.total() == 0
