"""
Who is far slower than the rest is moved off the group, and nobody else; how much is asked of helpers.
"""

from __future__ import annotations

import pytest

from tribler_multicast.transfer.session.coop_limits import ASK_LEAST, ASK_MOST, REPAIR_TARGET
from tribler_multicast.transfer.session.demand import Demand, Way
from tribler_multicast.transfer.session.events import GroupMembership, MemberMoved
from tribler_multicast.transfer.session.reports import Delay
from tribler_multicast.transfer.session.ways import TRIAL, WAIT, Turn, Ways

from .coop_lan import CoopLan
from .session_lan import Content

MIB = 1 << 20
FAST, SLOW = b"fast", b"slow"
NONE = dict.fromkeys((FAST, b"other", SLOW), 0.0)


def look(ways: Ways, begin: float, seconds: float, rate: float, queues: dict[bytes, float],
         losses: dict[bytes, float] | None = None) -> list[Turn]:
    turns: list[Turn] = []
    now = begin
    while now < begin + seconds and not turns:
        now += 0.025
        turns += ways.look(now, rate, queues, NONE if losses is None else losses)
    return turns


def after_fast_times() -> Ways:
    ways = Ways(0.0)
    assert not look(ways, 0.0, 5.0, 100.0, NONE)
    return ways


def test_who_alone_holds_up_a_stream_that_was_faster_before_goes_at_once() -> None:
    ways = after_fast_times()
    assert look(ways, 5.0, 0.4, 20.0, NONE | {SLOW: 0.03}) == [Turn(SLOW, alone=True)]
    assert ways.resume > 60.0


def test_nobody_goes_when_all_are_slow() -> None:
    ways = after_fast_times()
    assert not look(ways, 5.0, 10.0, 20.0, dict.fromkeys(NONE, 0.03))


def test_nobody_goes_while_the_rate_is_what_it_was() -> None:
    ways = after_fast_times()
    assert not look(ways, 5.0, 0.9, 90.0, NONE | {SLOW: 0.03})


def until_ignored(ways: Ways, begin: float, rate: float) -> float:
    """Let one hold up the stream until its queue does not count for a moment; get when."""
    now = begin
    while ways.ignored is None and now < begin + 3.0:
        now += 0.025
        assert not ways.look(now, rate, NONE | {SLOW: 0.03}, NONE)
    assert ways.ignored is not None
    assert ways.ignored.member == SLOW
    return now


def test_who_holds_up_others_that_are_not_faster_does_not_go() -> None:
    ways = Ways(0.0)
    now = until_ignored(ways, 0.0, 10.0)
    assert not ways.look(now + 0.025, 10.5, NONE | {SLOW: 0.04}, NONE)
    assert not ways.look(now + 0.05, 11.0, {FAST: 0.004, b"other": 0.0, SLOW: 0.05}, NONE)
    assert ways.ignored is None
    assert not look(ways, now + 0.05, WAIT - 4, 10.0, NONE | {SLOW: 0.03})
    assert ways.ignored is None, "not again so soon"
    until_ignored(ways, now + WAIT + 2, 10.0)


def test_a_rate_that_does_not_grow_although_nobody_has_a_queue_tells_nothing() -> None:
    ways = Ways(0.0)
    now = until_ignored(ways, 0.0, 10.0)
    assert not look(ways, now, 2.0, 11.0, NONE | {SLOW: 0.05})
    assert ways.ignored is None


def test_who_holds_up_others_that_are_faster_goes_and_is_tried_again_later() -> None:
    ways = Ways(0.0)
    now = until_ignored(ways, 0.0, 10.0)
    assert look(ways, now, 0.1, 16.0, NONE | {SLOW: 0.06}) == [Turn(SLOW, alone=True)]
    assert not look(ways, now + 0.1, WAIT - 4, 90.0, {FAST: 0.0, b"other": 0.0})
    assert look(ways, now + WAIT - 1, 5.0, 90.0, {FAST: 0.0, b"other": 0.0}) == [Turn(SLOW, alone=False)]


def test_who_went_at_once_comes_back_when_the_others_are_not_faster() -> None:
    ways = after_fast_times()
    assert look(ways, 5.0, 3.0, 20.0, NONE | {SLOW: 0.03}) == [Turn(SLOW, alone=True)]
    assert look(ways, 8.0, TRIAL + 1, 22.0, NONE) == [Turn(SLOW, alone=False)]
    assert look(ways, 8.0 + TRIAL + 1, 3.0, 5.0, NONE | {SLOW: 0.03}) == [Turn(SLOW, alone=True)]


def test_who_is_ignored_and_leaves_or_is_the_last_is_ignored_no_more() -> None:
    ways = Ways(0.0)
    now = until_ignored(ways, 0.0, 10.0)
    assert not ways.look(now + 0.025, 10.0, {SLOW: 0.05}, {SLOW: 0.0})
    assert ways.ignored is None
    until_ignored(ways, now + 0.1, 10.0)
    ways.forget(SLOW)
    assert ways.ignored is None


def test_who_loses_far_more_than_the_others_goes() -> None:
    ways = after_fast_times()
    assert look(ways, 5.0, 2.0, 100.0, NONE, NONE | {SLOW: 0.45}) == [Turn(SLOW, alone=True)]
    ways = after_fast_times()
    assert not look(ways, 5.0, 5.0, 100.0, NONE, dict.fromkeys(NONE, 0.45)), "all lose as much"


def test_a_short_burst_of_queue_moves_nobody() -> None:
    ways = after_fast_times()
    for begin in range(5, 25):
        assert not look(ways, begin, 0.1, 60.0, NONE | {SLOW: 0.03})
        assert not look(ways, begin + 0.1, 0.9, 60.0, NONE)


def test_who_left_is_forgotten() -> None:
    ways = after_fast_times()
    look(ways, 5.0, 0.4, 20.0, NONE | {SLOW: 0.03})
    ways.forget(SLOW)
    assert not ways.alone


def test_one_behind_a_slow_link_does_not_hold_up_the_others_and_gets_everything_too() -> None:
    alone = CoopLan(Content(16 * MIB))
    for _ in range(3):
        alone.node(loss=0.02).join()
    before = alone.run_until_done()
    lan = CoopLan(Content(16 * MIB))
    for mbit in (100, 100, 100, 5):
        lan.node(loss=0.02, mbit=mbit).join()
    lan.run(60, lambda: all(node.done for node in lan.nodes[:3]))
    assert max(node.done or 60 for node in lan.nodes[:3]) < 1.45 * before, "1.06 of 64 MiB"
    assert MemberMoved(lan.nodes[3].name, alone=True) in lan.sender.take_events()
    lan.run_until_done()
    assert GroupMembership(wanted=False) in lan.nodes[3].events
    assert lan.bytes_per_file < 1.2


# --- Demand.


def decide(demand: Demand, seconds: float, begin: float, came: float, queue: float, *, is_alone: bool = True) -> float:
    """Let the same happen for some time: bytes per second come, and meet that queue. Gets when it ends."""
    way = Way()
    now = begin
    way.delay(now, Delay(1000, 1000, 0))
    total = 0.0
    while now < begin + seconds:
        now += 0.025
        total += came * 0.025
        way.delay(now, Delay(1000 + int(queue * 1e6), 0, 0))
        demand.decide(now, [way], int(total), is_short=True, is_lossy=False, is_alone=is_alone)
    return now


def test_more_is_asked_for_while_answers_meet_no_queue_but_not_far_more_than_comes() -> None:
    demand = Demand(0.0)
    before = demand.rate
    decide(demand, 2.0, 0.0, 3 * before, 0.0)
    assert 3 * before < demand.rate <= 2.05 * 3 * before
    decide(demand, 5.0, 2.0, 4 * ASK_MOST, 0.0)
    assert demand.rate <= ASK_MOST


def test_less_is_asked_for_when_answers_meet_a_queue_and_never_too_little() -> None:
    demand = Demand(0.0)
    demand.rate = 1e7
    decide(demand, 1.0, 0.0, 4e6, 2 * REPAIR_TARGET)
    assert demand.rate < 5e6
    decide(demand, 10.0, 1.0, 0.0, 10 * REPAIR_TARGET)
    assert demand.rate == pytest.approx(ASK_LEAST, rel=0.2)


def test_what_the_sources_stream_brings_shows_what_the_link_carries() -> None:
    demand = Demand(0.0)
    decide(demand, 1.0, 0.0, 1e7, 0.01, is_alone=False)
    assert 0.7e7 < demand.rate < 1e7


def test_helper_whose_own_link_is_full_is_asked_for_less() -> None:
    demand, near, far = Demand(0.0), Way(), Way()
    for tick in range(40):
        for way, queue in ((near, 0), (far, 60_000 if tick else 0)):
            way.delay(tick * 0.025, Delay(1000 + queue, 0, 0))
        demand.decide(tick * 0.025, [near, far], tick * 10_000, is_short=True, is_lossy=False, is_alone=True)
    assert far.share < 0.2
    assert near.share == 1.0


def test_loss_beyond_the_usual_counts_only_when_it_is_not_by_chance() -> None:
    way = Way()
    assert not way.lost(200, 180)
    assert way.loss == pytest.approx(0.1)
    assert not any(way.lost(100, 85) for _ in range(3))
    assert way.lost(200, 100)
