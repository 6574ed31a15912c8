"""
Whom to probe when: the gateway, and the routers right behind it. What is to be sent comes out, what came back goes in.

A probe is an ICMP echo request to an address (`ttl` None), or a datagram to somewhere on the internet that is made to
end on the way (`ttl`): the router where it does says so. The latter works without any privilege and finds the routers;
but most routers say so once a second only, and those beyond the gateway once a second to the whole house. So when echo
requests can be made, whoever was found is asked by them, and if he does not answer those, by `ttl` again.
"""
from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import PROBE_EACH, PROBE_IDLE, PROBE_LIMITED, PROBE_MOST, PROBE_TIMEOUT

if TYPE_CHECKING:
    from random import Random

    from .sensor import Sensor

GATEWAY_TTL: Final = 1
NEAR_TTLS: Final = (2, 3, 4)
"""Routers right behind the gateway. In a house with two routers, one behind the other, the first of them has no queue
but the others do."""
GIVE_UP: Final = 4
"""Probes without an answer after which a target is asked another way, or seldom."""
FEWEST_ANSWERS: Final = 5
"""Answers of each target that are wanted soon, so that the empty way is known."""
SELDOM: Final = 30.0
PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
NUMBERS: Final = 1 << 16


def is_private(address: str) -> bool:
    """
    Tell whether an address is one of RFC 1918: used within houses, and here and there by providers too.
    """
    return any(ip_address(address) in network for network in PRIVATE)


class Probe(NamedTuple):
    """
    What is to be sent: with this number in it, an echo request to `address` when `ttl` is None, else a datagram that
    ends after so many hops.
    """

    number: int
    ttl: int | None
    address: str | None


@dataclass(slots=True)
class Asked:
    """
    A target: how it is asked, and when next.
    """

    ttl: int
    address: str | None = None
    by_echo: bool = False
    echo_failed: bool = False
    silent: int = 0
    """Probes since the last answer."""
    answers: int = 0
    next_at: float = 0.0


class Prober:
    """
    Keeps the pace.
    """

    def __init__(self, sensor: Sensor, random: Random, *, echo: bool) -> None:
        """
        :param echo: ICMP echo requests can be made here.
        """
        self.sensor = sensor
        self.random = random
        self.echo = echo
        self.number = random.randrange(NUMBERS)
        self.targets = {ttl: Asked(ttl) for ttl in (GATEWAY_TTL, *NEAR_TTLS)}
        self.waiting: dict[int, tuple[float, int, bool]] = {}
        """By number: when it was sent, the target's hops, by echo."""
        self._tokens, self._filled_at = PROBE_MOST, 0.0

    def reset(self) -> None:
        """
        Begin anew: it is another network. Answers under way do not count.
        """
        self.waiting.clear()
        self.targets = {ttl: Asked(ttl) for ttl in self.targets}

    def due(self, now: float, *, loaded: int = 1, has_load: bool = True) -> list[Probe]:
        """
        Get what is to be sent now.

        :param loaded: nodes with load behind the gateway, this one included.
        """
        self._expire(now)
        self._tokens = min(PROBE_MOST, self._tokens + (now - self._filled_at) * PROBE_MOST)
        self._filled_at = now
        probes = []
        for target in self.targets.values():
            interval = self._interval(target, max(1, loaded), has_load=has_load)
            target.next_at = min(target.next_at, now + interval * 1.1)  # load just began
            if now < target.next_at or self._tokens < 1:
                continue
            self._tokens -= 1
            target.next_at = now + interval * self.random.uniform(0.9, 1.1)
            self.number = (self.number + 1) % NUMBERS
            self.waiting[self.number] = now, target.ttl, target.by_echo
            by_echo = target.by_echo
            probes.append(Probe(self.number, None if by_echo else target.ttl, target.address if by_echo else None))
        return probes

    def _interval(self, target: Asked, loaded: int, *, has_load: bool) -> float:
        if target.silent >= GIVE_UP:
            return SELDOM
        if not has_load:
            return PROBE_IDLE if target.answers >= FEWEST_ANSWERS else PROBE_LIMITED
        if target.by_echo:
            return PROBE_EACH
        return PROBE_LIMITED if target.ttl == GATEWAY_TTL else PROBE_LIMITED * loaded

    def answered(self, now: float, number: int, address: str, *, idle: bool = False) -> bool:
        """
        Take an answer by its number and who sent it; `now` is when it arrived. False: nobody asked.
        """
        sent_at, ttl, by_echo = self.waiting.pop(number, (0.0, 0, False))
        target = self.targets.get(ttl)
        if target is None or not 0 <= now - sent_at <= PROBE_TIMEOUT or (by_echo and address != target.address):
            return False
        target.silent = 0
        target.answers += 1
        if target.address != address:  # another way to the internet, or the first answer
            if target.address is not None:
                self._forget(target)
            target.address, target.echo_failed, target.by_echo = address, False, False
        if self.echo and not target.echo_failed and not target.by_echo:
            target.by_echo, target.next_at = True, now
        if ttl == GATEWAY_TTL:
            self.sensor.gateway_answer(now, now - sent_at, idle=idle)
        else:
            self.sensor.wan_answer(now, ttl, now - sent_at, near=self._is_outside(target), idle=idle,
                                   answers_all=by_echo)
        return True

    def _is_outside(self, target: Asked) -> bool:
        """
        Tell whether a router is beyond the uplink: of two routers in one house the second has a private address, and
        there are others that have not.
        """
        outside = [other for other in self.targets.values()
                   if other.ttl != GATEWAY_TTL and other.address is not None and not is_private(other.address)]
        return not outside or target in outside

    def _forget(self, target: Asked) -> None:
        if target.ttl == GATEWAY_TTL:
            self.sensor.reset()
        else:
            self.sensor.forget(target.ttl)

    def _expire(self, now: float) -> None:
        for number, (sent_at, ttl, by_echo) in list(self.waiting.items()):
            if now - sent_at <= PROBE_TIMEOUT:
                break
            del self.waiting[number]
            target = self.targets[ttl]
            target.silent += 1
            if by_echo:
                self.sensor.no_answer(None if ttl == GATEWAY_TTL else ttl)
                if target.by_echo and target.silent >= GIVE_UP:
                    target.by_echo, target.echo_failed, target.silent = False, True, 0

    def next_timer(self, now: float) -> float:
        """
        Get when `due` wants to be called again.
        """
        return max(now + 1 / PROBE_MOST, min(target.next_at for target in self.targets.values()))
