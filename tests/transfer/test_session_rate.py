"""
The rate on simulated links: used when alone, given up when others want it, taken back.
"""

from __future__ import annotations

import pytest

from tribler_multicast.transfer.session.rate import Pacer, RateControl
from tribler_multicast.transfer.session.reports import Delay

from .session_lan import Content, Greedy, SessionLan

MIB = 1 << 20


def running(receivers: int = 2, *, size: int = 100 * MIB, **more: float) -> SessionLan:
    loss = more.pop("loss", 0.0)
    lan = SessionLan(Content(size), **more)
    for _ in range(receivers):
        lan.node(loss=loss).join()
    return lan


def mbit(lan: SessionLan, seconds: float) -> float:
    before = lan.up.bytes
    lan.run(seconds)
    return (lan.up.bytes - before) * lan.content.scale * 8 / seconds / 1e6


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("queue", [0.004, 0.02, 0.2])
def test_link_is_used_when_nobody_else_is_there_whatever_gets_lost(queue: float, loss: float) -> None:
    lan = running(queue=queue, loss=loss)
    lan.run(0.5)
    assert mbit(lan, 2.0) >= 93
    assert lan.up.overflowed < 0.1 * lan.sender.group.sequence


def test_many_receivers_report_less_often_and_the_link_is_used_all_the_same() -> None:
    lan = running(24)
    lan.run(0.7)
    assert lan.sender.interval == 0.0375
    assert mbit(lan, 0.5) >= 93


def test_queue_stays_short() -> None:
    lan = running(queue=0.2)
    lan.run(1.5)
    assert max(lan.rate.queue for _ in range(20) if not lan.run(0.05)) < 0.015


def test_flow_like_tcp_keeps_the_link_and_what_it_leaves_is_taken_again() -> None:
    lan = running()
    lan.run(1.0)
    other = Greedy(lan)
    lan.run(1.0)
    before = other.passed
    lan.run(2.0)
    assert (other.passed - before) * 8 / 2.0 / 1e6 >= 80
    other.stopped = True
    lan.run(1.0)
    assert mbit(lan, 0.5) >= 90


def test_worst_receiver_is_followed_and_no_more_when_it_is_gone() -> None:
    lan = running(2)
    slow = lan.node(mbit=20)
    slow.join()
    lan.run(1.5)
    assert mbit(lan, 0.5) < 25
    lan.sender.leave(slow.name)
    lan.run(1.0)
    assert mbit(lan, 0.5) >= 90


def test_faster_links_are_found_too() -> None:
    lan = running(2, mbit=400.0)
    lan.run(0.6)
    assert mbit(lan, 0.4) >= 0.9 * 400


def test_rate_never_leaves_its_bounds() -> None:
    lan = running(2)
    lan.rate.cap = 30e6 / 8 / lan.content.scale
    lan.run(0.5)
    assert 27 < mbit(lan, 0.5) < 31.5


def test_without_reports_the_rate_stays_what_it_was() -> None:
    rate = RateControl(0.0)
    for number in range(100):
        rate.run(number * 0.02)
    assert rate.rate == RateControl(0.0).rate


def test_pacer_makes_up_for_little() -> None:
    pacer = Pacer(0.0, 0.01)
    pacer.sent(10.0, 1000, 1e6)
    assert pacer.due == pytest.approx(9.991)
    pacer.sent(10.0, 20_000, 1e6)
    assert pacer.due == pytest.approx(10.011)
    assert not pacer.is_due(10.0)


def beside(others: float, queue: float, seconds: float = 5.0, rate: float = 12e6) -> RateControl:
    """Let a rate of bytes/s find its place beside others of the same machine, on a link with a queue that stays."""
    control = RateControl(0.0, start=rate)
    control.others = others
    reported, now = 0, 0.0
    while now < seconds:
        now += 0.001
        control.on_sent(now, int(control.rate * 0.001))
        if int(now * 40) > reported:
            reported = int(now * 40)
            base = 0 if now < 0.05 else round(queue * 1e6)
            control.feedback(now, b"one", Delay(base, base, int((now - 0.001) * 1e6)))
        control.run(now)
    return control


def test_a_full_link_is_left_to_others_of_this_machine_but_for_a_tenth() -> None:
    control = beside(others=9e6, queue=0.002)
    assert control.full is not None
    assert control.rate <= 0.15 * control.full


def test_without_others_the_same_queue_leaves_the_link_to_us() -> None:
    assert beside(others=0.0, queue=0.002).rate > 10e6


def test_others_that_send_next_to_nothing_take_nothing() -> None:
    assert beside(others=0.2e6, queue=0.002).rate > 10e6


def test_beside_others_nobody_rushes_in() -> None:
    control = RateControl(0.0)
    control.others = control.rate
    control.on_sent(0.02, int(control.rate * 0.026))
    control.feedback(0.02, b"one", Delay(0, 0, 19_000))
    before = control.rate
    control.run(0.026)
    assert before < control.rate < 1.3 * before


def test_the_newest_datagram_ends_a_start_before_the_least_delay_tells() -> None:
    control = RateControl(0.0)
    control.feedback(0.01, b"one", Delay(0, 0, 9_000))
    control.on_sent(0.02, int(control.rate * 0.026))
    control.feedback(0.02, b"one", Delay(0, 6_000, 19_000))
    before = control.rate
    control.run(0.026)
    assert control.rate < before
    assert not control.starting


def test_a_rate_that_the_sender_cannot_keep_up_with_does_not_run_away() -> None:
    control, most = RateControl(0.0, start=50e6), 60e6
    control.starting = False
    for step in range(1, 200):
        now = step * 0.025
        control.on_sent(now, int(min(control.rate, most) * 0.025))
        control.feedback(now, "one", Delay(0, 0, int(now * 1e6)))
        control.run(now)
    assert most <= control.rate <= 1.65 * most, "it grows to where less than 0.8 of it is sent, by 1.3 at most"


def test_flow_of_this_machine_that_is_starved_beside_helpers_gets_room() -> None:
    for shared, rate in ((True, 0.8 - 0.02), (False, 1.0)):
        control = RateControl(0.0, cap=12_500_000.0)
        control.shared, control.full, control.others = shared, 12_500_000.0, 0.02 * 12_500_000.0
        assert control._beside_others(12_500_000.0, is_full=False) == pytest.approx(rate * 12_500_000.0, rel=0.01)


def test_a_path_that_is_ignored_does_not_hold_the_rate_down_and_counts_again_when_it_was_forgotten() -> None:
    def after(rate: RateControl, begin: float, rounds: int) -> float:
        for number in range(1, rounds + 1):
            now = begin + 0.025 * number
            rate.on_sent(now, int(rate.rate * 0.025))
            for key, delay in ((b"fast", 1000), (b"slow", 1000 if number < 3 else 41_000)):
                rate.feedback(now, key, Delay(delay, delay, int(1e6 * now) - delay))
            rate.run(now)
        return rate.rate

    held, free = RateControl(0.0), RateControl(0.0)
    free.ignored.add(b"slow")
    assert after(free, 0.0, 20) > 3 * after(held, 0.0, 20)
    free.forget(b"slow")
    assert not free.ignored
