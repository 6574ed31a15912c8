"""Pacing by deadlines, on a simulated clock."""
from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.lan.pacer import BURST, LAG, Pacer

SIZE = 1452
START = 1_000_000.0
"""A clock does not begin at zero, and has few digits left for fractions after weeks."""

WINDOW = 0.1
TOLERANCE = 0.05
RATES = st.floats(1e3, 1.25e9)


class Run:
    """A sender that wakes up late, and what it sent: (time, packets)."""

    def __init__(self, pacer: Pacer, now: float = START) -> None:
        self.pacer = pacer
        self.now = now
        self.sent: list[tuple[float, int]] = []

    def wake(self, late: float = 0.0, room: int = 1 << 30) -> int:
        """Sleep until the pacer wants to be asked and a bit longer, then send what may go and finds room."""
        self.now = max(self.now, self.pacer.wake_at(self.now)) + late
        count = min(self.pacer.ready(self.now), room)
        self.pacer.sent(count)
        self.sent.append((self.now, count))
        return count

    def packets(self) -> int:
        return sum(count for _, count in self.sent)

    def worst(self, window: float = WINDOW) -> int:
        """The most packets in any window, both ends included."""
        times = [time for time, _ in self.sent]
        before = [0, *accumulate(count for _, count in self.sent)]
        return max(before[bisect_right(times, time + window)] - before[number] for number, time in enumerate(times))


def allowed(rate: float, window: float = WINDOW) -> float:
    """Packets in a window: the rate, five per cent, and where that is less than a packet, the one at its edge."""
    return rate * window / SIZE * (1 + TOLERANCE) + 1.01


@pytest.mark.parametrize("rate", [1e3, 1e5, 12.5e6, 118.75e6])
def test_rate_is_kept_to_the_packet_for_minutes(rate: float) -> None:
    run = Run(Pacer(rate, SIZE, START))
    random = Random(7)
    while run.now < START + min(120, 3e9 / rate):
        run.wake(random.uniform(0, 0.001))
    assert run.packets() == pytest.approx((run.now - START) * rate / SIZE, abs=2)
    assert run.pacer.forgiven == 0


@settings(max_examples=60)
@given(RATES, st.lists(st.floats(0, 0.3) | st.floats(0, 0.002), min_size=1, max_size=60), st.floats(0, 0.003),
       st.integers(1, 400))
def test_no_window_has_five_per_cent_too_much_however_late_it_wakes_up(
        rate: float, delays: list[float], burst: float, most: int) -> None:
    run = Run(Pacer(rate, SIZE, START, min(burst, BURST), most))
    for late in delays:
        run.wake(late)
        for _ in range(5):
            run.wake()
    assert run.worst() <= allowed(rate)


@settings(max_examples=100)
@given(RATES, st.lists(st.just(0.0) | st.floats(0, 0.05), min_size=1, max_size=100), st.floats(0, 1e7))
def test_whenever_it_wants_to_be_asked_a_packet_may_go(rate: float, delays: list[float], start: float) -> None:
    run = Run(Pacer(rate, SIZE, start), start)
    for late in delays:
        assert run.wake(late) >= 1


@given(RATES, st.integers(1, 300))
def test_no_more_than_a_burst_goes_at_once(rate: float, most: int) -> None:
    pacer = Pacer(rate, SIZE, START, most=most)
    pacer.ready(START)
    late = pacer.ready(START + 10)
    assert 1 <= late <= most
    assert late <= rate * BURST * 1.01 / SIZE + 1.01
    pacer.sent(late)
    assert pacer.ready(START + 10) <= 3, "asking twice does not make it more"


def test_what_a_late_wake_up_missed_is_caught_up_for_and_no_more_than_that() -> None:
    rate = 12.5e6
    run = Run(Pacer(rate, SIZE, START))
    while run.now < START + 1:
        run.wake()
    run.wake(0.08)
    assert run.packets() < (run.now - START) * rate / SIZE - 400, "it did not all go at once"
    while run.now < START + 12:
        run.wake()
    assert run.packets() == pytest.approx((run.now - START) * rate / SIZE, abs=14)
    assert run.worst() <= allowed(rate)


def test_who_was_away_for_long_has_not_missed_it() -> None:
    rate = 12.5e6
    run = Run(Pacer(rate, SIZE, START))
    run.wake()
    run.wake(10)
    while run.now < START + 24:
        run.wake()
    assert run.packets() == pytest.approx((14 + LAG) * rate / SIZE, abs=14)
    assert run.pacer.forgiven == pytest.approx(10 - LAG, abs=0.01)


def test_late_packet_is_not_forgiven_where_one_takes_longer_than_what_is_remembered() -> None:
    run = Run(Pacer(2 * SIZE, SIZE, START))
    for _ in range(5):
        run.wake()
    run.wake(0.3)
    while run.now < START + 60:
        run.wake()
    assert run.packets() == pytest.approx(2 * (run.now - START), abs=1.1)
    assert run.pacer.forgiven == 0


def test_lower_rate_does_not_make_it_more_that_is_to_be_caught_up_for() -> None:
    run = Run(Pacer(12.5e6, SIZE, START))
    run.wake()
    run.now += 0.08
    run.pacer.set_rate(1.25e6, run.now)
    begin, before = run.now, run.packets()
    while run.now < begin + 20:
        run.wake()
    assert run.packets() - before == pytest.approx((20 + 0.08) * 1.25e6 / SIZE, abs=4)


def test_what_found_no_room_stays_ready() -> None:
    pacer = Pacer(125e6, SIZE, START)
    first = pacer.ready(START + 0.001)
    pacer.sent(first - 10)
    assert pacer.ready(START + 0.001) == 10


def test_time_with_nothing_to_send_is_not_made_up_for() -> None:
    run = Run(Pacer(12.5e6, SIZE, START))
    run.wake()
    run.now += 0.09
    run.pacer.rest(run.now)
    before = run.packets()
    begin = run.now
    while run.now < begin + 1:
        run.wake()
    assert run.packets() - before == pytest.approx((run.now - begin) * 12.5e6 / SIZE, abs=2)


@settings(max_examples=60)
@given(st.lists(st.tuples(RATES, st.floats(0, 0.05), st.integers(1, 8)), min_size=2, max_size=40))
def test_changed_rate_holds_from_then_on(changes: list[tuple[float, float, int]]) -> None:
    run = Run(Pacer(changes[0][0], SIZE, START))
    for rate, late, wakes in changes:
        run.pacer.set_rate(rate, run.now)
        begin, first = run.now, len(run.sent)
        for _ in range(wakes):
            run.wake()
            run.wake(late)
        new = Run(run.pacer, begin)
        new.sent = run.sent[first:]
        assert new.worst() <= allowed(rate)
        assert new.sent[0][0] - begin <= max(BURST, 2 * SIZE / rate), "the new rate does not wait for the old one"


def test_rates_that_alternate_send_their_mean() -> None:
    run = Run(Pacer(1e6, SIZE, START))
    random = Random(3)
    budget, last = 0.0, START
    while run.now < START + 60:
        rate = run.pacer.rate
        run.wake(random.uniform(0, 0.001))
        budget, last = budget + (run.now - last) * rate / SIZE, run.now
        run.pacer.set_rate(random.choice([1e6, 5e6, 20e6]), run.now)
    assert run.packets() == pytest.approx(budget, rel=0.01)


def test_rate_zero_is_a_pause() -> None:
    pacer = Pacer(0, SIZE, START)
    assert (pacer.ready(START + 1), pacer.wake_at(START + 1)) == (0, math.inf)
    pacer.set_rate(125e6, START + 1)
    assert pacer.ready(START + 1) == 1
    pacer.sent(1)
    pacer.set_rate(0, START + 1.5)
    assert (pacer.ready(START + 2), pacer.wake_at(START + 2)) == (0, math.inf)
    pacer.set_rate(1e6, START + 3)
    assert pacer.ready(START + 3) == 1


def test_switching_on_and_off_lets_no_more_through() -> None:
    run = Run(Pacer(125e6, SIZE, START))
    for _ in range(100):
        run.wake()
        run.pacer.set_rate(0, run.now)
        run.pacer.set_rate(125e6, run.now)
    assert run.worst() <= allowed(125e6)


def test_clock_that_goes_back_stands_still() -> None:
    pacer = Pacer(1e6, SIZE, START)
    count = pacer.ready(START + 0.05)
    pacer.sent(count)
    assert pacer.ready(START - 100) == 0
    assert pacer.wake_at(START - 100) >= START + 0.05
    pacer.set_rate(0.9e6, START - 100)
    assert pacer.wake_at(START - 100) < START + 0.06


@pytest.mark.parametrize("arguments", [(-1.0, SIZE), (math.nan, SIZE), (math.inf, SIZE), (1e6, 0), (1e6, -1)])
def test_nonsense_is_refused(arguments: tuple[float, int]) -> None:
    with pytest.raises(ValueError):
        Pacer(*arguments, START)
