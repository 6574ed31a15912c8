"""
Segments that are needed soon come out of turn, on a simulated LAN of 100 Mbit/s.
"""
from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.service.ahead import Ahead
from tribler_multicast.transfer.service.limits import READ_LATELY, READERS_FOLLOWED
from tribler_multicast.transfer.session.coop_limits import HASTENED_AT_ONCE, HASTENED_PER_SECOND, SOON_MOST
from tribler_multicast.transfer.session.coop_messages import Help, Want
from tribler_multicast.transfer.session.packets import KEY_SIZE, TAG_SIZE

from .coop_lan import CONTENT_ID, CoopLan
from .session_lan import Content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .coop_lan import CoopNode

MIB = 1 << 20


def lan_of(receivers: int, size: int = 60 * MIB, loss: float = 0.0) -> CoopLan:
    lan = CoopLan(Content(size))
    for _ in range(receivers):
        lan.node(loss=loss)
    for node in lan.nodes:
        node.join()
    return lan


def seek(node: CoopNode, segments: Iterable[int]) -> None:
    assert node.coop is not None
    node.coop.need_soon(list(segments), node.local(node.lan.now))
    node.serve()


def time_until(lan: CoopLan, node: CoopNode, segment: int, seconds: float = 20.0) -> float:
    begin = lan.now
    lan.run(seconds, lambda: segment in node.segments)
    assert segment in node.segments
    return lan.now - begin


@pytest.mark.parametrize(("receivers", "loss"), [(1, 0.0), (1, 0.05), (3, 0.0), (3, 0.02)])
def test_after_a_seek_what_is_played_comes_first(receivers: int, loss: float) -> None:
    lan = lan_of(receivers, loss=loss)
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 3)
    seek(lan.nodes[0], range(50, 58))
    assert time_until(lan, lan.nodes[0], 50) < 0.5
    assert not {40, 41, 42} & set(lan.nodes[0].segments), "all between is not here"
    assert time_until(lan, lan.nodes[0], 57) < 1.2, "the next ones follow"
    lan.run_until_done()
    assert lan.bytes_per_file < (1.2 if loss else 1.07), "6 % are headers: nothing is sent twice for it"


def test_without_a_seek_it_would_have_taken_its_turn() -> None:
    lan = lan_of(1)
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 3)
    assert time_until(lan, lan.nodes[0], 50) > 3


def test_the_latest_of_several_seeks_counts() -> None:
    lan = lan_of(1)
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 2)
    for first in (20, 40, 30):
        seek(lan.nodes[0], range(first, first + 4))
        lan.run(0.03)
    assert time_until(lan, lan.nodes[0], 30) < 0.5


def test_who_skips_through_a_film_sees_each_place_at_once() -> None:
    lan = lan_of(3)
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 2)
    for first in (50, 20, 40, 30, 10, 45, 25, 35):
        seek(lan.nodes[0], range(first, first + SOON_MOST))
        assert time_until(lan, lan.nodes[0], first) < 0.5


def test_when_the_source_is_gone_others_are_asked_for_it_first() -> None:
    lan = lan_of(2, 30 * MIB)
    late = lan.node()
    lan.run(60, lambda: all(node.done for node in lan.nodes[:2]))
    lan.kill_source()
    late.join()
    for node in lan.nodes[:2]:
        late.seeker.meet(node.name)
    seek(late, range(20, 24))
    assert time_until(lan, late, 20) < 0.6, "helpers begin slowly"
    assert len(late.segments) < 10


def test_who_asks_without_end_costs_nobody_a_packet_and_the_disk_a_little() -> None:
    lan = lan_of(2, 40 * MIB)
    chance, reads = Random(1), 0
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 1)
    greedy = lan.nodes[1]
    read = lan.read

    def counted(segment: int) -> None:
        nonlocal reads
        reads += 1
        read(segment)

    lan.read = counted  # type: ignore[method-assign]
    geometry = lan.content.geometry
    begin = lan.now
    for number in range(1000):
        segments = sorted(chance.sample(range(lan.content.cut.segments), SOON_MOST))
        wants = [Want(segment * geometry.parts, 1) for segment in segments]
        made = Help(CONTENT_ID, geometry.k, geometry.symbol, bytes(TAG_SIZE), bytes(KEY_SIZE), 1, number + 1, 0.0,
                    True, False, False, segments[0], 0, wants)
        lan.source.message_received(greedy.name, Kind.HELP, made.pack(geometry), lan.now)
        lan.pump()
        lan.run(0.002)
    moved = lan.sender.counters["soon: too much"]
    assert moved > 900
    lan.run_until_done()
    assert lan.bytes_per_file < 1.07
    assert reads < lan.content.cut.segments + 2 * (HASTENED_AT_ONCE + HASTENED_PER_SECOND * (lan.now - begin)) + 5


def test_what_is_no_member_or_nothing_that_is_to_be_passed_changes_nothing() -> None:
    lan = lan_of(1, 10 * MIB)
    lan.run(20, lambda: len(lan.nodes[0].segments) >= 3)
    geometry, before = lan.content.geometry, list(lan.sender.queued)
    made = Help(CONTENT_ID, geometry.k, geometry.symbol, bytes(TAG_SIZE), bytes(KEY_SIZE), 1, 1, 0.0, True, False,
                False, None, 0, [Want(0, 1)])
    lan.source.message_received(lan.nodes[0].name, Kind.HELP, made.pack(geometry), lan.now)
    lan.source.message_received(b"x" * 20, Kind.HELP, made.pack(geometry), lan.now)
    assert list(lan.sender.queued) == before
    assert lan.source.counters["message: no member"] == 1


def test_a_reader_is_followed_and_one_that_left_is_forgotten() -> None:
    ahead, here = Ahead(), {11, 12}
    ahead.reads(10, 0.0)
    assert ahead.segments(0.0, here.__contains__) == [10, 13, 14, 15, 16, 17]
    ahead.reads(11, 1.0)
    assert ahead.segments(1.0, here.__contains__)[0] == 13
    ahead.reads(40, 2.0)
    assert ahead.segments(2.0, here.__contains__) == [40, 41, 42, 13, 43, 14, 44, 15]
    assert ahead.segments(1.5 + READ_LATELY, here.__contains__)[:2] == [40, 41]
    assert ahead.segments(2.5 + READ_LATELY, here.__contains__) == []
    for segment in range(0, 200, 10):
        ahead.reads(segment, 10.0)
    assert len(ahead._read) == READERS_FOLLOWED
