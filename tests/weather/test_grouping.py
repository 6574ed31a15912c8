"""Who shares a queue, and what is said of the gateway; what it passes; what is remembered."""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.weather.capacity import MOST_SUMS, Capacity
from tribler_multicast.weather.grouping import Member, groups, state
from tribler_multicast.weather.history import History, Minute
from tribler_multicast.weather.limits import HISTORY, HISTORY_STEP


def member(host: str, mean: float = 0.1, *, bloated: bool = True, variability: float = 0.01, skew: float = 0.0,
           loss: float | None = None) -> Member:
    return Member(host, bloated, mean, variability, skew, loss)


def hosts(found: list[list[Member]]) -> list[set[object]]:
    return [{each.host for each in group} for group in found]


def test_nodes_in_one_queue_are_one_group() -> None:
    assert hosts(groups([member("a", 0.1), member("b", 0.11), member("c", 0.12)])) == [{"a", "b", "c"}]


def test_nodes_without_bloat_are_in_no_group() -> None:
    assert hosts(groups([member("a"), member("b"), member("c", 0.0, bloated=False)])) == [{"a", "b"}]


@pytest.mark.parametrize("other", [member("c", 0.5), member("c", variability=0.2), member("c", skew=0.9),
                                   member("c", loss=0.5)], ids=["mean", "variability", "skewness", "loss"])
def test_node_with_a_queue_of_its_own_is_apart(other: Member) -> None:
    assert hosts(groups([member("a", loss=0.0), member("b", loss=0.0), other])) == [{"a", "b"}, {"c"}]


def test_node_that_can_not_tell_its_loss_stays() -> None:
    assert hosts(groups([member("a", loss=0.2), member("b", loss=None)])) == [{"a", "b"}]


def test_nothing_heard_and_felt_is_unknown() -> None:
    assert state(None, []) == "unknown"


def test_no_bloat_is_clear() -> None:
    assert state(member("me", 0.0, bloated=False), [member("a", 0.0, bloated=False)]) == "clear"
    assert state(None, [member("a", 0.0, bloated=False)]) == "clear"


def test_one_alone_is_suspected() -> None:
    assert state(member("me"), []) == "suspected"
    assert state(member("me"), [member("a", 0.0, bloated=False)]) == "suspected"
    assert state(None, [member("a")]) == "suspected"


def test_two_together_are_congested() -> None:
    assert state(member("me"), [member("a", 0.12)]) == "congested"
    assert state(None, [member("a"), member("b")]) == "congested"


def test_two_with_different_queues_are_not_congested() -> None:
    assert state(member("me", 0.04), [member("a", 0.6)]) == "suspected"


def test_who_feels_no_queue_knows_better_than_those_who_say_there_is_one() -> None:
    assert state(member("me", 0.0, bloated=False), [member("a"), member("b"), member("c")]) == "suspected"


def filled(rates: list[float], delay: float | None = 0.05) -> Capacity:
    capacity = Capacity()
    for second, rate in enumerate(rates):
        capacity.update(float(second), rate / 2, rate, delay, suspect=True)
    return capacity


def test_capacity_is_what_passes_while_there_is_a_queue() -> None:
    random = Random(1)
    capacity = filled([625_000 * random.uniform(0.85, 1.15) for _ in range(60)])
    assert capacity.value == pytest.approx(625_000, rel=0.05)
    assert capacity.confidence > 0.7


def test_capacity_is_not_known_without_a_queue() -> None:
    assert filled([100_000] * 60, 0.0).value is None
    assert filled([100_000] * 60, None).value is None


def test_few_sums_or_sums_that_disagree_are_not_sure() -> None:
    assert filled([625_000] * 2).confidence < 0.3
    assert filled(([100_000] * 10 + [1_000_000] * 10) * 3).confidence < 0.3


def test_short_queues_of_bursts_do_not_make_a_link_smaller_that_is_not_full() -> None:
    capacity = filled([2_500_000] * 20)
    for second in range(20, 80):
        capacity.update(float(second), 0.0, 1_900_000, 0.012, suspect=True)
    assert capacity.value == pytest.approx(2_500_000, rel=0.05)


def test_what_passed_for_seconds_without_a_queue_passes_but_no_moment_does() -> None:
    capacity = filled([1_700_000] * 20)
    for tenth in range(400, 410):
        capacity.update(tenth / 10, 0.0, 9_000_000, 0.0, suspect=True)
    for tenth in range(410, 460):
        capacity.update(tenth / 10, 0.0, 2_500_000, 0.0, suspect=True)
    assert capacity.value == pytest.approx(2_500_000, rel=0.05)


def test_line_that_became_slower_is_known_within_a_minute() -> None:
    capacity = filled([2_500_000] * 40)
    for second in range(40, 100):
        capacity.update(float(second), 0.0, 1_000_000, 0.1, suspect=True)
    assert capacity.value == pytest.approx(1_000_000, rel=0.15)


def test_capacity_follows_a_new_line_within_a_minute() -> None:
    capacity = filled([625_000] * 200)
    for second in range(200, 200 + MOST_SUMS):
        capacity.update(float(second), 0.0, 2_500_000, 0.05, suspect=True)
    assert capacity.value == pytest.approx(2_500_000)


def test_queue_of_the_other_direction_says_nothing() -> None:
    capacity = Capacity()
    capacity.update(0.0, 1000.0, 5000.0, 0.2, suspect=False)
    assert capacity.value is None


def test_what_this_node_reached_is_remembered_some_minutes() -> None:
    capacity = filled([200_000] * 10)
    assert capacity.own_best == pytest.approx(100_000, rel=0.05)
    for second in range(10, 700):
        capacity.update(float(second), 10.0, 10.0, 0.0, suspect=True)
    assert capacity.own_best == pytest.approx(10.0)


def minute(time: float, state: str = "clear", delay: float | None = 0.01, up: float = 1.0,
           limit: float | None = None) -> Minute:
    return Minute(time, state, delay, up, 2.0, limit, None)


def test_history_has_one_line_a_minute_with_the_worst_of_it() -> None:
    history = History()
    history.add(minute(60.0))
    history.add(minute(70.0, "congested", 0.2, 5.0, 100.0))
    history.add(minute(119.9, "suspected", None, 3.0, 300.0))
    history.add(minute(120.0))
    assert history.since() == [Minute(60.0, "congested", 0.2, 5.0, 2.0, 100.0, None), minute(120.0)]
    assert history.since(61.0) == [minute(120.0)]


def test_history_is_a_day_long() -> None:
    history = History()
    for step in range(5000):
        history.add(minute(step * HISTORY_STEP))
    assert len(history.minutes) == HISTORY / HISTORY_STEP
    history.add(minute(10 * HISTORY))
    assert history.since() == [minute(10 * HISTORY)]
