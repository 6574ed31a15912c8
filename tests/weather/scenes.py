"""
What gateways and links do: scenes that a node has to tell apart, each with its own dice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .house import INFINITE, MBIT, House, Link

if TYPE_CHECKING:
    from random import Random

SECONDS = 12.0
SETTLE = 4.0


def wifi(random: Random) -> float:
    """
    Get what the air adds to a round trip: mostly a millisecond or two, in one of four frames tens of them, and now and
    then a whole beacon.
    """
    chance = random.random()
    if chance < 0.03:
        return random.uniform(0.05, 0.2)
    return random.expovariate(1 / 0.025) if chance < 0.4 else random.uniform(0.0005, 0.003)


def house(seed: int, *, uplink: float | None = None) -> House:
    made = House(seed)
    made.uplink = Link(uplink or made.random.uniform(1, 20) * MBIT, made.random.uniform(0.3, 1.5))
    return made


def watch(made: House) -> list[set[str]]:
    """
    Run it, and get the states that each machine was in after it settled.
    """
    made.run(SECONDS)
    return [{state for when, _, _, state in machine.history if when > SETTLE} for machine in made.machines]


def congested(seed: int) -> bool:
    """
    Two to five machines send all they can, one does nothing but look; some have Wi-Fi. All that feel it must call it
    congested.
    """
    made = house(seed)
    for _ in range(made.random.randint(2, 5)):
        machine = made.machine(bulk=INFINITE)
        machine.follows = False
        if made.random.random() < 0.3:
            machine.jitter = wifi
    made.machine()
    states = watch(made)
    final = [machine.weather.state for machine in made.machines]
    return final.count("congested") >= len(final) - 1 and all("congested" in each for each in states)


def slow_link(seed: int) -> bool:
    """
    One machine fills its own link, others send a little: it must know that it is its own, and nobody may call the
    gateway congested.
    """
    made = house(seed, uplink=20 * MBIT)
    slow = made.machine(bulk=1 * MBIT)
    for _ in range(made.random.randint(1, 4)):
        made.machine(bulk=made.random.uniform(0.1, 1) * MBIT)
    slow.own = Link(1 * MBIT, 2.0)
    depth, beat, phase = made.random.uniform(0.06, 0.5), made.random.uniform(2, 8), made.random.uniform(0, 6)

    def swing(_: House) -> None:
        slow.own.queue = slow.own.rate * depth * (0.75 + 0.25 * math.sin(phase + made.now * 2 * math.pi / beat))
        if made.now < 1.0:  # the way was seen empty before
            slow.own.queue = 0.0

    made.tick = swing
    states = watch(made)
    felt = slow.weather.sensor.felt(made.now)
    return felt.is_own_slow and not felt.is_bloated and not any("congested" in each for each in states)


def air(seed: int) -> bool:
    """
    All have bad Wi-Fi, and the gateway has room: nobody may call it congested, nor his own link slow for long.
    """
    made = house(seed, uplink=20 * MBIT)
    for _ in range(made.random.randint(2, 5)):
        machine = made.machine(bulk=made.random.uniform(0.5, 3) * MBIT)
        machine.jitter = wifi
    states = watch(made)
    felt = [machine.weather.sensor.felt(made.now) for machine in made.machines]
    return not any("congested" in each for each in states) and not any(each.is_bloated for each in felt) \
        and sum(each.has_jitter for each in felt) >= len(felt) / 2


def idle(seed: int) -> bool:
    """
    Nobody does anything.
    """
    made = house(seed)
    for _ in range(made.random.randint(2, 6)):
        made.machine()
    return not any(each & {"suspected", "congested"} for each in watch(made))


def busy(seed: int) -> bool:
    """
    The gateway is used up to 70 to 95 %, in bursts that make short queues.
    """
    made = house(seed)
    count = made.random.randint(2, 5)
    share = made.random.uniform(0.7, 0.95)
    machines = [made.machine(bulk=1.0) for _ in range(count)]

    def bursts(_: House) -> None:
        on = int(made.now / 0.06) % 2 == 0
        for machine in machines:
            machine.bulk_demand = made.uplink.rate * share / count * (1.25 if on else 0.75)

    made.tick = bursts
    return not any("congested" in each for each in watch(made))


ALL = {"congested": congested, "slow link": slow_link, "air": air, "idle": idle, "busy": busy}
