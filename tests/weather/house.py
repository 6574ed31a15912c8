"""
A house on a virtual clock: nodes with the real classes, TCP-like traffic, and one uplink with a deep queue in front of
it.

All traffic goes one way, up or down, with acknowledgements the other way. It is a fluid: each flow has a window and so
a rate, which grows until the queue overflows, as TCP's does. What a node knows of its own rate is half a second old; a
new limit counts within a tenth of a second up, and within one down, where others still send what was asked for. Jitter,
what probes see and which summaries get lost is random, by seed.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.weather.summary import Both
from tribler_multicast.weather.weather import Doing, Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MBIT = 1e6 / 8
STEP = 0.02
MSS = 1460.0
UP, DOWN = 0, 1
LAGS = (0.1, 0.7)
"""Seconds within which a client follows a new limit, up and down."""
METER = 0.5
"""Seconds between two looks of a client at what it moved."""
ACKNOWLEDGED = 0.03
"""What goes the other way."""
GATEWAY = "02:00:00:00:01:fe"
RUN_EACH = 0.1
PROBE_EACH = 0.2
INFINITE = float("inf")


class Link:
    """
    A link with a queue of so many seconds.
    """

    def __init__(self, rate: float, depth: float = 1.0) -> None:
        self.rate = rate
        self.depth = depth
        self.queue = 0.0

    @property
    def delay(self) -> float:
        return self.queue / self.rate

    def pass_on(self, arriving: float, seconds: float) -> tuple[float, bool]:
        """
        Let traffic arrive, bytes/s; get the share of it that got in, and whether the queue overflowed.
        """
        self.queue += (arriving - self.rate) * seconds
        room = self.depth * self.rate
        overflow = max(0.0, self.queue - room)
        self.queue = min(max(0.0, self.queue), room)
        came = arriving * seconds
        return (1 - overflow / came if came else 1.0), overflow > 0


class Machine:
    """
    A machine with a node: what it wants to send, what it may, and what it does.
    """

    def __init__(self, house: House, number: int, now: float) -> None:
        self.house = house
        self.mid = number.to_bytes(20, "big")
        self.host: Hashable = f"02:00:00:00:01:{number:02x}"
        self.bulk_demand = 0.0
        self.high_demand = 0.0
        self.kind = "idle"
        self.says = True
        """Its summaries go out."""
        self.listens = False
        """It only listens: it says nothing, and can verify nobody whom it hears."""
        self.follows = True
        """It has the plugin: it does what its weather says."""
        self.window = 10 * MSS
        self.bulk = 0.0
        self.passed = 0.0
        """What of the bulk got into the queue."""
        self.high = 0.0
        self.limit: float | None = None
        self.own = Link(100 * MBIT)
        """Its own link to the gateway."""
        self.jitter: Callable[[Random], float] = lambda random: random.uniform(0, 0.001)
        self.weather = Weather(now, house.random.randbytes)
        self.weather.set_gateway(GATEWAY)
        self._metered = 0.0
        self._meter: tuple[float, float, float] | None = None
        """When it was looked at, what had passed by then, and the rate that was found."""
        self.history: list[tuple[float, float, float | None, str]] = []
        """Time, bulk rate, limit, state."""
        self.published = 0

    @property
    def allowed(self) -> float | None:
        return self.weather.limits.in_force[self.house.way]

    def metered(self) -> float:
        """
        Get its bulk rate as its client knows it.
        """
        now = self.house.now
        if self._meter is None:
            self._meter = now, self._metered, 0.0
        elif now - self._meter[0] >= METER:
            self._meter = now, self._metered, (self._metered - self._meter[1]) / (now - self._meter[0])
        return self._meter[2]

    def rates(self) -> Doing:
        bulk = self.metered()
        kind = self.kind if self.kind != "idle" or bulk < 20_000 else "bulk"
        every, bulks = (bulk + self.high_demand, bulk)
        back = ACKNOWLEDGED * every, 0.0
        pairs = [(there, other) for there, other in zip((every, bulks), back, strict=True)]
        return Doing(kind, *(Both(*(pair if self.house.way == UP else pair[::-1])) for pair in pairs))

    def send(self, seconds: float) -> float:
        """
        Get the rate of what it sends now.
        """
        if self.limit is None or self.limit > (wanted := self.allowed or INFINITE) or self.limit < wanted:
            wanted = self.allowed
            if wanted is None or self.limit is None:
                self.limit = wanted if self.follows else None
            elif self.follows:
                self.limit += (wanted - self.limit) * min(1.0, seconds / LAGS[self.house.way])
        rtt = 0.03 + self.house.uplink.delay
        allowed = min(self.bulk_demand, INFINITE if self.limit is None else self.limit)
        self.bulk = min(allowed, self.window / rtt)
        if self.bulk < allowed:
            self.window += 4 * MSS * seconds / rtt
        self.high = self.high_demand
        return self.bulk + self.high

    def count(self, seconds: float) -> None:
        self._metered += self.passed * seconds

    def lose(self) -> None:
        """
        Its queue overflowed: TCP's answer.
        """
        if self.house.random.random() < 0.3:
            self.window = max(4 * MSS, 0.7 * self.window)


class House:
    """
    Machines behind one uplink.
    """

    def __init__(self, seed: int = 1, *, uplink: float = 5 * MBIT, depth: float = 1.0, loss: float = 0.02,
                 way: int = UP) -> None:
        self.way = way
        self.random = Random(seed)
        self.now = 0.0
        self.uplink = Link(uplink, depth)
        self.loss = loss
        self.machines: list[Machine] = []
        self.numbers = itertools.count(1)
        self.cross = 0.0
        """Traffic of machines without a node, bytes/s."""
        self.delays: list[tuple[float, float]] = []
        self.got_in = 1.0
        self.lost_high = 0.0
        self.tick: Callable[[House], None] = lambda house: None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.datagrams = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, do))

    def machine(self, *, bulk: float = 0.0, high: float = 0.0, kind: str = "idle") -> Machine:
        machine = Machine(self, next(self.numbers), self.now)
        machine.bulk_demand, machine.high_demand, machine.kind = bulk, high, kind
        self.machines.append(machine)
        self.at(self.now + self.random.uniform(0, RUN_EACH), lambda: self._run_node(machine))
        self.at(self.now + self.random.uniform(0, PROBE_EACH), lambda: self._probe(machine))
        return machine

    def remove(self, machine: Machine) -> None:
        """
        It vanishes without a word.
        """
        self.machines.remove(machine)

    def _run_node(self, machine: Machine) -> None:
        if machine not in self.machines:
            return
        machine.weather.doing(self.now, machine.rates())
        self.run_weather(machine)
        machine.history.append((self.now, machine.passed, machine.allowed, machine.weather.state))
        self.at(self.now + RUN_EACH, lambda: self._run_node(machine))

    def run_weather(self, machine: Machine) -> None:
        output = machine.weather.run(self.now)
        if output.summary is not None and machine.says and not machine.listens:
            machine.published += 1
            self.say(machine.mid, machine.host, output.summary)

    def say(self, mid: bytes, host: Hashable, summary: bytes) -> None:
        """
        Let a summary go to all by multicast.
        """
        self.datagrams += 1
        for other in self.machines:
            if other.mid != mid and self.random.random() >= self.loss:
                self.at(self.now + self.random.uniform(0.001, 0.01),
                        functools.partial(self._hear, other, mid, host, summary))

    def _hear(self, other: Machine, mid: bytes, host: Hashable, summary: bytes) -> None:
        if other in self.machines and other.weather.heard(self.now, mid, host, summary, verified=not other.listens) \
                and other.weather.is_urgent:
            self.run_weather(other)

    def _probe(self, machine: Machine) -> None:
        if machine not in self.machines:
            return
        sensor, idle = machine.weather.sensor, not machine.weather.has_load
        draw, own = self.random, machine.own.delay
        sensor.gateway_answer(self.now, 0.001 + own + machine.jitter(draw), idle=idle)
        sensor.wan_answer(self.now, "hop", 0.010 + own + self.uplink.delay + machine.jitter(draw), near=True, idle=idle)
        self.at(self.now + PROBE_EACH * self.random.uniform(0.9, 1.1), lambda: self._probe(machine))

    def run(self, seconds: float) -> None:
        """
        Let so many seconds pass.
        """
        end = self.now + seconds
        while self.now < end:
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            self.tick(self)
            arriving = self.cross + sum(machine.send(STEP) for machine in self.machines)
            self.got_in, overflowed = self.uplink.pass_on(arriving, STEP)
            for machine in self.machines:
                machine.passed = machine.bulk * self.got_in
                machine.count(STEP)
            if overflowed:
                for machine in self.machines:
                    machine.lose()
            self.lost_high += (1 - self.got_in) * STEP * sum(machine.high for machine in self.machines)
            self.delays.append((self.now, self.uplink.delay))
            self.now += STEP

    # What it was like

    def delay_percentile(self, percent: float, since: float, until: float = INFINITE) -> float:
        values = sorted(delay for when, delay in self.delays if since <= when < until)
        return values[int(percent * (len(values) - 1))]

    def bulk_rate(self, since: float, until: float = INFINITE) -> float:
        """
        Get the mean of all bulk traffic that passed, bytes/s.
        """
        return sum(mean_rate(machine, since, until) for machine in self.machines)


def mean_rate(machine: Machine, since: float, until: float = INFINITE) -> float:
    """
    Get the mean bulk rate of a machine.
    """
    rates = [rate for when, rate, _, _ in machine.history if since <= when < until]
    return sum(rates) / len(rates) if rates else 0.0
