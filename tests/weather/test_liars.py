"""Whoever is verified can say anything: no honest node falls under its floor for it."""

from __future__ import annotations

import pytest

from tribler_multicast.weather.limits import FLOOR, MAX_KEYS, MAX_OVERHEARD

from .house import INFINITE, MBIT, House
from .liars import CROWDS, LIES, least_share, lie, under_liars


@pytest.mark.parametrize("crowd", ["one", "1,000 keys", "200 addresses"])
@pytest.mark.parametrize("what", LIES)
@pytest.mark.parametrize("honest", [1, 4])
def test_no_honest_node_falls_under_its_floor(what: str, crowd: str, honest: int) -> None:
    seconds = 30.0 if honest == 1 else 20.0
    least, mean, house = under_liars(what, crowd, honest, seconds)
    assert least >= 0.9 * FLOOR * honest / (honest + 1)  # the liar's machine is one that might want its share
    assert mean >= 0.15
    claims = house.machines[0].weather.claims
    assert len(claims.neighbours) <= honest + CROWDS[crowd][0]
    assert len(claims.hosts) <= MAX_KEYS + honest


def test_stream_that_is_said_but_not_there_costs_little() -> None:
    _, mean, _ = under_liars("live for ever", "one", 3)
    assert mean >= 0.8


def test_liars_do_not_keep_honest_nodes_from_yielding() -> None:
    house = House()
    for _ in range(2):
        house.machine(bulk=INFINITE)
    viewer = house.machine()
    lie(house, "absurd capacity", 1, 1000)
    house.run(5)
    viewer.kind, viewer.high_demand = "live", 3 * MBIT
    start = house.now
    house.run(30)
    assert house.delay_percentile(0.9, start + 3) <= 0.06
    assert house.lost_high < 0.05 * 3 * MBIT


def test_crowd_of_machines_that_lie_is_endured() -> None:
    """
    Hardware addresses made up by the hundred are more than anybody can tell from a real crowd: it must not be the
    end.
    """
    for what in LIES:
        _, mean, _ = under_liars(what, "200 machines", 2)
        assert mean > FLOOR / 2


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("what", LIES)
def test_who_only_listens_is_not_starved_by_what_nobody_verified(what: str, crowd: str) -> None:
    house = House()
    listener = house.machine(bulk=INFINITE)
    listener.listens = True
    lie(house, what, *CROWDS[crowd])
    house.run(30.0)
    assert least_share([listener], house.uplink.rate, 3.0) >= FLOOR / (MAX_OVERHEARD + 1)
    assert house.bulk_rate(15.0) >= 0.3 * house.uplink.rate
    assert len(listener.weather.claims.hosts) <= MAX_OVERHEARD


@pytest.mark.parametrize("listeners, used", [(1, 0.75), (2, 0.6)])
def test_who_only_listens_yields_to_a_stream_whose_end_nobody_says(listeners: int, used: float) -> None:
    """Two of them know nothing of each other, and take what the other one uses for a smaller gateway."""
    house = House()
    for _ in range(listeners):
        house.machine(bulk=INFINITE).listens = True
    viewer = house.machine()
    house.run(10)
    viewer.kind, viewer.high_demand = "live", 3 * MBIT
    start = house.now
    house.run(20)
    assert house.delay_percentile(0.9, start + 3) <= 0.06
    assert house.bulk_rate(start + 5) >= used * (house.uplink.rate - 3 * MBIT)
    house.remove(viewer)
    end = house.now
    house.run(12)
    assert house.bulk_rate(end + 9) >= 0.95 * house.uplink.rate
