"""What strangers, forgers and hostile peers do with announcements delivers nothing wrong and costs little."""
from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.announcements import ASK_SHARE
from tribler_multicast.protocol.fragments import FRAGMENT_SIZE, Fragment, Head, pack_ask
from tribler_multicast.protocol.values import pack_values
from tribler_multicast.protocol.wire import NO_GUARD, Kind, Writer, channel_of, is_signed

from .announcing import MULTICAST4, PATIENCE, announce, heard, inject, neighbours, one_of, values_of
from .simulated import identity_from

if TYPE_CHECKING:
    import pytest


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

    def counting(data: bytes, domain: bytes) -> bool:
        checked.append(data[22])
        return is_signed(data, domain)

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
