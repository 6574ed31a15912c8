"""
Whole houses on a virtual clock: streams that begin and end, crowds that come and go, scenes that must be told
apart.
"""

from __future__ import annotations

import pytest

from tribler_multicast.weather.limits import SUMMARY_SHARE

from .house import DOWN, INFINITE, MBIT, UP, House, Machine, mean_rate
from .scenes import ALL

LINKS = {UP: 5 * MBIT, DOWN: 20 * MBIT}


def with_stream(bulk: int = 2, seed: int = 1, *, uplink: float = 5 * MBIT, stream: float = 3 * MBIT,
                before: float = 8.0, way: int = UP) -> tuple[House, Machine]:
    """
    Get a house where some send all they can, and somebody just began a live stream.
    """
    house = House(seed, uplink=uplink, way=way, depth=1.0 if way == UP else 0.5)
    for _ in range(bulk):
        house.machine(bulk=INFINITE)
    viewer = house.machine()
    house.run(before)
    viewer.kind, viewer.high_demand = "live", stream
    return house, viewer


def end(viewer: Machine) -> None:
    viewer.kind, viewer.high_demand = "idle", 0.0


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("seed", range(4))
def test_bulk_steps_aside_for_a_live_stream_within_a_second(seed: int, way: int) -> None:
    house, _ = with_stream(seed=seed, way=way, uplink=LINKS[way])
    start = house.now
    house.run(1.2)
    assert sum(machine.bulk for machine in house.machines) < 1.05 * (LINKS[way] - 3 * MBIT)
    house.run(18.8)
    assert house.delay_percentile(0.95, start + 2) <= 0.06
    assert house.lost_high < 0.02 * 3 * MBIT
    assert house.bulk_rate(start + 5) >= 0.75 * (LINKS[way] - 3 * MBIT)


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("seed", range(4))
def test_bulk_is_back_five_seconds_after_an_announced_end(seed: int, way: int) -> None:
    house, viewer = with_stream(seed=seed, way=way, uplink=LINKS[way])
    house.run(20)
    end(viewer)
    start = house.now
    house.run(8)
    assert house.bulk_rate(start + 4, start + 6) >= 0.95 * LINKS[way]


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("seed", range(4))
def test_bulk_is_back_ten_seconds_after_the_viewer_crashed(seed: int, way: int) -> None:
    house, viewer = with_stream(seed=seed, way=way, uplink=LINKS[way])
    house.run(20)
    house.remove(viewer)
    start = house.now
    house.run(13)
    assert house.bulk_rate(start + 9, start + 12) >= 0.95 * LINKS[way]


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
def test_bulk_that_begins_beside_a_stream_makes_no_queue_where_the_gateway_is_known(way: int) -> None:
    house = House(uplink=LINKS[way], way=way, depth=1.0 if way == UP else 0.5)
    bulk, viewer = [house.machine(bulk=INFINITE) for _ in range(2)], house.machine()
    house.run(10)
    for machine in bulk:
        machine.bulk_demand = 0.0
    house.run(30)
    viewer.kind, viewer.high_demand = "live", 3 * MBIT
    house.run(5)
    assert all(machine.weather.limits.up is machine.weather.limits.down is None for machine in bulk)
    for machine in bulk:
        machine.bulk_demand, machine.window = INFINITE, 2e6  # all at once
    start = house.now
    house.run(15)
    assert house.delay_percentile(1.0, start) <= 0.06
    assert house.bulk_rate(start + 2) >= 0.75 * (LINKS[way] - 3 * MBIT)


def test_nobody_steps_aside_where_there_is_room() -> None:
    house = House(uplink=50 * MBIT)
    machines = [house.machine(bulk=5 * MBIT) for _ in range(3)]
    house.machine(kind="live", high=3 * MBIT)
    house.run(20)
    assert all(limit is None for machine in machines for _, _, limit, _ in machine.history)


def test_bulk_of_the_viewer_steps_aside_too() -> None:
    house = House()
    viewer = house.machine(bulk=INFINITE)
    house.run(5)
    viewer.kind, viewer.high_demand = "live", 3 * MBIT
    house.run(15)
    assert viewer.weather.limits.up is not None
    assert house.delay_percentile(0.95, 9) <= 0.06


def test_machines_without_a_node_get_room_too() -> None:
    """A phone starts a transfer that takes half of the uplink and does not know of us."""
    house, _ = with_stream(uplink=10 * MBIT)
    house.run(15)
    house.cross = 4 * MBIT
    start = house.now
    house.run(25)
    assert house.delay_percentile(0.95, start + 5) <= 0.06
    assert house.bulk_rate(start + 5) >= 0.7 * 3 * MBIT


def test_node_that_comes_into_a_full_queue_yields_too() -> None:
    house = House(3, uplink=10 * MBIT)
    for _ in range(5):
        house.machine(bulk=INFINITE)
    viewer = house.machine(kind="live", high=3 * MBIT)
    house.run(20)
    newcomer = house.machine(bulk=INFINITE)
    newcomer.window = 60_000.0
    start = house.now
    house.run(40)
    assert newcomer.weather.limits.up is not None
    assert house.delay_percentile(0.9, start + 8) <= 0.06
    rates = [mean_rate(machine, start + 32) for machine in house.machines if machine is not viewer]
    assert max(rates) < 1.2 * min(rates)


def fairness(house: House, since: float) -> tuple[float, float]:
    """
    Get the least and greatest mean rate of those who send bulk, over the mean of all.
    """
    rates = [mean_rate(machine, since) for machine in house.machines if machine.bulk_demand]
    mean = sum(rates) / len(rates)
    return min(rates) / mean, max(rates) / mean


def swing(house: House, since: float) -> float:
    """
    Get how far the bulk of all goes from its mean, second by second: the standard deviation over the mean.
    """
    sums = [house.bulk_rate(since + second, since + second + 1) for second in range(int(house.now - since))]
    mean = sum(sums) / len(sums)
    return (sum((each - mean) ** 2 for each in sums) / len(sums)) ** 0.5 / mean


@pytest.mark.parametrize("count", [2, 5, 12])
def test_bulk_is_shared_fairly_and_steadily(count: int) -> None:
    house, _ = with_stream(count, uplink=(3 + count) * MBIT)
    house.run(40)
    since = house.now - 15
    least, most = fairness(house, since)
    assert least >= 0.9
    assert most <= 1.1
    assert swing(house, since) <= 0.1
    assert house.bulk_rate(since) >= 0.9 * count * MBIT


def test_who_wants_little_gets_it_and_the_rest_is_shared() -> None:
    house = House(uplink=8 * MBIT)
    modest = house.machine(bulk=0.2 * MBIT)
    greedy = [house.machine(bulk=INFINITE) for _ in range(2)]
    house.machine(kind="live", high=3 * MBIT)
    house.run(40)
    assert mean_rate(modest, 25) == pytest.approx(0.2 * MBIT, rel=0.1)
    for machine in greedy:
        assert mean_rate(machine, 25) == pytest.approx(2.4 * MBIT, rel=0.12)


def test_thirty_nodes_settle_after_they_came_and_went() -> None:
    house, viewer = with_stream(29, uplink=20 * MBIT, before=4.0)
    for _ in range(5):
        house.run(2.5)
        leaves = house.random.choice([machine for machine in house.machines if machine is not viewer])
        house.remove(leaves)
        house.machine(bulk=INFINITE)
    before = house.datagrams
    house.run(36)
    assert (house.datagrams - before) / 36 <= 2 * SUMMARY_SHARE  # all together
    since = house.now - 12
    least, most = fairness(house, since)
    assert least >= 0.9
    assert most <= 1.1
    assert swing(house, since) <= 0.1
    assert house.bulk_rate(since) >= 0.9 * 17 * MBIT
    assert house.delay_percentile(0.95, since) <= 0.06


def test_capacity_is_found_within_fifteen_percent() -> None:
    for uplink in (1, 5, 40):
        house = House(uplink, uplink=uplink * MBIT)
        for _ in range(3):
            house.machine(bulk=INFINITE).follows = False
        house.run(30)
        for machine in house.machines:
            value, confidence = machine.weather.capacity(0, machine.weather.claims.crowd(house.now))
            assert value == pytest.approx(uplink * MBIT, rel=0.15)
            assert confidence > 0.5


def test_lost_summaries_do_not_matter() -> None:
    house, _ = with_stream(3)
    house.loss = 0.3
    house.run(40)
    assert house.delay_percentile(0.95, 20) <= 0.06
    assert house.bulk_rate(20) >= 0.75 * 2 * MBIT


@pytest.mark.parametrize("name", ALL)
def test_scene_is_told_apart(name: str) -> None:
    right = sum(ALL[name](seed) for seed in range(20))
    assert right >= 19


@pytest.mark.soak
@pytest.mark.parametrize("name", ALL)
def test_scene_is_told_apart_in_95_of_100(name: str) -> None:
    right = sum(ALL[name](1000 + seed) for seed in range(100))
    assert right >= 95
