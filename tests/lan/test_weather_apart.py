"""
What gateways and links really do, told apart by real nodes: ten houses each, with other rates, queues and nodes.
"""

from __future__ import annotations

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.weather.limits import BLOAT

from .household import Bulk, prepare, weather
from .node import wait_all_local
from .testbed import ROOT, Lan
from .uplink import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .node import Node
    from .testbed import Machine

HOUSES = 10
AT_ONCE = 4
ENOUGH = 9
SETTLE, WATCH = 6.0, 10.0
LOOK_EACH = 0.25
LATELY, FEWEST_LONG = 2.5, 2
"""Seconds for which a queue that was there is spoken of, and looks at which it must have been."""
AIR = str(ROOT / "tests" / "lan" / "air.py")


@dataclass
class House:
    """
    One of them: what it is like, and what its nodes said while they were watched.
    """

    lan: Lan
    random: Random
    stack: ExitStack
    home: Home = field(init=False)
    up: float = 0.0
    nodes: list[Node] = field(default_factory=list)
    states: list[set[str]] = field(default_factory=list)
    own: list[list[str]] = field(default_factory=list)
    final: list[str] = field(default_factory=list)
    queues: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    """When a node called the gateway congested though its queue had been short for a while."""

    def build(self, count: int, up: float, queue: float) -> None:
        self.home, self.up = Home(self.lan, count, up=up, queue=queue), up
        prepare(self.home)

    def begin(self, *settings: dict[str, object]) -> None:
        """
        Start the nodes, and let them see the way empty.
        """
        self.nodes = [machine.node(weather=True, wait=False, **more)
                      for machine, more in zip(self.home.machines, settings, strict=True)]
        for node in self.nodes:
            node.ready()
        wait_all_local(self.nodes, 60)
        for node in self.nodes:
            node.wait_for(lambda node=node: weather(node)["gateway"]["state"] == "clear", 60)
        time.sleep(5)

    def upload(self, numbers: list[int], folder: Path) -> None:
        for number in numbers:
            Bulk(self.stack, self.home, self.nodes[number], self.home.machines[number], folder / str(number), size=40)

    def watch(self) -> None:
        settled = time.monotonic() + SETTLE
        while (now := time.monotonic()) < settled:
            self.queues.append((now, self.queue()))
            time.sleep(LOOK_EACH)
        self.states, self.own = [set() for _ in self.nodes], [[] for _ in self.nodes]
        until = time.monotonic() + WATCH
        while time.monotonic() < until:
            now = time.monotonic()
            self.queues.append((now, self.queue()))
            long = [queue for when, queue in self.queues if now - when <= LATELY and queue >= BLOAT]
            for number, node in enumerate(self.nodes):
                seen = weather(node)
                if seen["gateway"]["state"] == "congested" and len(long) < FEWEST_LONG:
                    self.wrong.append(now - until)
                self.states[number].add(seen["gateway"]["state"])
                self.own[number].append(seen["own_link"]["state"])
            time.sleep(LOOK_EACH)
        self.final = [weather(node)["gateway"]["state"] for node in self.nodes]

    def queue(self) -> float:
        """
        Get what really waits at the gateway, seconds.
        """
        text = self.home.gateway.run(["tc", "-s", "qdisc", "show", "dev", "out"])
        found = re.search(r"backlog (\d+)(K?)b", text)
        assert found is not None
        return int(found[1]) * (1024 if found[2] else 1) / (self.up * 125_000)

    def mostly(self, number: int, state: str) -> bool:
        """
        Tell whether a node called its own link that in most looks.
        """
        return self.own[number].count(state) > len(self.own[number]) / 2

    def __str__(self) -> str:
        own = [{each: said.count(each) for each in sorted(set(said))} for said in self.own]
        longest = 1000 * max((queue for _, queue in self.queues), default=0.0)
        return (f"{[sorted(each) for each in self.states]} at last {self.final}, own links {own}, "
                f"queues up to {longest:.0f} ms, wrong {self.wrong}")


def into_the_air(machine: Machine, random: Random) -> None:
    """
    Put bad Wi-Fi between a machine and its bridge.
    """
    port, bridge = machine.interfaces["eth0"].port, machine.interfaces["eth0"].bridge.name
    machine.lan.switch.ip(f"link add {port}a type veth peer name {port}b", f"link set {port} nomaster",
              f"link set {port}b master {bridge} up", f"link set {port}a up")
    process = machine.lan.air([sys.executable, AIR, port, f"{port}a", str(random.randrange(1 << 30))])
    assert process.line() == "ready"


def behind_an_adapter(machine: Machine, mbit: float, queue: float) -> None:
    """
    Put a slow box between a machine and its bridge, as adapters for power lines are: the queue is in that, where the
    machine's kernel knows nothing of it.
    """
    port, bridge = machine.interfaces["eth0"].port, machine.interfaces["eth0"].bridge.name
    machine.lan.switch.ip(
        f"link add {port}x type bridge mcast_snooping 0 forward_delay 0", f"link set {port}x up",
        f"link add {port}a type veth peer name {port}b", f"link set {port} master {port}x",
        f"link set {port}a master {port}x up", f"link set {port}b master {bridge} up")
    machine.lan.switch.run(["tc", "qdisc", "add", "dev", f"{port}a", "root", "tbf", "rate", f"{int(mbit * 1e6)}bit",
                            "burst", "5k", "limit", str(int(mbit * 1e6 / 8 * queue))])


def congested(house: House, folder: Path) -> bool:
    """
    Two or three send all they can, and yield to nobody; one looks on. Some have Wi-Fi. All must call it congested.
    """
    count = house.random.randint(2, 3)
    house.build(count + 1, house.random.uniform(2, 12), house.random.uniform(0.3, 1.2))
    for machine in house.home.machines[:count]:
        if house.random.random() < 0.3:
            into_the_air(machine, house.random)
    house.begin(*[{"step_aside": False}] * (count + 1))
    house.upload([*range(count)], folder)
    house.watch()
    return all("congested" in each for each in house.states) and house.final.count("congested") >= count


def slow_link(house: House, folder: Path) -> bool:
    """
    One fills its own link, the others send a little: it must know that, and nobody may call the gateway congested.
    """
    count = house.random.randint(2, 3)
    house.build(count, 20, 1.0)
    behind_an_adapter(house.home.machines[0], house.random.uniform(1, 4), house.random.uniform(0.3, 1.5))
    house.begin({}, *[{"upload_rate": house.random.randrange(20_000, 120_000)} for _ in range(count - 1)])
    house.upload([*range(count)], folder)
    house.watch()
    return house.mostly(0, "slow") and not any("congested" in each for each in house.states) \
        and not any(house.mostly(number, "slow") for number in range(1, count))


def air(house: House, folder: Path) -> bool:
    """
    All have bad Wi-Fi, and the gateway has room: most must know that it is the air, and nobody may call the gateway
    congested.
    """
    count = house.random.randint(2, 3)
    house.build(count, 20, 1.0)
    for machine in house.home.machines:
        into_the_air(machine, house.random)
    house.begin(*[{"upload_rate": house.random.randrange(60_000, 350_000)} for _ in range(count)])
    house.upload([*range(count)], folder)
    house.watch()
    return not any("congested" in each for each in house.states) \
        and sum(house.mostly(number, "unsteady") for number in range(count)) >= count / 2


def idle(house: House, folder: Path) -> bool:
    """
    Nobody does anything.
    """
    assert folder
    house.build(2, house.random.uniform(1, 20), house.random.uniform(0.3, 1.2))
    house.begin({}, {})
    house.watch()
    return all(each == {"clear"} for each in house.states)


def busy(house: House, folder: Path) -> bool:
    """
    The gateway is used up to 70 to 90 %, in the bursts of clients, which also make real queues now and then.
    """
    mbit = house.random.uniform(2, 12)
    house.build(3, mbit, house.random.uniform(0.3, 1.2))
    each = int(house.random.uniform(0.7, 0.9) * mbit * 125_000 / 1.06 / 2)
    house.begin({"upload_rate": each}, {"upload_rate": each}, {})
    house.upload([0, 1], folder)
    house.watch()
    return not house.wrong


def ten(scene: Callable[[House, Path], bool], folder: Path) -> list[bool]:
    """
    Make ten such houses, some at once, and get which were told right.
    """
    def one(number: int) -> bool:
        mine = folder / str(number)
        mine.mkdir()
        with ExitStack() as stack:
            lan = Lan(mine)
            stack.callback(lan.close)
            house = House(lan, Random(number), stack)
            right = scene(house, mine)
        print(f"{scene.__name__} {number}: {'right' if right else 'WRONG'} {house}")
        return right

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(HOUSES)))


@pytest.mark.soak
@pytest.mark.usefixtures("lan")  # skips it where there are no namespaces
@pytest.mark.parametrize("scene, enough", [(congested, ENOUGH), (slow_link, ENOUGH), (air, ENOUGH), (idle, HOUSES),
                                           (busy, HOUSES)])
def test_it_is_told_apart(tmp_path: Path, scene: Callable[[House, Path], bool], enough: int) -> None:
    assert sum(ten(scene, tmp_path)) >= enough
