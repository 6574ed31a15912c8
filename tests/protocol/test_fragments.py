"""Announcements on the simulated LAN: whole or not at all, once, never wrong; and nobody pays for a hostile one."""
from __future__ import annotations

import tracemalloc
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.announcements import ASK_SHARE
from tribler_multicast.protocol.events import Announced
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE, Fragment, Head, pack_ask, read_ask, read_trailer
from tribler_multicast.protocol.links import Link
from tribler_multicast.protocol.values import pack_values
from tribler_multicast.protocol.wire import NO_GUARD, Kind, WireError, Writer, channel_of, is_signed

from .simulated import SimulatedLan, identity_from

if TYPE_CHECKING:
    from .simulated import Node

MULTICAST4 = channel_of(4, True)
SIZES = (0, 1, 1000, 64 * 1024, 256 * 1024)
PATIENCE = 14.0


def neighbours(count: int, loss: float = 0.0, seed: int = 1) -> tuple[SimulatedLan, list[Node]]:
    """Make nodes that hold each other as local, on a LAN that begins to lose datagrams then."""
    lan = SimulatedLan(seed=seed)
    nodes = [lan.node() for _ in range(count)]
    lan.run(6)
    assert all(one.knows(other) for one in nodes for other in nodes if one is not other)
    lan.loss = loss
    lan.wire.clear()
    return lan, nodes


def values_of(size: int, seed: int = 1) -> tuple[Any, ...]:
    """Make a tuple that packs into exactly so many bytes."""
    if size < 6:
        return (None,) * size
    return (Random(seed).randbytes(size - 5),)


def announce(node: Node, values: tuple[Any, ...]) -> int:
    number = node.core.announce(values, node.lan.now)
    node.flush()
    return number


def heard(node: Node, since: float = 0.0) -> list[tuple[Any, ...]]:
    return [event.values for when, event in node.history if isinstance(event, Announced) and when >= since]


def inject(lan: SimulatedLan, node: Node, kind: Kind, payload: bytes) -> bytes:
    """Let a node multicast what its code would never say, signed."""
    data = node.core.outbox.writer.datagram(kind, MULTICAST4, payload)
    lan.transmit(node, 4, node.address(), None, data)
    return data


def one_of(number: int, size: int, index: int = 0, fill: bytes = b"x") -> bytes:
    """Make one fragment of an announcement that never ends."""
    head = Head(number, size, bytes(32))
    return Fragment(head, index, fill * head.length(index)).pack()


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


# --- Attacks.


def test_a_stranger_is_not_heard() -> None:
    lan, [_, receiver] = neighbours(2)
    writer = Writer(identity_from("stranger"), 1)
    packed = pack_values((1,))
    for number in range(1, 500):
        payload = Fragment.cut(Head.of(number, packed), packed, 0).pack()
        lan.transmit(None, 4, ("10.0.0.99", 32110), None, writer.datagram(Kind.FRAGMENT, MULTICAST4, payload))
        lan.transmit(None, 4, ("10.0.0.99", 32110), receiver.address(),
                     writer.datagram(Kind.FRAGMENT, channel_of(4, False), payload))
    lan.run(1)
    assert heard(receiver) == []
    assert receiver.dropped("unknown_peer") == 998
    assert receiver.core.reassembly.senders == {}


def test_endless_first_fragments_of_a_peer_cost_bounded_memory() -> None:
    lan, [sender, receiver, other] = neighbours(3)
    tracemalloc.start()
    for number in range(1, 3000):
        inject(lan, sender, Kind.FRAGMENT, one_of(number, limits.MAX_ANNOUNCEMENT))
        lan.wire.clear()
        lan.run(0.002)
        held = receiver.core.reassembly.senders[sender.identity.key]
        assert len(held.assemblies) <= limits.MAX_ASSEMBLIES_PER_PEER
        assert held.cost == receiver.core.reassembly.cost <= limits.MAX_ASSEMBLY_BYTES_PER_PEER
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 2 << 20  # The receivers' tables, and what the simulator itself holds.
    announce(other, values_of(10_000))
    lan.run(20)
    assert heard(receiver) == [values_of(10_000)]
    assert receiver.core.reassembly.cost == 0


def test_large_halves_of_one_peer_push_out_its_own() -> None:
    lan, [sender, receiver] = neighbours(2)
    for number in range(1, 8):
        for index in range(200):
            inject(lan, sender, Kind.FRAGMENT, one_of(number, limits.MAX_ANNOUNCEMENT, index))
            lan.run(0.002)
        held = receiver.core.reassembly.senders[sender.identity.key]
        assert held.cost == receiver.core.reassembly.cost <= limits.MAX_ASSEMBLY_BYTES_PER_PEER
        assert number in held.assemblies
    assert min(held.assemblies) > 1


def test_large_halves_of_many_peers_cost_bounded_memory_and_the_largest_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.protocol.reassembly.MAX_ASSEMBLY_BYTES", 100_000)
    lan, [receiver, honest, *hostile] = neighbours(6)
    half = values_of(20_000)
    packed = pack_values(half)
    for index in range(5):
        inject(lan, honest, Kind.FRAGMENT, Fragment.cut(Head.of(1, packed), packed, index).pack())
    for index in range(100):
        for node in hostile:
            inject(lan, node, Kind.FRAGMENT, one_of(1 + index // 50, limits.MAX_ANNOUNCEMENT, index % 50))
        lan.run(0.001)
        assert receiver.core.reassembly.cost <= 100_000
    for index in range(5, Head.of(1, packed).count):
        inject(lan, honest, Kind.FRAGMENT, Fragment.cut(Head.of(1, packed), packed, index).pack())
    lan.run(0.1)
    assert heard(receiver) == [half]


def test_replayed_fragments_and_repeated_ones_deliver_nothing_again() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, values_of(5000))
    lan.run(2)
    for data in lan.of_kind(Kind.FRAGMENT) + lan.of_kind(Kind.TRAILER):
        lan.transmit(None, 4, sender.address(), None, data)
    packed = pack_values(values_of(5000))
    for index in range(Head.of(1, packed).count):
        inject(lan, sender, Kind.FRAGMENT, Fragment.cut(Head.of(1, packed), packed, index).pack())
    lan.run(PATIENCE)
    assert heard(receiver) == [values_of(5000)]
    assert receiver.dropped("replay") > 0
    assert receiver.dropped("duplicate") > 0


def test_a_peer_that_was_forgotten_and_found_again_says_nothing_twice() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, values_of(5000))
    lan.run(0.1)
    receiver.core.drop_peer(receiver.core.peers.get(sender.identity.key), "expired")
    lan.run(0.05)
    sender.core.introduce(lan.now)
    sender.flush()
    lan.run(0.4)
    assert receiver.knows(sender)
    sender.core.announcer.remind(sender.core.announcer.kept[1], 1, lan.now)
    lan.run(PATIENCE)
    assert heard(receiver) == [values_of(5000)]


def test_fragments_of_an_earlier_life_count_for_nothing() -> None:
    lan, [sender, receiver] = neighbours(2)
    lan.filter = lambda node, data: data[22] not in (Kind.FRAGMENT, Kind.TRAILER)
    announce(sender, values_of(5000))
    lan.run(1)
    recorded = lan.of_kind(Kind.FRAGMENT)
    lan.filter = lambda node, data: True
    sender.kill()
    sender.boot()
    lan.run(6)
    assert receiver.knows(sender)
    for data in recorded:
        lan.transmit(None, 4, sender.address(), None, data)
    lan.run(PATIENCE)
    assert heard(receiver) == []
    assert receiver.dropped("old_epoch") >= len(recorded)


def test_a_restarted_peer_begins_again_at_number_one() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, ("before",))
    lan.run(3)
    sender.kill()
    sender.boot()
    lan.run(6)
    assert announce(sender, ("after",)) == 1
    lan.run(3)
    assert heard(receiver) == [("before",), ("after",)]


def test_a_fragment_of_a_new_epoch_waits_for_the_exchange() -> None:
    lan, [sender, receiver] = neighbours(2)
    writer = Writer(sender.identity, 99)
    packed = pack_values((1,))
    payload = Fragment.cut(Head.of(1, packed), packed, 0).pack()
    lan.transmit(None, 4, sender.address(), None, writer.datagram(Kind.FRAGMENT, MULTICAST4, payload))
    lan.run(1)
    assert heard(receiver) == []
    assert receiver.dropped("unconfirmed_epoch") == 1


def test_fragments_from_an_unverified_address_of_a_peer_count_for_nothing() -> None:
    lan, [sender, receiver] = neighbours(2)
    packed = pack_values((1,))
    payload = Fragment.cut(Head.of(1, packed), packed, 0).pack()
    data = sender.core.outbox.writer.datagram(Kind.FRAGMENT, MULTICAST4, payload)
    lan.transmit(None, 4, ("10.0.0.77", 32110), None, data[:-64] + bytes(64))
    lan.transmit(None, 4, ("10.0.0.77", 32110), None, data)
    lan.run(1)
    assert heard(receiver) == []
    assert (receiver.dropped("unverified_path"), receiver.dropped("bad_signature")) == (2, 0)


def test_what_tells_nothing_new_is_dropped_before_its_signature_is_checked() -> None:
    lan, [sender, receiver] = neighbours(2)
    packed = pack_values(values_of(3000))
    announce(sender, values_of(3000))
    inject(lan, sender, Kind.FRAGMENT, one_of(9, 3000))
    lan.run(0.01)
    forged = Writer(sender.identity, 1)
    forged.sequence = 5000
    for payload in (Fragment.cut(Head.of(1, packed), packed, 0).pack(), Head.of(1, packed).pack(), one_of(9, 3000)):
        kind = Kind.TRAILER if len(payload) == 44 else Kind.FRAGMENT
        lan.transmit(None, 4, sender.address(), None, forged.datagram(kind, MULTICAST4, payload)[:-64] + bytes(64))
    lan.run(0.005)
    assert (receiver.dropped("duplicate"), receiver.dropped("bad_signature")) == (3, 0)


def test_a_peer_that_begins_much_and_ends_nothing_is_asked_within_a_budget() -> None:
    lan, [sender, receiver] = neighbours(2)
    begun = lan.now
    for number in range(1, 2000):
        inject(lan, sender, Kind.FRAGMENT, one_of(number, 3000))
        lan.run(0.002)
    asks = len(lan.of_kind(Kind.ASK, receiver))
    assert 50 < asks <= ASK_SHARE * (limits.ASKS_BURST + (lan.now - begun) * limits.ASKS_PER_SECOND) + 1


def test_forged_fragments_cost_no_more_than_their_budget_and_silence_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    lan, [sender, receiver] = neighbours(2)
    checked = []

    def counting(data: bytes) -> bool:
        checked.append(data[22])
        return is_signed(data)

    monkeypatch.setattr("tribler_multicast.protocol.core.is_signed", counting)
    forged = Writer(sender.identity, 1)
    forged.sequence = 5000
    genuine = forged.datagram(Kind.FRAGMENT, MULTICAST4, one_of(900, limits.MAX_ANNOUNCEMENT))
    begun = lan.now

    def flood() -> None:
        for _ in range(20):
            lan.transmit(None, 4, sender.address(), None, genuine[:-64] + lan.random.randbytes(64))
        lan.wire.clear()
        if lan.now < begun + 3:
            lan.at(lan.now + 0.004, flood)

    flood()
    lan.run(0.5)
    announce(sender, values_of(20_000))
    lan.run(2.4)
    forged_checks = checked.count(Kind.FRAGMENT)
    assert forged_checks < limits.FRAGMENTS_BURST + 3 * limits.FRAGMENTS_PER_SECOND + 100
    assert receiver.dropped("rate") > 10_000
    assert heard(receiver) == [values_of(20_000)]  # By unicast: under the guard of the pair nobody else can speak.
    assert receiver.knows(sender)


def test_fragments_that_lie_about_the_whole_deliver_nothing() -> None:
    lan, [sender, receiver] = neighbours(2)
    packed = pack_values(values_of(3000))
    head = Head.of(1, packed)
    inject(lan, sender, Kind.FRAGMENT, Fragment.cut(head, packed, 0).pack())
    inject(lan, sender, Kind.FRAGMENT, Fragment(head, 1, bytes(FRAGMENT_SIZE)).pack())
    inject(lan, sender, Kind.FRAGMENT, Fragment.cut(head, packed, 2).pack())
    wrong = b"\xff" * 10
    inject(lan, sender, Kind.FRAGMENT, Fragment.cut(Head.of(2, wrong), wrong, 0).pack())
    lan.run(PATIENCE)
    assert heard(receiver) == []
    assert receiver.dropped("malformed") == 2


def test_two_announcements_under_one_number_do_not_mix() -> None:
    lan, [sender, receiver] = neighbours(2)
    one, other = pack_values(values_of(3000, 1)), pack_values(values_of(3000, 2))
    for index in range(3):
        for packed in (one, other) if index == 0 else (other, one):
            inject(lan, sender, Kind.FRAGMENT, Fragment.cut(Head.of(1, packed), packed, index).pack())
    lan.run(PATIENCE)
    assert heard(receiver) == [values_of(3000, 1)]


def test_a_peer_that_asks_for_ever_gets_its_share_only() -> None:
    lan, [sender, greedy] = neighbours(2)
    announce(sender, values_of(64 * 1024))
    lan.run(1.5)
    head = sender.core.announcer.kept[1].head
    lan.wire.clear()
    peer = greedy.core.peers.get(sender.identity.key)
    for _ in range(300):
        path = peer.freshest_path()
        greedy.core.outbox.to_peer(Kind.ASK, peer, path.link, path.address, pack_ask(head, range(head.count)))
        greedy.flush()
        lan.run(0.03)
    again = lan.of_kind(Kind.FRAGMENT, sender)
    assert len(again) == limits.REPAIR_SHARE * head.count + limits.REPAIR_LEAST
    assert {data[24] for data in again} == {0x14}
    assert sender.dropped("repair_share") > 0


def test_asks_for_what_is_not_there_or_not_sent_yet_are_not_answered() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, values_of(256 * 1024))
    kept = sender.core.announcer.kept[1]
    peer = receiver.core.peers.get(sender.identity.key)
    path = peer.freshest_path()
    for head in (kept.head, Head(1, kept.head.size, bytes(32)), Head(2, 10, bytes(32))):
        receiver.core.outbox.to_peer(Kind.ASK, peer, path.link, path.address, pack_ask(head, range(20, head.count)))
    receiver.core.outbox.to_peer(Kind.ASK, peer, path.link, path.address, b"nonsense")
    receiver.flush()
    lan.run(0.003)
    assert not kept.asked
    assert (sender.dropped("unexpected"), sender.dropped("malformed")) == (2, 1)


def test_an_ask_with_a_wrong_guard_is_dropped() -> None:
    lan, [sender, receiver] = neighbours(2)
    announce(sender, values_of(5000))
    lan.run(1)
    ask = receiver.core.outbox.writer.datagram(Kind.ASK, channel_of(4, False),
                                               pack_ask(sender.core.announcer.kept[1].head, [0, 1]), NO_GUARD)
    lan.transmit(None, 4, receiver.address(), sender.address(), ask)
    lan.run(1)
    assert sender.dropped("bad_guard") == 1
    assert len(lan.of_kind(Kind.FRAGMENT)) == 5
