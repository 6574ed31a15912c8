"""Whom to probe when, against routers as they are: silent, limited, or another one since a minute ago."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tribler_multicast.weather.limits import PROBE_LIMITED, PROBE_MOST, PROBE_TIMEOUT
from tribler_multicast.weather.prober import Probe, Prober
from tribler_multicast.weather.sensor import Sensor

GATEWAY, HOP = "192.168.1.1", "100.64.0.2"


class Network:
    """
    A gateway and routers behind it, who answer as routers do.
    """

    def __init__(self, *, echo: bool = True, answers_echo: tuple[str, ...] = (GATEWAY, HOP)) -> None:
        self.sensor = Sensor()
        self.prober = Prober(self.sensor, Random(1), echo=echo)
        self.routers = {1: GATEWAY, 2: HOP}
        self.answers_echo = answers_echo
        self.delay = 0.0
        self.sent: list[tuple[float, Probe]] = []
        self.now = 0.0

    def run(self, seconds: float, *, loaded: int = 1, has_load: bool = True) -> None:
        end = self.now + seconds
        while self.now < end:
            for probe in self.prober.due(self.now, loaded=loaded, has_load=has_load):
                self.sent.append((self.now, probe))
                self.answer(probe)
            self.now += 0.05

    def answer(self, probe: Probe) -> None:
        if probe.ttl is None:
            who = probe.address if probe.address in self.answers_echo else None
        else:
            who = self.routers.get(probe.ttl)
        if who is not None:
            took = 0.001 if who == GATEWAY else 0.01 + self.delay
            self.prober.answered(self.now + took, probe.number, who)

    def rate(self, since: float) -> Counter[tuple[int | None, str | None]]:
        return Counter((probe.ttl, probe.address) for when, probe in self.sent if when >= since)


def test_routers_are_found_by_hops_and_then_asked_by_echo_five_times_a_second() -> None:
    network = Network()
    network.run(20)
    rate = network.rate(10.0)
    assert rate[None, GATEWAY] == pytest.approx(50, rel=0.2)
    assert rate[None, HOP] == pytest.approx(50, rel=0.2)
    assert rate[1, None] == rate[2, None] == 0
    assert network.sensor.felt(network.now).delay == pytest.approx(0.0)


def test_queue_is_felt_through_it() -> None:
    network = Network()
    network.run(5)
    network.delay = 0.2
    network.run(3)
    assert network.sensor.felt(network.now).delay == pytest.approx(0.2)
    assert network.sensor.felt(network.now).is_bloated


def test_without_echo_routers_are_asked_as_often_as_they_answer() -> None:
    network = Network(echo=False)
    network.run(60, loaded=3)
    rate = network.rate(0.0)
    assert rate[1, None] == pytest.approx(60 / PROBE_LIMITED, rel=0.1)
    assert rate[2, None] == pytest.approx(60 / PROBE_LIMITED / 3, rel=0.15)
    assert network.sensor.targets[2].path.loss is None


def test_router_that_does_not_answer_echo_is_asked_by_hops_again() -> None:
    network = Network(answers_echo=(GATEWAY,))
    network.run(40)
    rate = network.rate(20.0)
    assert rate[None, HOP] == 0
    assert rate[2, None] > 10
    assert rate[None, GATEWAY] > 80
    assert network.sensor.felt(network.now).delay is not None


def test_silent_hops_are_asked_seldom() -> None:
    network = Network()
    network.run(120)
    rate = network.rate(60.0)
    assert rate[3, None] <= 3
    assert rate[4, None] <= 3


def test_without_load_a_probe_each_twenty_seconds_keeps_the_way_known() -> None:
    network = Network()
    network.run(300, has_load=False)
    assert len([when for when, _ in network.sent if when > 100]) / 200 < 0.25
    assert network.sensor.gateway.path.base.value == pytest.approx(0.001)
    network.run(1.0)
    assert network.sensor.felt(network.now).delay is not None


def test_number_of_probes_is_bounded_whatever_is_asked_for() -> None:
    prober = Prober(Sensor(), Random(1), echo=True)
    for target in prober.targets.values():
        target.by_echo, target.address = True, GATEWAY
    sent = 0
    for step in range(10_000):
        for target in prober.targets.values():
            target.next_at = 0.0
        sent += len(prober.due(step * 0.001))
    assert sent <= 10 * PROBE_MOST + PROBE_MOST


def test_answer_nobody_asked_for_is_dropped() -> None:
    network = Network()
    [probe, *_] = network.prober.due(0.0)
    assert not network.prober.answered(0.1, probe.number + 5000, GATEWAY)
    assert network.prober.answered(0.1, probe.number, GATEWAY)
    assert not network.prober.answered(0.1, probe.number, GATEWAY)


def test_late_answer_is_none() -> None:
    network = Network()
    [probe, *_] = network.prober.due(0.0)
    assert not network.prober.answered(PROBE_TIMEOUT + 0.1, probe.number, GATEWAY)


def test_echo_reply_of_somebody_else_is_dropped() -> None:
    network = Network()
    network.run(1.0)
    probe = next(each for each in network.prober.due(network.now + 1) if each.address == HOP)
    assert not network.prober.answered(network.now + 1.01, probe.number, "203.0.113.9")


def test_another_router_behind_the_gateway_is_another_way() -> None:
    network = Network(echo=False)
    network.run(10)
    network.routers[2] = "100.64.0.77"
    network.delay = 0.03
    network.run(10)
    assert network.sensor.felt(network.now).delay == pytest.approx(0.0)


def test_another_gateway_is_another_network() -> None:
    network = Network(echo=False)
    network.run(10)
    network.routers = {1: "10.0.0.1"}
    network.run(10)
    assert not network.sensor.targets
    assert network.sensor.felt(network.now).delay is None


def test_reset_forgets_what_is_under_way() -> None:
    network = Network()
    [probe, *_] = network.prober.due(0.0)
    network.prober.reset()
    assert not network.prober.answered(0.1, probe.number, GATEWAY)


def test_timer_is_never_in_the_past() -> None:
    network = Network()
    network.run(3)
    assert network.prober.next_timer(network.now) > network.now


def test_second_router_of_a_house_is_not_the_uplink() -> None:
    network = Network(answers_echo=())
    network.routers = {1: GATEWAY, 2: "10.0.0.1", 3: "203.0.113.1"}
    network.run(20)
    assert not network.sensor.targets[2].near
    assert network.sensor.targets[3].near


def test_limited_routers_that_are_asked_in_turn_tell_of_a_queue_within_seconds() -> None:
    network = Network(echo=False)
    network.routers = {1: GATEWAY, 2: HOP, 3: "100.64.1.2", 4: "100.64.2.2"}
    network.run(10, loaded=4)
    network.delay = 0.2
    network.run(2.5, loaded=4)
    felt = network.sensor.felt(network.now).delay
    assert felt == pytest.approx(0.2)
