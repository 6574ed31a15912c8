"""Who invents nodes slows nobody down: many keys, many addresses, absurd intervals, and pages full of lies."""
from __future__ import annotations

import tracemalloc
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.introduction import Introduction
from tribler_multicast.protocol.limits import (
    CANDIDATES_PER_SECOND,
    LEAST_ANNOUNCED_INTERVAL,
    MAX_CANDIDATES_PER_ADDRESS,
    MAX_CANDIDATES_PER_RELAYER,
    MAX_PAGES,
    MAX_WANTED_PER_ADDRESS,
    MOST_ANNOUNCED_INTERVAL,
    TARGET_BURST,
    TARGET_PER_SECOND,
)
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.pages import Page
from tribler_multicast.protocol.wants import Want, Wants
from tribler_multicast.protocol.wire import PREFIX, Address, Kind, Reader, Writer

from .simulated import Seen, SimulatedLan, identity_from, introduction_of
from .test_pages import LINK, deaf_newcomer, pull

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .simulated import Node

VICTIM = ("10.0.99.99", 80)


@cache
def invented(number: int, ip: str, interval: bytes = b"\0\x32") -> bytes:
    """Make a stamped and signed introduction of a throwaway key at some address; nobody is there."""
    payload = Address(4, ip, 32110).pack() + interval + Introduction(5.0).pack()[2:]
    return Writer(identity_from(f"throwaway {number}"), 1).datagram(Kind.INTRODUCTION, 4, payload)


def crowd(count: int) -> list[bytes]:
    return [invented(number, f"10.0.{100 + number // 250}.{1 + number % 250}") for number in range(count)]


def lie(node: Node, datagrams: Iterable[bytes]) -> None:
    """Let a node hand on these in its pages, and nothing else."""
    stored = {data[41:105]: data[len(PREFIX):] for data in datagrams}
    node.core.pages.known = lambda _link: iter(stored)
    node.core.pages.stored = lambda key, _link: stored.get(key, b"")


def seconds_until_all_are_verified(liars: int, datagrams: Iterable[bytes]) -> tuple[float, Node, SimulatedLan]:
    """Let a newcomer pull from two peers of which some lie, and verify 40 others; tell how long that takes."""
    lan, nodes, new, _ = deaf_newcomer(42)
    for node in nodes[:liars]:
        lie(node, datagrams)
    begin = lan.now
    while not all(new.knows(node) for node in nodes) and lan.now - begin < 60:
        pull(new)  # Again, as a node does that must believe there are more: what a liar leaves out, another one tells.
        lan.run(5)
    return lan.now - begin, new, lan


def test_ten_thousand_keys_at_one_address_change_nobodys_pace_and_take_little_memory() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(20)
    template, ip = invented(0, "10.0.66.66"), "10.0.66.66"
    a.core.gate.admit_stranger = lambda *_: None  # As if each had found room in the budgets, and a signature that fits.
    head, tail = template[:41], template[105:]
    pace = a.core.exchange.wanted.pace
    pace.tokens, pace.rate = 0.0, 1e-3  # As in a crowd: whom we want to challenge must wait.
    import tribler_multicast.protocol.core as core_module  # noqa: PLC0415

    checked, core_module.is_signed = core_module.is_signed, lambda _data, _domain: True
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(10_000):
            data = head + number.to_bytes(64, "big") + tail
            a.receive(data, Seen(LINK, True, (ip, 32110), 1))
            if number % 100 == 0:
                lan.run(0.1)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        core_module.is_signed = checked
        del a.core.gate.admit_stranger
    assert grown < 6 << 20
    assert len(a.core.exchange.wanted) == MAX_WANTED_PER_ADDRESS
    assert len(a.core.timers.heap) <= 2 * MAX_WANTED_PER_ADDRESS
    assert a.core.current_introduction().interval == 5.0
    assert sum(target == (ip, 32110) for *_, target, _ in lan.wire) <= TARGET_BURST + 10 * TARGET_PER_SECOND + 1
    new = lan.node()
    lan.run(0.5)
    assert a.knows(new)
    assert a.knows(b)


def test_sixty_four_verified_keys_at_one_address_count_as_one() -> None:
    lan = SimulatedLan()
    a = lan.node()
    for number in range(64):
        other = lan.node()
        other.kill()
        other.links = [Link(2, 4, "10.0.200.1", 40000 + number, ("10.0.0.1/16",))]
        other.boot()
    lan.run(20)
    assert len(a.core.peers) == 64
    assert a.core.peers.address_count == 1
    assert a.core.current_introduction().interval == 5.0


def test_key_that_shows_up_at_two_hundred_addresses_counts_as_one() -> None:
    lan = SimulatedLan()
    a, b = lan.node(), lan.node()
    lan.run(10)
    for number in range(200):
        b.links = [Link(2, 4, f"10.0.77.{1 + number}", 32110, ("10.0.0.1/16",))]
        b.core.set_links(b.links, lan.now)
        b.flush()
        lan.run(2)
        assert len(a.core.peers) == a.core.peers.address_count == 1
        assert len(a.core.peers.get(b.identity.key).paths) == 1
    assert a.core.peers.get(b.identity.key).paths[LINK].address == b.address()
    assert a.core.current_introduction().interval == 5.0


@pytest.mark.parametrize("field", [b"\0\0", b"\xff\xff"])
def test_absurd_interval_of_a_peer_changes_neither_our_pace_nor_how_others_are_probed(field: bytes) -> None:
    lan = SimulatedLan()
    a, b, liar = lan.node(), lan.node(), lan.node()
    packed = Introduction.pack

    class Liar(Introduction):
        def pack(self) -> bytes:
            return field + packed(self)[2:]

    liar.core.introducer.current = lambda: Liar(5.0)
    lan.run(15)
    lan.wire.clear()
    lan.run(60)
    told = a.core.peers.get(liar.identity.key).introduction.interval
    assert told in (LEAST_ANNOUNCED_INTERVAL, MOST_ANNOUNCED_INTERVAL)
    assert a.core.current_introduction().interval == 5.0
    assert 10 <= len(lan.of_kind(Kind.INTRODUCTION, a)) <= 16
    probes = [data for _, sender, _, _, target, data in lan.wire
              if data[22] == Kind.PROBE and sender is a and target == b.address()]
    assert len(probes) <= 2
    assert len(lan.of_kind(Kind.PROBE, a)) <= 60 * 10
    assert a.knows(b)
    assert len(a.core.timers.heap) < 30


def test_interval_field_has_no_more_than_two_bytes_and_is_believed_within_bounds() -> None:
    for tenths in (0, 1, 2, 50, 6000, 6001, 0xFFFF):
        packed = tenths.to_bytes(2, "big") + Introduction(5.0).pack()[2:]
        interval = Introduction.read(Reader(packed)).interval
        assert LEAST_ANNOUNCED_INTERVAL <= interval <= MOST_ANNOUNCED_INTERVAL
    assert Introduction.read(Reader(Introduction(2.0 ** 32).pack())).interval == MOST_ANNOUNCED_INTERVAL


@pytest.mark.parametrize("field", [b"\0\0", b"\xff\xff"])
def test_absurd_intervals_in_pages_bound_how_long_a_candidate_stays(field: bytes) -> None:
    lan, nodes, new, _ = deaf_newcomer(12)
    datagrams = [invented(number, f"10.0.120.{1 + number}", field) for number in range(50)]
    for node in nodes[:2]:
        lie(node, datagrams)
    pull(new)
    lan.run(0.4)
    assert all(candidate.expires <= lan.now + 3 * MOST_ANNOUNCED_INTERVAL
               for candidate in new.core.candidates.table.values())
    lan.run(30)
    assert not len(new.core.candidates)
    assert new.core.current_introduction().interval == 5.0


def test_relayer_that_invents_nodes_delays_nobody_much_and_fills_nothing() -> None:
    honest, _, _ = seconds_until_all_are_verified(0, ())
    taken, new, lan = seconds_until_all_are_verified(1, crowd(700))
    assert taken <= honest + 10
    assert max(new.core.candidates.by_relayer.values(), default=0) <= MAX_CANDIDATES_PER_RELAYER
    assert len(new.core.peers) == 42
    assert new.core.peers.address_count == 42
    lan.wire.clear()
    lan.run(10)
    assert sum(data[22] == Kind.CHALLENGE and sender is new for _, sender, _, _, _, data in lan.wire) <= (
        3 * (10 * CANDIDATES_PER_SECOND + 2))


def test_victim_named_in_pages_gets_few_packets() -> None:
    lan, nodes, new, _ = deaf_newcomer(12)
    datagrams = [Writer(identity_from(f"shot {number}"), 1).datagram(Kind.INTRODUCTION, 4, introduction_of(*VICTIM))
                 for number in range(300)]
    for node in nodes[:2]:
        lie(node, datagrams)
    begin = lan.now
    for _ in range(12):
        pull(new)
        lan.run(5)
        assert new.core.candidates.by_place.get((LINK, VICTIM[0]), 0) <= MAX_CANDIDATES_PER_ADDRESS
    shot = sum(target == VICTIM for *_, target, _ in lan.wire)
    assert 0 < shot <= TARGET_BURST + TARGET_PER_SECOND * (lan.now - begin) + 1


def test_true_introductions_that_were_altered_are_refused() -> None:
    lan, nodes, new, _ = deaf_newcomer(12)
    true = [data for *_, data in lan.wire if data[22] == Kind.INTRODUCTION] or [
        PREFIX + node.core.pages.stored(other.identity.key, LINK)
        for node in nodes[2:3] for other in nodes if other is not node]
    moved = [data[:121] + Address(4, *VICTIM).pack() + data[128:] for data in true]
    resigned = [data[:-64] + bytes(64) for data in true]
    for number, altered in enumerate((moved, resigned, [data[:105] + data[106:] for data in true],
                                      [data[:24] + b"\x14" + data[25:] for data in true],
                                      [invented(1, "192.168.9.9")])):
        for node in nodes[:2]:
            lie(node, altered)
        pull(new)
        lan.run(2)
        assert not len(new.core.candidates), number
    for reason in ("page_no_stamp", "page_bad_signature", "page_malformed", "page_off_link"):
        assert new.dropped(reason), reason


def test_endless_pages_and_pages_never_asked_for_are_dropped_before_their_signatures() -> None:
    lan, nodes, new, evil = deaf_newcomer(12)
    pull(new)
    number, mine = next((number, pull) for number, pull in new.core.puller.open.items()
                        if pull.peer == evil.identity.key)
    peer = evil.core.peers.get(new.identity.key)
    checked = new.core.counters.received["page"]
    for turn in range(1000):
        for whose in (number, b"unasked!"):
            page = Page(whose, turn, False, False, [])
            evil.core.outbox.to_peer(Kind.PAGE, peer, LINK, new.address(), page.pack())
        evil.flush()
        lan.run(0.02)
    assert new.core.counters.received["page"] - checked <= 2 * MAX_PAGES + 20
    assert new.dropped("unexpected") >= 1000
    assert len(mine.ends) <= MAX_PAGES
    assert not new.core.puller.open
    assert all(new.knows(node) for node in nodes[:2])


def test_flood_of_pulls_makes_a_relayer_send_no_more_than_its_pace() -> None:
    lan, nodes, new, friend = deaf_newcomer(60)
    peer = new.core.peers.get(friend.identity.key)
    lan.wire.clear()
    for turn in range(500):
        payload = turn.to_bytes(8, "big") + bytes(64) + b"\xff" * 64
        new.core.outbox.to_peer(Kind.PULL, peer, LINK, friend.address(), payload)
        new.flush()
        lan.run(0.01)
    assert len(lan.of_kind(Kind.PAGE, friend)) <= 5 * 50 + 10
    assert friend.dropped("rate") >= 400
    assert len(friend.core.pages.jobs) <= 1
    assert all(friend.knows(node) for node in nodes if node is not friend)


def test_lots_are_drawn_among_addresses_first() -> None:
    wants = Wants(Random(1))
    for number in range(MAX_WANTED_PER_ADDRESS + 10):
        greedy = Want(number.to_bytes(64, "big"), LINK, ("10.0.1.1", number), 0.0)
        assert wants.add(greedy) == (number < MAX_WANTED_PER_ADDRESS)
        if number < MAX_WANTED_PER_ADDRESS:
            wants.hold(greedy)
    for number in range(10):
        modest = Want(bytes((number, 1)) * 32, LINK, (f"10.0.2.{number}", 1), 0.0)
        assert wants.add(modest)
        wants.hold(modest)
    drawn = [wants.draw() for _ in range(60)]
    assert sum(want.address[0] != "10.0.1.1" for want in drawn if want is not None) == 10
    assert len(wants) == MAX_WANTED_PER_ADDRESS - 50
    while wants.draw() is not None:
        pass
    assert not len(wants)
    assert not wants.counts
    assert not wants.places
