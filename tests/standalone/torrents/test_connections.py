"""
The number of connections follows what the link and the router bear, on simulated ones.
"""
from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from tribler_multicast.standalone.torrents import connections as rule
from tribler_multicast.standalone.torrents.connections import FEWEST, WINDOW, Connections, Sample


@dataclass
class House:
    """
    A link behind a router with a table of so many entries, and peers of which many are off. An entry stays for a while
    after its connection has ended; when the table is full nothing new gets through, or (`evicts`) the entries that are
    oldest are thrown out, whoever's they are.
    """

    table: int
    link: float = 10e6
    per_peer: float = 50_000.0
    off: float = 0.5
    evicts: bool = False
    linger: float = 120.0
    others: int = 0
    luck: random.Random = field(default_factory=lambda: random.Random(1))
    now: float = 0.0
    open: list[int] = field(default_factory=list)
    lingering: list[float] = field(default_factory=list)
    full: float = 0.0
    serial: int = 0

    def window(self, limit: int) -> Sample:
        """
        Ten seconds with so many connections at most: five tries a second to connect, while there is room.
        """
        tries = failed = lost = 0
        while len(self.open) > limit:
            self.open.pop()
            self.lingering.append(self.now + self.linger)
        was_full = False
        for _ in range(int(WINDOW) * 5):
            self.now += 0.2
            self.lingering = [until for until in self.lingering if until > self.now]
            if self.open and self.luck.random() < 0.02:  # a peer leaves
                self.open.pop(self.luck.randrange(len(self.open)))
                self.lingering.append(self.now + self.linger)
            if len(self.open) >= limit:
                continue
            tries += 1
            if self.others + len(self.open) + len(self.lingering) >= self.table:
                was_full = True
                if not self.evicts:
                    failed += 1
                    continue
                if self.lingering:
                    self.lingering.pop(0)
                elif self.open:
                    self.open.pop(0)
                    lost += 1
            if self.luck.random() < self.off:
                failed += 1
                self.lingering.append(self.now + self.linger / 4)
            else:
                self.serial += 1
                self.open.append(self.serial)
        self.full += WINDOW * was_full
        rate = min(self.link, len(self.open) * self.per_peer) * self.luck.uniform(0.98, 1.02)
        return Sample(len(self.open), tries, failed, lost, rate, 0.05)

    def live(self, rule: Connections, seconds: float) -> list[int]:
        """
        Live with the rule for a time; get the limits it set.
        """
        end, limits = self.now + seconds, []
        while self.now < end:
            limits.append(rule.update(self.now, self.window(rule.limit)))
        return limits


def test_it_grows_while_that_brings_more_and_stops_where_the_link_is_full() -> None:
    house = House(table=100_000, link=4e6)  # 80 peers fill it
    control = Connections(2000, 0.0)
    limits = house.live(control, 1800)
    assert limits[0] <= rule.START * rule.UP
    assert 80 <= sorted(limits[60:])[len(limits[60:]) // 2] <= 125
    assert max(limits) <= 160
    assert len(house.open) * house.per_peer >= 0.95 * house.link


@pytest.mark.parametrize("evicts", [False, True], ids=["drops what is new", "throws out what is old"])
@pytest.mark.parametrize("table", [150, 400])
def test_a_small_table_is_not_kept_full(table: int, evicts: bool) -> None:
    house = House(table=table, link=1e9, evicts=evicts)
    control = Connections(2000, 0.0)
    limits = house.live(control, 3600)
    # Entries that are thrown out are seen when they are of living connections of ours, of others' never.
    assert house.full < (0.6 if evicts else 0.15) * house.now, "most of the time the others in the house get through"
    assert max(limits) < 1.4 * table
    assert sorted(limits)[len(limits) // 2] >= table // 4, "and not for nothing"
    unruled = House(table=table, link=1e9, evicts=evicts)
    while unruled.now < 3600:
        unruled.window(2000)
    assert unruled.full > 0.9 * unruled.now


def test_many_peers_that_are_off_are_no_trouble() -> None:
    house = House(table=100_000, link=3e6, off=0.85)
    limits = house.live(Connections(500, 0.0), 1200)
    assert limits == sorted(limits) or min(limits[20:]) >= 50
    assert min(limits) >= rule.START


def test_a_better_router_is_noticed() -> None:
    house = House(table=120, link=1e9)
    control = Connections(1000, 0.0)
    house.live(control, 1800)
    assert control.limit < 120
    house.table = 100_000
    house.live(control, 3600)
    assert control.limit > 300


def test_when_others_in_the_house_fill_the_table_it_makes_room() -> None:
    house = House(table=500, link=1e9)
    control = Connections(400, 0.0)
    house.live(control, 1200)
    before = control.limit
    house.others = 420
    house.full = 0.0
    house.live(control, 1800)
    assert control.limit < before / 2


def test_connecting_that_takes_ever_longer_and_falling_rates_lower_it() -> None:
    control = Connections(400, 0.0)
    for window in range(20):
        control.update(window * 10.0, Sample(control.limit, 20, 5, 0, 10_000.0 * control.limit, 0.03))
    high = control.limit
    assert high > 150
    control.update(200.0, Sample(high, 20, 5, 0, 900_000.0, 0.5))
    assert control.limit <= high
    control.update(210.0, Sample(high, 20, 5, 0, 900_000.0, 0.6))
    assert control.limit == int(rule.DOWN * high)
    for window in range(5):
        control.update(220.0 + window * 10, Sample(control.limit, 20, 5, 0, 10_000.0 * control.limit, 0.03))
    assert control.limit <= int(rule.DOWN * high) + 1, "it rests"


def test_it_keeps_between_its_bounds() -> None:
    control = Connections(1000, 0.0)
    for window in range(200):
        control.update(window * 100.0, Sample(control.limit // 2, lost=control.limit // 2))
    assert control.limit == FEWEST
    few = Connections(2, 0.0)
    for window in range(50):
        few.update(window * 100.0, Sample(2, rate=1e6 * window, lost=2 * (window % 2)))
        assert few.limit == 2
    control = Connections(1000, 0.0)
    control.change_most(30)
    assert control.limit == 30


def test_without_need_nothing_changes() -> None:
    control = Connections(200, 0.0)
    assert {control.update(window * 10.0, Sample(3, rate=1e6)) for window in range(100)} == {rule.START}
    assert {control.update(window * 10.0, Sample(0)) for window in range(100, 200)} == {rule.START}
