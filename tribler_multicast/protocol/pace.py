"""How often a node introduces itself, so that the load on the LAN stays the same whatever the number of nodes."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .limits import (
    CHALLENGE_SPREAD,
    CHALLENGE_SPREAD_OF_MANY,
    CROWD_GROWTH,
    MANY_CHALLENGERS,
    MAX_INTERVAL,
    PHI,
)

if TYPE_CHECKING:
    from random import Random


def introduction_interval(addresses: int, shortest: float) -> float:
    """
    Get the longest time (seconds) between two introductions with so many verified addresses around.

    N nodes at N / PHI seconds each send PHI introductions per second together; `shortest` is the setting.
    """
    return min(max((addresses + 1) / PHI, shortest), max(MAX_INTERVAL, shortest))


def next_introduction(interval: float, before: float, random: Random) -> float:
    """
    Get the time (seconds) to the next one: never later than announced, and not in step with others.

    When the interval grew by much since `before`, a crowd started together, and would go on in waves for many turns:
    then any moment from the former interval to the new one will do.
    """
    return random.uniform(before, interval) if interval > CROWD_GROWTH * before else interval * random.uniform(0.8, 1.0)


def challenge_delay(addresses: int, random: Random) -> float:
    """
    Get the time (seconds) to wait before challenging a newcomer whom all others heard at the same moment.
    """
    return random.uniform(0.0, challenge_spread(addresses))


def challenge_spread(addresses: int) -> float:
    """
    Get the longest such time (seconds).
    """
    many = max(0, addresses - MANY_CHALLENGERS)
    return (addresses - many) * CHALLENGE_SPREAD + many * CHALLENGE_SPREAD_OF_MANY
