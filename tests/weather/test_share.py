"""The rule for one direction, step by step."""

from __future__ import annotations

import pytest

from tribler_multicast.weather.limits import FLOOR, LEAST_LIMIT, REFRACTORY
from tribler_multicast.weather.share import RELEASE, Share, Situation

QUIET = Situation(delay=0.0, is_told=False, slope=0.0, suspect=True, need="none", room=0.0, together=False,
                  bulk=500_000.0,
                  bulk_before=500_000.0, levels=(), sharers=1, capacity=None, used=500_000.0, own_best=500_000.0)
QUEUE = QUIET._replace(delay=0.2, need="live", room=200_000.0)


def limited(situation: Situation = QUEUE, seconds: float = 0.0) -> tuple[Share, float]:
    """
    Get a share with a limit, and the time.
    """
    share = Share()
    now = 0.0
    share.run(now, situation)
    while now < seconds:
        now += 0.1
        share.run(now, follow(share, situation))
    return share, now


def follow(share: Share, situation: Situation) -> Situation:
    """
    Let traffic use what it may.
    """
    if share.level is None:
        return situation
    return situation._replace(bulk=share.level, bulk_before=share.level, used=share.level)


def test_nothing_is_limited_without_a_need() -> None:
    assert Share().run(0.0, QUIET._replace(delay=0.9)) is None


def test_nothing_is_limited_when_no_queue_is_felt() -> None:
    assert Share().run(0.0, QUIET._replace(need="live", room=1e9)) is None


def test_nothing_is_limited_when_nothing_is_known() -> None:
    assert Share().run(0.0, QUEUE._replace(delay=None)) is None


def test_nothing_is_limited_when_the_queue_is_of_the_other_direction() -> None:
    assert Share().run(0.0, QUEUE._replace(suspect=False)) is None


def test_nothing_is_limited_that_is_only_chatter() -> None:
    assert Share().run(0.0, QUEUE._replace(bulk=3_000.0, bulk_before=3_000.0)) is None


@pytest.mark.parametrize("need, delay, yields", [("live", 0.012, True), ("on_demand", 0.012, False),
                                                 ("on_demand", 0.025, True),
                                                 ("room", 0.025, True), ("none", 0.2, False)])
def test_who_needs_room_sets_the_queue_that_is_tolerated(need: str, delay: float, yields: bool) -> None:
    assert (Share().run(0.0, QUIET._replace(need=need, delay=delay)) is not None) == yields


def test_two_that_feel_a_queue_together_are_limited_without_a_need() -> None:
    assert Share().run(0.0, QUIET._replace(together=True, delay=0.2)) is not None


def test_new_need_gets_its_room_at_once() -> None:
    limit = Share().run(0.0, QUEUE)
    assert limit is not None
    assert limit <= 300_000


def test_cuts_wait_until_the_last_one_is_felt() -> None:
    share, _ = limited()
    first = share.level
    assert first is not None
    share.run(REFRACTORY / 2, follow(share, QUEUE))
    assert share.level == first
    share.run(REFRACTORY, follow(share, QUEUE))
    assert share.level is not None
    assert share.level < first


def test_level_never_falls_below_the_floor() -> None:
    share, _ = limited(QUEUE._replace(slope=0.5), seconds=60.0)
    assert share.level == pytest.approx(FLOOR * 500_000)


def test_floor_is_of_the_fair_share_and_never_nothing() -> None:
    share = Share()
    assert share.floor(QUIET._replace(sharers=5)) == pytest.approx(FLOOR * 100_000)
    assert share.floor(QUIET._replace(own_best=0.0)) == LEAST_LIMIT


def test_lie_about_the_capacity_changes_the_floor_only_within_what_this_node_reached() -> None:
    share = Share()
    assert share.floor(QUIET._replace(capacity=1.0)) == pytest.approx(FLOOR * 500_000)
    assert share.floor(QUIET._replace(capacity=1e12)) == pytest.approx(FLOOR * 500_000)


def test_level_grows_while_there_is_room_and_it_is_used() -> None:
    share, now = limited(seconds=2.0)
    low = share.level
    for step in range(50):
        share.run(now + step * 0.1, follow(share, QUEUE._replace(delay=0.0)))
    assert low is not None
    assert share.level is not None
    assert 1.05 * low < share.level < 1.3 * low  # it just filled the link
    for step in range(300):
        share.run(now + 5 + step * 0.1, follow(share, QUEUE._replace(delay=0.0)))
    assert share.level > 10 * low


def test_level_does_not_grow_when_it_is_not_used() -> None:
    share, now = limited(seconds=2.0)
    low = share.level
    for step in range(100):
        share.run(now + step * 0.1, follow(share, QUEUE._replace(delay=0.0))._replace(bulk=1000.0))
    assert share.level == low


def test_growth_is_bounded_after_a_long_pause() -> None:
    share, now = limited(seconds=2.0)
    low = share.level
    share.run(now + 3600, follow(share, QUEUE._replace(delay=0.0, capacity=1e9)))
    assert low is not None
    assert share.level is not None
    assert share.level < 1.5 * low


def test_levels_of_several_come_together() -> None:
    levels = [50_000.0, 100_000.0, 400_000.0]
    shares = []
    for level in levels:
        share, _ = limited()
        share.level = level
        shares.append(share)
    for step in range(200):
        told = [share.level or 0.0 for share in shares]
        for number, share in enumerate(shares):
            others = tuple(told[:number] + told[number + 1:])
            share.run(step * 0.1, follow(share, QUEUE._replace(delay=0.008, levels=others, sharers=3)))
    told = [share.level or 0.0 for share in shares]
    assert max(told) < 1.1 * min(told)


def test_low_levels_of_others_do_not_pull_down_who_feels_no_queue() -> None:
    share, now = limited(seconds=1.0)
    low = share.level
    for step in range(60):
        share.run(now + 20 + step * 0.1, follow(share, QUEUE._replace(delay=0.0, levels=(64.0,) * 50, sharers=51)))
    assert low is not None
    assert share.level is not None
    assert share.level >= low


def test_high_levels_of_others_do_not_pull_up_into_a_queue() -> None:
    share, now = limited(seconds=2.0)
    low = share.level
    for step in range(20):
        share.run(now + step * 0.1, follow(share, QUEUE._replace(levels=(1e9,) * 5, sharers=6)))
    assert low is not None
    assert share.level is not None
    assert share.level <= low


def test_end_that_was_announced_gives_back_at_once() -> None:
    share, now = limited(seconds=3.0)
    over = follow(share, QUIET._replace(capacity=500_000.0))
    assert share.run(now + 0.1, over, ended=True) == pytest.approx(485_000)


def test_need_that_ends_by_itself_is_waited_for_a_second() -> None:
    share, now = limited(seconds=3.0)
    low = share.level
    assert low is not None
    over = follow(share, QUIET._replace(capacity=500_000.0))
    share.run(now + 0.5, over)
    assert share.level is not None
    assert share.level < 1.5 * low
    share.run(now + 1.5, over)
    assert share.level == pytest.approx(485_000)


def test_limit_goes_away_after_the_need() -> None:
    share, now = limited(seconds=3.0)
    for step in range(int(RELEASE * 10) + 20):
        share.run(now + step * 0.1, follow(share, QUIET), ended=step == 0)
    assert share.level is None


def test_limit_stays_while_several_want_more() -> None:
    share, now = limited(seconds=3.0)
    for step in range(600):
        share.run(now + step * 0.1, follow(share, QUIET._replace(levels=(100_000.0,), sharers=2)), ended=step == 0)
    assert share.level is not None
