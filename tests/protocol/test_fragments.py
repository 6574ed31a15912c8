"""Announcements on the simulated LAN: whole or not at all, once, never wrong."""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE, Fragment, Head, pack_ask, read_ask, read_trailer
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.values import pack_values
from tribler_multicast.protocol.wire import Kind, WireError, Writer, channel_of

from .announcing import MULTICAST4, PATIENCE, announce, heard, neighbours, one_of, values_of
from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node

SIZES = (0, 1, 1000, 64 * 1024, 256 * 1024)


# --- The pieces.


@pytest.mark.parametrize("size", [0, 1, FRAGMENT_SIZE - 1, FRAGMENT_SIZE, FRAGMENT_SIZE + 1, limits.MAX_ANNOUNCEMENT])
def test_fragments_are_the_whole_and_fit_into_datagrams(size: int) -> None:
    packed = Random(size).randbytes(size)
    head = Head.of(7, packed)
    pieces = [Fragment.read(Fragment.cut(head, packed, index).pack()) for index in range(head.count)]
    assert b"".join(piece.content for piece in pieces) == packed
    assert {piece.head for piece in pieces} == {head} == {read_trailer(head.pack())}
    writer = Writer(identity_from("a"), 1)
    assert max(len(writer.datagram(Kind.FRAGMENT, MULTICAST4, piece.pack())) for piece in pieces) <= limits.MAX_DATAGRAM
    missing = sorted(Random(size).sample(range(head.count), head.count // 2))
    assert read_ask(pack_ask(head, missing)) == (head, missing)


@pytest.mark.parametrize("payload", [
    b"", bytes(44), one_of(1, 10)[:-1], one_of(1, 10) + b"x", one_of(1, 10)[:44], one_of(1, 10)[:45],
    one_of(0, 10), Head(1, limits.MAX_ANNOUNCEMENT + 1, bytes(32)).pack() + bytes(1000),
    one_of(1, 10)[:44] + b"\0\1" + bytes(10), one_of(1, 3000)[:44] + b"\0\2" + bytes(FRAGMENT_SIZE)])
def test_what_is_no_fragment_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        Fragment.read(payload)


def test_what_is_no_trailer_and_no_ask_is_refused() -> None:
    head = Head(1, 3000, bytes(32)).pack()
    for payload in (head[:-1], head + b"\0"):
        with pytest.raises(WireError):
            read_trailer(payload)
    for bits in (b"", b"\x08", b"\0\0"):
        with pytest.raises(WireError):
            read_ask(head + bits)


# --- Whole or not at all.


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("size", SIZES)
def test_all_receive_the_same_once(size: int, loss: float) -> None:
    lan, [sender, *receivers] = neighbours(4, loss, seed=size + 1)
    values = values_of(size)
    assert len(pack_values(values)) == size
    assert announce(sender, values) == 1
    lan.run(PATIENCE)
    assert [heard(node) for node in receivers] == [[values]] * 3
    assert heard(sender) == []


def whole_runs(size: int, loss: float, runs: int) -> int:
    """Announce so many times; count those that all three received; nobody ever receives anything else."""
    lan, [sender, *receivers] = neighbours(4, loss, seed=size)
    whole = 0
    for run in range(runs):
        begun, values = lan.now, values_of(size, run)
        announce(sender, values)
        lan.run(PATIENCE)
        got = [heard(node, begun) for node in receivers]
        assert all(one in ([], [values]) for one in got)
        whole += got == [[values]] * 3
        lan.wire.clear()
    return whole


def test_64_kib_at_2_percent_loss_arrive_in_99_of_100() -> None:
    assert whole_runs(64 * 1024, 0.02, 100) >= 99


def test_256_kib_at_2_percent_loss_arrive() -> None:
    assert whole_runs(256 * 1024, 0.02, 10) >= 9


@pytest.mark.soak
@pytest.mark.parametrize("loss", [0.02, 0.1])
def test_256_kib_arrive_in_95_of_100(loss: float) -> None:
    assert whole_runs(256 * 1024, loss, 100) >= 95


def test_without_repair_it_is_nothing_and_the_node_says_so() -> None:
    lan, [sender, receiver] = neighbours(2)
    lan.filter = lambda node, data: data[22] != Kind.ASK and (data[22] != Kind.FRAGMENT or lan.random.random() > 0.1)
    announce(sender, values_of(64 * 1024))
    lan.run(PATIENCE)
    assert heard(receiver) == []
    assert receiver.dropped("incomplete") == 1
    assert receiver.core.reassembly.cost == 0
    assert len(lan.of_kind(Kind.ASK)) == limits.ASK_TRIES


@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_who_missed_all_fragments_learns_it_from_the_trailer(size: int) -> None:
    lan, [sender, *receivers] = neighbours(3)
    lan.filter = lambda node, data: node is not receivers[0] or data[22] != Kind.FRAGMENT or data[24] != MULTICAST4
    values = values_of(size)
    announce(sender, values)
    lan.run(PATIENCE)
    assert [heard(node) for node in receivers] == [[values], [values]]


def test_who_hears_no_multicast_at_all_gets_it_by_unicast() -> None:
    lan, [sender, receiver] = neighbours(2)
    lan.filter = lambda node, data: node is not receiver or data[24] != MULTICAST4
    announce(sender, values_of(64 * 1024))
    lan.run(3)
    assert heard(receiver) == [values_of(64 * 1024)]


@pytest.mark.parametrize(("who", "channel"), [(1, channel_of(4, False)), (3, MULTICAST4)])
def test_what_one_misses_is_sent_to_it_alone_and_what_many_miss_to_all(who: int, channel: int) -> None:
    lan, [sender, *receivers] = neighbours(4)
    missed = set(receivers[:who])

    def is_third(data: bytes) -> bool:
        return data[22] == Kind.FRAGMENT and data[121 + 44:121 + 46] == b"\0\3"

    def keep(node: Node, data: bytes) -> bool:
        if is_third(data) and node in missed:
            missed.remove(node)
            return False
        return True

    lan.filter = keep
    announce(sender, values_of(20_000))
    lan.run(2)
    assert all(heard(node) == [values_of(20_000)] for node in receivers)
    first, *again = [data for data in lan.of_kind(Kind.FRAGMENT) if is_third(data)]
    assert first[24] == MULTICAST4
    assert {data[24] for data in again} == {channel}


def test_of_two_families_on_one_interface_one_is_enough_and_two_interfaces_are_two() -> None:
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(3)]
    for node in nodes:
        six = f"fe80::{node.number}"
        node.links = [*node.links, Link(2, 6, six, 32110, ("fe80::/64",))]
        node.core.set_links(node.links, lan.now)
    lan.run(8)
    sender, *receivers = nodes
    assert all(len(peer.paths) == 2 for peer in sender.core.peers)
    assert sender.core.announcer.links_to_peers() == [(2, 4)]
    lan.wire.clear()
    announce(sender, values_of(20_000))
    lan.run(3)
    assert [heard(node) for node in receivers] == [[values_of(20_000)]] * 2
    assert len(lan.of_kind(Kind.FRAGMENT)) == Head(1, 20_000, b"").count
    receivers[0].core.set_links(receivers[0].links[1:], lan.now)
    receivers[1].core.set_links(receivers[1].links[:1], lan.now)
    for node, gone in ((receivers[0], (2, 4)), (receivers[1], (2, 6))):
        sender.core.drop_path(sender.core.peers.get(node.identity.key), gone, "expired")
    assert sender.core.announcer.links_to_peers() == [(2, 4), (2, 6)]


def test_many_receivers_that_all_lose_something_get_it_without_a_flood() -> None:
    lan, [sender, *receivers] = neighbours(20, 0.03)
    announce(sender, values_of(64 * 1024))
    lan.run(PATIENCE)
    assert all(heard(node) == [values_of(64 * 1024)] for node in receivers)
    pieces = Head(1, 64 * 1024, b"").count
    assert len(lan.of_kind(Kind.FRAGMENT)) < 3 * pieces
    assert len(lan.of_kind(Kind.ASK)) < 4 * len(receivers)


def test_fragments_leave_a_few_at_a_time() -> None:
    lan, [sender, receiver] = neighbours(2)
    begun = lan.now
    announce(sender, values_of(256 * 1024))
    lan.run(2)
    times = [when for when, node, *_, data in lan.wire if data[22] == Kind.FRAGMENT]
    assert max(times.count(when) for when in set(times)) <= limits.ANNOUNCE_BURST
    assert 0.13 < times[-1] - begun < 0.3
    assert len(times) == Head(1, 256 * 1024, b"").count
    assert heard(receiver) == [values_of(256 * 1024)]


def test_interleaved_announcements_of_two_and_of_one_arrive_apart() -> None:
    lan, [a, b, receiver] = neighbours(3, 0.05)
    said = [values_of(50_000, seed) for seed in range(6)]
    for values in said[:3]:
        announce(a, values)
    for values in said[3:]:
        announce(b, values)
    lan.run(PATIENCE)
    assert sorted(heard(receiver)) == sorted(said)


def test_small_announcements_in_a_row_all_arrive() -> None:
    lan, [sender, *receivers] = neighbours(4, 0.1)
    for number in range(200):
        assert announce(sender, (number,)) == number + 1
    lan.run(PATIENCE)
    for node in receivers:
        assert sorted(heard(node)) == [(number,) for number in range(200)]


def test_a_program_that_announces_too_much_is_told_so() -> None:
    lan, [sender, receiver] = neighbours(2)
    with pytest.raises(ValueError, match="still to be sent"):
        for number in range(100):
            announce(sender, values_of(256 * 1024, number))
    assert sender.core.announcer.kept_bytes <= limits.MAX_KEPT_BYTES
    lan.run(60)
    assert len(heard(receiver)) == limits.MAX_KEPT_BYTES // (256 * 1024)
    assert sender.core.announcer.kept == {}
    assert sender.core.announcer.kept_bytes == 0


def test_a_node_that_is_off_announces_nothing() -> None:
    _, [sender, _] = neighbours(2)
    sender.leave()
    with pytest.raises(ValueError, match="off"):
        sender.core.announce((1,), 0.0)


def test_stopping_forgets_what_is_under_way_on_both_sides() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, values_of(256 * 1024))
    lan.run(0.02)
    assert receiver.core.reassembly.cost > 0
    receiver.leave()
    sender.leave()
    assert receiver.core.reassembly.cost == 0
    assert not sender.core.announcer.kept
    lan.run(1)
    assert heard(receiver) == []
