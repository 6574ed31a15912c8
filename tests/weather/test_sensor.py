"""What is felt: queues behind the gateway, before it, and what only looks like one."""

from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.weather.limits import BASE_PART, BASE_PARTS, BLOAT, MAX_TARGETS, MOST_SAMPLES, STALE
from tribler_multicast.weather.path import Base, Path
from tribler_multicast.weather.sensor import Sensor
from tribler_multicast.weather.statistics import Delays


def probed(sensor: Sensor, start: float, seconds: float, *, gateway: float = 0.001, wan: float = 0.01,
           each: float = 0.2, near: bool = True) -> float:
    """
    Let answers come for so many seconds; get the time then.
    """
    now = start
    while now < start + seconds:
        sensor.gateway_answer(now, gateway)
        sensor.wan_answer(now, "hop", wan, near=near)
        now += each
    return now


def test_queue_behind_the_gateway_is_what_the_way_to_the_internet_takes_longer() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    assert sensor.felt(now).delay == pytest.approx(0.0)
    now = probed(sensor, now, 2.0, wan=0.13)
    felt = sensor.felt(now)
    assert felt.delay == pytest.approx(0.12)
    assert felt.is_bloated
    assert not felt.is_own_slow


def test_slow_way_to_the_gateway_is_no_queue_behind_it() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    now = probed(sensor, now, 2.0, gateway=0.101, wan=0.11)
    felt = sensor.felt(now)
    assert felt.delay == pytest.approx(0.0)
    assert felt.own == pytest.approx(0.1)
    assert felt.is_own_slow
    assert not felt.is_bloated


def test_both_at_once_are_told_apart() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    now = probed(sensor, now, 2.0, gateway=0.101, wan=0.16)
    felt = sensor.felt(now)
    assert felt.delay == pytest.approx(0.05)
    assert felt.is_own_slow
    assert felt.is_bloated


def test_short_queue_is_no_bloat_and_bloat_ends() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    now = probed(sensor, now, 0.4, wan=0.11)
    assert not sensor.felt(now).is_bloated
    now = probed(sensor, now, 1.0, wan=0.11)
    assert sensor.felt(now).is_bloated
    now = probed(sensor, now, 1.0, wan=0.03)  # between the two thresholds: still
    assert sensor.felt(now).is_bloated
    now = probed(sensor, now, 1.0)
    assert not sensor.felt(now).is_bloated


def test_jitter_of_the_air_is_no_queue() -> None:
    sensor, random = Sensor(), Random(1)
    now = probed(sensor, 0.0, 3.0)
    bloated = 0
    for _ in range(500):
        sensor.gateway_answer(now, 0.001 + random.choice((0.0, 0.0, random.expovariate(30))))
        sensor.wan_answer(now, "hop", 0.01 + random.choice((0.0, 0.0, random.expovariate(30))), near=True)
        now += 0.2
        bloated += sensor.felt(now).is_bloated
    felt = sensor.felt(now)
    assert bloated == 0
    assert felt.has_jitter
    assert not felt.is_own_slow


def test_nothing_is_known_without_the_gateway() -> None:
    sensor = Sensor()
    for step in range(20):
        sensor.wan_answer(step * 0.2, "hop", 0.5, near=True)
    assert sensor.felt(4.0).delay is None


def test_nothing_is_known_of_two_far_targets_but_of_three() -> None:
    sensor = Sensor()
    for step in range(10):
        sensor.gateway_answer(step * 0.2, 0.001)
        for name in "ab":
            sensor.wan_answer(step * 0.2, name, 0.05)
    assert sensor.felt(2.0).delay is None
    sensor.wan_answer(1.9, "c", 0.05)
    assert sensor.felt(2.0).delay == pytest.approx(0.0)


def test_one_slow_peer_of_three_is_not_the_gateway() -> None:
    sensor = Sensor()
    for step in range(40):
        sensor.gateway_answer(step * 0.2, 0.001)
        for name in "abc":
            sensor.wan_answer(step * 0.2, name, 0.05 + (0.3 if name == "b" and step > 10 else 0))
    assert sensor.felt(8.0).delay == pytest.approx(0.0)


def test_router_behind_the_gateway_counts_before_far_peers() -> None:
    sensor = Sensor()
    for step in range(40):
        sensor.gateway_answer(step * 0.2, 0.001)
        sensor.wan_answer(step * 0.2, "hop", 0.01, near=True)
        for name in "abc":
            sensor.wan_answer(step * 0.2, name, 0.05 + (0.3 if step > 10 else 0))
    assert sensor.felt(8.0).delay == pytest.approx(0.0)


def test_old_answers_are_not_believed() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    assert sensor.felt(now).delay is not None
    felt = sensor.felt(now + STALE + 0.1)
    assert felt.delay is None
    assert not felt.is_bloated


def test_bloat_is_forgotten_when_nothing_is_known_any_more() -> None:
    sensor = Sensor()
    now = probed(sensor, probed(sensor, 0.0, 2.0), 2.0, wan=0.2)
    assert sensor.felt(now).is_bloated
    assert not sensor.felt(now + 10).is_bloated


def test_growth_of_the_queue_is_felt() -> None:
    sensor = Sensor()
    now = probed(sensor, 0.0, 3.0)
    start = now
    while now < start + 2:
        sensor.gateway_answer(now, 0.001)
        sensor.wan_answer(now, "hop", 0.01 + 0.1 * (now - start), near=True)
        now += 0.1
    assert sensor.felt(now).slope == pytest.approx(0.1, rel=0.2)


def test_number_of_targets_is_bounded_and_the_silent_ones_go() -> None:
    sensor = Sensor()
    for number in range(1000):
        sensor.wan_answer(float(number), number, 0.05)
    assert sorted(sensor.targets) == list(range(1000 - MAX_TARGETS, 1000))


def test_loss_is_told_of_targets_that_answer_everything_only() -> None:
    whole, limited = Path(), Path(answers_all=False)
    for step in range(100):
        for path in (whole, limited):
            if step % 4:
                path.answer(step, 0.01)
            else:
                path.no_answer()
    assert whole.loss == pytest.approx(0.25, abs=0.03)
    assert limited.loss is None


def test_loss_follows_what_happens_now() -> None:
    path = Path()
    for step in range(1000):
        path.answer(step, 0.01)
    for _ in range(100):
        path.no_answer()
    assert path.loss is not None
    assert path.loss > 0.5


def test_shortest_way_is_forgotten_after_half_an_hour() -> None:
    base = Base()
    base.add(0.0, 0.01, idle=False)
    now = 0.0
    while now < BASE_PART * (BASE_PARTS + 1):
        now += 10
        base.add(now, 0.05, idle=False)
    assert base.value == 0.05
    assert len(base.parts) <= BASE_PARTS


def test_way_that_became_longer_without_any_load_is_the_new_way() -> None:
    base = Base()
    base.add(0.0, 0.01, idle=True)
    for step in range(1, 30):
        base.add(step, 0.05, idle=True)
    assert base.value == 0.05


def test_way_that_takes_longer_under_load_stays_the_old_one() -> None:
    base = Base()
    base.add(0.0, 0.01, idle=True)
    for step in range(1, 600):
        base.add(step, 0.05, idle=False)
    assert base.value == 0.01


def test_one_short_answer_between_keeps_the_way() -> None:
    base = Base()
    base.add(0.0, 0.01, idle=True)
    for step in range(1, 100):
        base.add(step, 0.011 if step % 5 == 0 else 0.05, idle=True)
    assert base.value == 0.01


def test_statistics_tell_a_full_queue_from_spikes() -> None:
    full, spikes = Delays(), Delays()
    for step in range(40):
        full.add(step * 0.2, 0.0 if step % 8 == 0 else 0.1)
        spikes.add(step * 0.2, 0.1 if step % 8 == 0 else 0.0)
    queue, jitter = full.summary(8.0), spikes.summary(8.0)
    assert queue is not None
    assert jitter is not None
    assert queue.skew < 0 < jitter.skew
    assert queue.mean > BLOAT > jitter.mean


def test_statistics_need_a_few_samples_and_keep_a_bounded_number() -> None:
    delays = Delays(1e9)
    delays.add(0.0, 0.1)
    assert delays.summary(0.0) is None
    for step in range(10_000):
        delays.add(step, 0.1)
    assert len(delays.kept) == MOST_SAMPLES


def test_statistics_forget() -> None:
    delays = Delays()
    for step in range(20):
        delays.add(step * 0.1, 0.1)
    assert delays.summary(100.0) is None
