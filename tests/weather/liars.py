"""
Nodes that lie: as many keys and link-layer addresses as they like, each saying the same again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tribler_multicast.weather.gateway_tag import make_tag
from tribler_multicast.weather.summary import Both, WeatherSummary

from .house import GATEWAY, INFINITE, House, Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

MUCH = Both(5e6, 5e6)
NOTHING = Both(64.0, 64.0)
ABSURD = Both(1e9, 1e9)
SURE = Both(1.0, 1.0)

LIES: dict[str, dict[str, Any]] = {
    "live for ever": {"kind": "live", "rates": MUCH},
    "zero capacity": {"kind": "bulk", "capacity": NOTHING, "confidence": SURE, "level": NOTHING, "hungry": (True, True),
                      "is_known": True},
    "absurd capacity": {"kind": "live", "capacity": ABSURD, "confidence": SURE, "level": ABSURD, "hungry": (True, True),
                        "is_known": True, "rates": ABSURD},
    "a queue that is not there": {"kind": "live", "is_known": True, "is_bloated": True, "queue": 0.5, "mean": 0.5,
                                  "variability": 0.01, "rates": MUCH, "level": NOTHING, "hungry": (True, True),
                                  "capacity": NOTHING, "confidence": SURE},
}
CROWDS = {"one": (1, 1), "1,000 keys": (1, 1000), "200 addresses": (1, 200), "200 machines": (200, 200)}
"""Link-layer neighbours, and keys. Who has many IP addresses on one machine is one link-layer neighbour; that somebody
makes up hardware addresses is more than what was asked for."""


def lie(house: House, what: str, hosts: int, keys: int) -> None:
    """
    Let liars say something for ever, each key about once a second, 400 a second at most.
    """
    each = max(1.0, keys / 400)

    def say(key: int) -> None:
        summary = WeatherSummary(gateway=make_tag(GATEWAY, house.random.randbytes(8)), interval=1.0, **LIES[what])
        house.say(b"liar" + key.to_bytes(16, "big"), f"liar {key % hosts}", summary.pack())
        house.at(house.now + each, lambda: say(key))

    for key in range(keys):
        house.at(house.now + each * key / keys, lambda key=key: say(key))  # type: ignore[misc]


def least_share(machines: Sequence[Machine], uplink: float, since: float) -> float:
    """
    Get the least rate that one of them had over two seconds, as a share of its fair share of the uplink.
    """
    least = INFINITE
    for machine in machines:
        rates = [rate for when, rate, _, _ in machine.history if when >= since]
        least = min(least, *(sum(rates[at:at + 20]) / 20 for at in range(0, len(rates) - 20, 5)))
    return min(1.0, least / (uplink / len(machines)))


def under_liars(what: str, crowd: str, honest: int, seconds: float = 40.0, seed: int = 1) -> tuple[float, float, House]:
    """
    Get the least share of an honest node at any time, the mean of all over the second half, and the house.
    """
    house = House(seed)
    machines = [house.machine(bulk=INFINITE) for _ in range(honest)]
    lie(house, what, *CROWDS[crowd])
    house.run(seconds)
    mean = house.bulk_rate(seconds / 2) / house.uplink.rate
    return least_share(machines, house.uplink.rate, 3.0), mean, house
