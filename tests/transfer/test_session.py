"""
One sender and its receivers on a simulated LAN: everybody gets everything, whatever is lost, whoever comes and goes.
"""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session.events import (
    AllFinished,
    AllStored,
    MemberFinished,
    MemberGone,
    MemberGreedy,
    MemberSilent,
    SegmentReady,
    SenderSilent,
)
from tribler_multicast.transfer.session.packets import GENERATION_AT, HEAD, HEARTBEAT, NUMBERED, PLACE, PROOF, UNICAST
from tribler_multicast.transfer.session.receiver import Receiver

from .session_lan import KEY, REAL_SYMBOL, TAG, Content, SessionLan

MIB = 1 << 20


def lan_of(receivers: int, size: int = 8 * MIB, loss: float = 0.0, **more: object) -> SessionLan:
    lan = SessionLan(Content(size, **{name: more.pop(name) for name in ("symbol", "k") if name in more}), **more)
    for _ in range(receivers):
        lan.node(loss=loss)
    return lan


def join_all(lan: SessionLan) -> SessionLan:
    for node in lan.nodes:
        node.join()
    return lan


@pytest.mark.parametrize(("loss", "seconds", "per_file"), [(0.0, 0.85, 1.10), (0.02, 0.9, 1.14), (0.1, 1.05, 1.28)])
def test_four_receivers_get_everything_with_hardly_more_than_the_file_on_the_wire(loss: float, seconds: float,
                                                                                 per_file: float) -> None:
    lan = join_all(lan_of(4, loss=loss))
    assert lan.run_until_done() < seconds, "8 MiB at 100 Mbit/s take 0.67 s"
    assert lan.bytes_per_file < per_file


def test_sixteen_receivers_cost_hardly_more_than_one() -> None:
    one, many = (join_all(lan_of(number, 4 * MIB, loss=0.02)) for number in (1, 16))
    assert many.run_until_done() < 1.25 * one.run_until_done()
    assert many.bytes_per_file < 1.1 * one.bytes_per_file


@pytest.mark.parametrize("size", [0, 1, 10_000, MIB, MIB + 1])
def test_contents_of_any_size_arrive(size: int) -> None:
    lan = join_all(lan_of(2, size, loss=0.05))
    assert lan.run_until_done() < 0.3


@pytest.mark.parametrize("k", [32, 128])
def test_other_generation_sizes_and_real_symbols_work(k: int) -> None:
    symbol = min(REAL_SYMBOL, 1408 - k)
    lan = join_all(lan_of(2, 2 * MIB, loss=0.1, k=k, symbol=symbol))
    assert lan.run_until_done() < 0.6


def test_data_follows_the_acceptance_at_once() -> None:
    lan = lan_of(1)
    sent: list[tuple[float, bytes]] = []
    transmit = lan.transmit
    lan.transmit = lambda member, data, size: (sent.append((lan.now, bytes(data))), transmit(member, data, size))
    join_all(lan)
    lan.run(0.01)
    assert [data[0] & ~UNICAST for _, data in sent[:2]] == [PROOF, NUMBERED]
    assert sent[1][0] <= lan.read_delay + 0.002, "nothing is waited for but the disk"


def test_one_receiver_alone_is_served_by_unicast() -> None:
    lan = join_all(lan_of(1, 2 * MIB, loss=0.05))
    lan.run_until_done()
    assert not lan.sender.group.sequence


def test_what_one_of_several_lacks_goes_to_it_by_unicast() -> None:
    lan = lan_of(3, 4 * MIB)
    lan.nodes[0].down.loss = 0.1
    lan = join_all(lan)
    lan.run_until_done()
    lossy, *others = (node.receiver for node in lan.nodes)
    assert lossy is not None
    assert lossy.tracks[1].count > 200
    assert not any(other.tracks[1].count for other in others if other is not None)
    assert lossy.counters["data: not innovative"] < 5


def test_who_joins_late_gets_what_it_missed_and_holds_up_nobody() -> None:
    alone = join_all(lan_of(2))
    before = alone.run_until_done()
    lan = lan_of(3)
    for node in lan.nodes[:2]:
        node.join()
    lan.at(0.4, lan.nodes[2].join)
    lan.run_until_done()
    assert max(node.done or 9 for node in lan.nodes[:2]) < before + 0.1
    assert lan.bytes_per_file < 1.7, "what was still to come came once for all three"


def test_who_has_a_part_already_gets_only_the_rest() -> None:
    lan = lan_of(2)
    for node in lan.nodes:
        node.segments = {number: lan.content.segments[number] for number in (0, 1, 4, 5, 6, 7)}
    join_all(lan).run_until_done()
    assert lan.bytes_per_file < 0.3


def test_parts_of_segments_are_used_after_a_restart() -> None:
    lan = lan_of(1, 2 * MIB)
    node = lan.nodes[0]
    node.join()
    lan.run(0.15)
    receiver, geometry = node.receiver, lan.content.geometry
    assert receiver is not None
    units: dict[int, int] = {}
    kept: dict[int, bytearray] = {}
    for segment, offset, data in receiver.partial():
        kept.setdefault(segment, bytearray(lan.content.cut.length(segment)))[offset:offset + len(data)] = data
        units[segment] = units.get(segment, 0) | 1 << offset // geometry.symbol
        assert lan.content.segments[segment][offset:offset + len(data)] == data
    assert units
    tree = HashTree(geometry.segments, lan.content.tree.root)
    again = Receiver(geometry, tree, tree.add, tag=TAG, keys=(KEY, KEY), random=Random(1), now=0.0,
                     stored=node.segments)
    for segment, bits in units.items():
        again.resume(segment, bits, kept[segment])
    assert again.rank == receiver.rank


def test_leaving_and_silent_receivers_hold_up_nobody() -> None:
    lan = join_all(lan_of(4, loss=0.02))
    lan.run(0.3)
    lan.sender.leave(lan.nodes[0].name, "left")
    lan.nodes[0].deaf = lan.nodes[1].deaf = True
    lan.run(1.2, lambda: all(node.done for node in lan.nodes[2:]))
    assert all(node.done for node in lan.nodes[2:])
    lan.run(25)
    told = lan.sender.take_events()
    assert MemberGone(lan.nodes[0].name, "left") in told
    assert MemberSilent(lan.nodes[1].name) in told
    assert MemberGone(lan.nodes[1].name, "silent") in told


def test_silent_receiver_that_comes_back_gets_the_rest() -> None:
    lan = join_all(lan_of(2, 4 * MIB))
    lan.run(0.1)
    lan.nodes[1].deaf = True
    lan.run(3)
    assert lan.nodes[0].done
    lan.nodes[1].deaf = False
    assert lan.run_until_done() < 5.5


def test_receiver_is_told_when_the_sender_is_silent() -> None:
    lan = join_all(lan_of(1))
    lan.run(0.2)
    lan.scheduler.remove(lan.sender)
    lan.run(12)
    assert lan.nodes[0].events.count(SenderSilent()) == 1


def test_the_last_datagrams_of_all_may_get_lost() -> None:
    lan = join_all(lan_of(2, 2 * MIB))
    lan.run(0.1)
    lan.run(1, lambda: lan.sender.counters["systematic"] > 1500)
    for node in lan.nodes:
        node.down.loss = 1.0
    lan.run(1, lambda: not lan.sender._passing and not lan.sender._queue)
    lan.run(0.02)
    for node in lan.nodes:
        node.down.loss = 0.0
    end = lan.now
    assert lan.run_until_done() < end + 0.3


def test_sender_is_quiet_when_nobody_lacks_anything() -> None:
    lan = join_all(lan_of(2, 2 * MIB))
    lan.run_until_done()
    lan.run(0.5)
    told = lan.sender.take_events()
    finished = sorted(event.member for event in told if isinstance(event, MemberFinished))
    assert finished == [node.name for node in lan.nodes], "each is told of once"
    assert told[-1] == AllFinished()
    before = lan.up.bytes
    lan.run(10)
    assert 0 < (lan.up.bytes - before) * lan.content.scale < 2000
    assert lan.sender.members, "who is done and still there is not forgotten"


def test_segment_that_was_spoilt_by_somebody_with_the_key_comes_again() -> None:
    lan = join_all(lan_of(2, 2 * MIB))
    lan.run(0.02)
    node = lan.nodes[0]
    assert node.receiver is not None
    node.receiver._add(14, 59, memoryview(bytes(lan.content.geometry.symbol)))
    lan.run_until_done()
    assert node.receiver.counters["segment: bad"] == 1


def test_receiver_gives_up_what_lacks_most_when_too_much_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.session.gathering.OPEN_SEGMENTS", 2)
    lan = join_all(lan_of(2, 4 * MIB, loss=0.2))
    lan.run_until_done()
    assert all(node.receiver is not None and len(node.receiver._open) <= 2 for node in lan.nodes)


def test_proofs_that_got_lost_are_asked_for() -> None:
    lan = join_all(lan_of(2, 3 * MIB))
    transmit = lan.transmit
    lost: list[int] = []

    def lossy(member: bytes | None, datagrams: bytearray, size: int) -> None:
        if datagrams[0] & ~UNICAST == PROOF and len(lost) < 3:
            lost.append(1)
            return
        transmit(member, datagrams, size)

    lan.transmit = lossy
    lan.run_until_done()
    assert len(lost) == 3


@pytest.mark.parametrize("receivers", [1, 2])
def test_who_has_every_symbol_and_no_proof_still_gets_one(receivers: int) -> None:
    lan = join_all(lan_of(receivers, MIB))
    transmit = lan.transmit
    lost: list[int] = []

    def lossy(member: bytes | None, datagrams: bytearray, size: int) -> None:
        if datagrams[0] & ~UNICAST == PROOF and any(any(node.receiver.missing) for node in lan.nodes):  # type: ignore[union-attr]
            lost.append(1)
        else:
            transmit(member, datagrams, size)

    lan.transmit = lossy
    lan.run_until_done()
    lan.run(0.5)
    assert lost
    assert all(node.is_equal for node in lan.nodes)
    assert [event for event in lan.sender.take_events() if isinstance(event, MemberFinished)]


def test_who_asks_for_proofs_without_end_is_greedy() -> None:
    lan = join_all(lan_of(1, MIB))
    lan.run_until_done()
    [member] = lan.sender.members.values()
    member.budget = 3.0 * lan.content.geometry.symbol
    for _ in range(4):
        member.proof = 0
        lan.sender._proof(lan.now)
    assert [event for event in lan.sender.take_events() if isinstance(event, MemberGreedy)]


def test_every_segment_is_told_once_and_then_that_all_is_stored() -> None:
    lan = join_all(lan_of(2, 3 * MIB, loss=0.1))
    lan.run_until_done()
    for node in lan.nodes:
        assert sorted(e.segment for e in node.events if isinstance(e, SegmentReady)) == [0, 1, 2]
        assert node.events[-1] == AllStored()


def test_neighbouring_datagrams_are_of_different_generations() -> None:
    lan = join_all(lan_of(2, 2 * MIB))
    seen: list[int] = []
    transmit = lan.transmit

    def spy(member: bytes | None, datagrams: bytearray, size: int) -> None:
        if datagrams[0] & ~UNICAST == NUMBERED:
            seen.extend(PLACE.unpack_from(datagrams, at + GENERATION_AT)[0] for at in range(0, len(datagrams), size))
        transmit(member, datagrams, size)

    lan.transmit = spy
    lan.run_until_done()
    assert all(len(set(seen[at:at + 13])) == 13 for at in range(0, 760, 13))


def test_clocks_that_are_anything_and_wrap_do_no_harm() -> None:
    lan = lan_of(2, 4 * MIB, loss=0.05)
    lan.nodes[0].clock_offset = -lan.now + (1 << 32) / 1e6 - 0.2
    assert join_all(lan).run_until_done() < 0.6



def test_head_is_as_documented() -> None:
    lan = join_all(lan_of(2, 1))
    lan.run_until_done()
    made = lan.sender.group.one(HEARTBEAT, b"\0", 2.5, 5)
    assert HEAD.unpack_from(made) == (0xC4, TAG, lan.sender.group.sequence, 2_500_000, 5)
