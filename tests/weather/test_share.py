"""The rule for one direction, step by step."""

from __future__ import annotations

import pytest

from tribler_multicast.weather.limits import FLOOR, LEAST_LIMIT
from tribler_multicast.weather.rule import EASE, KNOWN, LEAST_BEGIN, LEFT, METERED, RELEASE, TOLD
from tribler_multicast.weather.share import Share
from tribler_multicast.weather.situation import Situation

QUIET = Situation(delay=0.0, is_told=False, slope=0.0, usual=0.0, suspect=True, need="none", room=0.0, together=False,
                  bulk=500_000.0, bulk_before=500_000.0, levels=(), sharers=1, capacity=None, guess=None,
                  used=500_000.0, own_best=500_000.0)
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
    if share.limit is None:
        return situation
    return situation._replace(bulk=share.limit, bulk_before=share.limit, used=share.limit)


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


def test_two_that_feel_a_queue_together_are_limited_without_a_need_once_their_rates_are_known() -> None:
    share = Share()
    share.run(0.0, QUIET._replace(bulk=0.0))
    full = QUIET._replace(together=True, delay=0.2)
    assert share.run(1.0, full) is None
    assert share.run(2.5, full) is not None


def test_new_need_gets_its_room_at_once() -> None:
    limit = Share().run(0.0, QUEUE)
    assert limit is not None
    assert limit <= 300_000


def test_of_what_is_known_to_pass_only_what_is_short_is_given() -> None:
    share, now = limited(QUEUE._replace(delay=0.012), seconds=2.0)
    share.run(now + 10, QUEUE._replace(need="none", together=True), ended=True)
    known = QUEUE._replace(delay=0.012, capacity=1_000_000.0, guess=1_000_000.0, sharers=2, used=1_000_000.0,
                           levels=(500_000.0,), room=100_000.0)
    share.level = 500_000.0
    share.run(now + 20, known)
    assert share.level == pytest.approx(475_000, rel=0.02)  # half of the 50,000 above 95 % of what passes


def test_limit_is_below_the_level_while_a_queue_drains_and_comes_back_by_itself() -> None:
    share, now = limited(seconds=2.0)
    level = share.level
    assert level is not None
    assert share.limit is not None
    assert share.limit < 0.8 * level
    soon = share.run(now + 0.1, follow(share, QUEUE._replace(delay=0.009)))
    assert soon is not None
    assert (1 - EASE) * level < soon < level  # a little less for a while, until it is known what passes
    assert share.run(now + 4.0, follow(share, QUEUE._replace(delay=0.009))) == pytest.approx(level, rel=0.05)


def test_queue_that_stays_lowers_the_level_and_one_that_falls_does_not() -> None:
    ends = []
    for slope in (0.0, -0.2):
        share, _ = limited(QUEUE._replace(slope=slope), seconds=8.0)
        ends.append(share.level or 0.0)
    assert ends[0] < 0.5 * ends[1]


def test_who_does_not_follow_his_limit_yet_is_not_lowered_further() -> None:
    share, now = limited(seconds=2.0)
    level = share.level
    for step in range(30):
        share.run(now + step * 0.1, QUEUE)  # what was asked for before still comes
    assert share.level == level


def test_more_is_left_where_bursts_make_queues_beside_a_stream_but_not_much_more() -> None:
    share, now = limited(QUEUE._replace(delay=0.012), seconds=2.0)
    share.level = 400_000.0
    bursts = QUEUE._replace(delay=0.001, usual=0.08, capacity=600_000.0, guess=600_000.0)
    share._most = lambda _: 1e9  # type: ignore[method-assign]
    for step in range(200):
        share.run(now + step * 0.1, follow(share, bursts))
    assert share.level is not None
    assert 0.78 * 400_000 <= share.level <= 0.86 * 400_000


def test_level_never_falls_below_the_floor() -> None:
    share, _ = limited(QUEUE._replace(slope=0.5), seconds=60.0)
    assert share.limit == pytest.approx(FLOOR * 500_000)


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
    assert 1.05 * low < share.level < 1.5 * low  # it just filled the link
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
    over = follow(share, QUIET._replace(capacity=500_000.0, guess=500_000.0))
    assert share.run(now + 0.1, over, ended=True) == pytest.approx(490_000)


def test_need_that_ends_by_itself_is_waited_for_a_second() -> None:
    share, now = limited(seconds=3.0)
    low = share.level
    assert low is not None
    over = follow(share, QUIET._replace(capacity=500_000.0, guess=500_000.0))
    share.run(now + 0.5, over)
    assert share.level is not None
    assert share.level < 1.5 * low
    share.run(now + 1.5, over)
    assert share.level == pytest.approx(490_000)


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


HEARSAY = QUEUE._replace(delay=0.5, is_told=True, told=0.5)


def test_queue_that_only_others_feel_leaves_most_of_what_is_used() -> None:
    share, _ = limited(HEARSAY._replace(levels=(64.0,) * 50, sharers=51), seconds=6.0)
    assert share.limit is not None
    assert share.limit >= 0.9 * TOLD * TOLD * 500_000


def test_queue_that_is_felt_counts_however_much_more_others_feel() -> None:
    both, _ = limited(HEARSAY._replace(told=0.3), seconds=1.0)
    own, _ = limited(QUEUE, seconds=1.0)
    assert both.limit is not None
    assert own.limit is not None
    assert both.limit <= own.limit


@pytest.mark.parametrize("situation, waits", [(QUEUE, METERED), (HEARSAY, KNOWN)])
def test_nothing_is_limited_before_its_rate_is_known(situation: Situation, waits: float) -> None:
    share = Share()
    share.run(0.0, QUIET._replace(bulk=0.0))
    assert share.run(waits - 0.1, situation) is None
    assert share.run(waits + 0.1, situation) is not None


def test_nobody_begins_with_more_than_he_uses_because_others_say_much() -> None:
    limit = Share().run(0.0, QUEUE._replace(levels=(1e9,) * 5, sharers=6))
    assert limit is not None
    assert limit <= 500_000


def test_who_has_a_small_part_of_what_he_reached_and_feels_no_queue_grows_whatever_others_say() -> None:
    share, now = limited(seconds=1.0)
    share.level = 6_000.0
    lies = QUEUE._replace(delay=0.0, levels=(64.0,) * 200, sharers=201, capacity=1e6, guess=1e6, room=1e9)
    for step in range(300):
        share.run(now + step * 0.1, follow(share, lies)._replace(used=1e9))
    assert share.level >= 50_000


def test_bulk_that_just_stopped_has_no_part_in_making_room() -> None:
    limit = Share().run(0.0, QUEUE._replace(bulk_before=0.0))
    assert limit is not None
    assert limit >= LEAST_BEGIN * (1 - EASE) * LEFT
