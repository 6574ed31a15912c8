"""
The weather of one gateway as one node sees it: answers, claims and its own rates go in; limits, summaries to publish and news come out.

    weather = Weather(now, salt=os.urandom)
    weather.set_gateway(now, "aa:bb:cc:dd:ee:ff")
    weather.sensor.gateway_answer(...); weather.sensor.wan_answer(...)     or by Prober
    weather.heard(now, mid, host, payload)
    weather.doing(now, Doing(...))
    out = weather.run(now)                                                   some times a second
"""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median, median_high
from typing import TYPE_CHECKING, Final, NamedTuple

from ..client import ACTIVITY_CLASSES
from .capacity import Capacity
from .claims import Claim, Claims
from .gateway_tag import SALT_SIZE, find_gateway, make_tag
from .grouping import Member, state
from .history import History, Minute
from .limits import (
    FLOOR,
    SUMMARY_IDLE,
    SUMMARY_LEAST,
    SUMMARY_SHARE,
    WINDOW,
)
from .sensor import SLOPE_SPAN, Felt, Sensor
from .share import CHATTER, NO_NEED, SURE, Share, Situation
from .summary import Both, WeatherSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

HIGH: Final = ("on_demand", "live")
USED: Final = 0.7
"""A direction that is used less than to this share of what it passes has no queue."""
MORE: Final = 1.4
"""A stream that needs so much more than was said is told of at once."""
SOON: Final = 0.3
"""Between two summaries, whatever happens."""
BULKS_KEPT: Final = 64
SMOOTH: Final = 0.5
"""Seconds over which rates are smoothed: clients send in bursts."""


class Doing(NamedTuple):
    """
    What this node does: one of ACTIVITY_CLASSES; rates in bytes/s of all its traffic that is not anonymous, and of the bulk part of it that can be limited;
    `others`: traffic of other programs on the machine, as far as it is known.
    """

    kind: str = "idle"
    rates: Both = Both()
    bulk: Both = Both()
    others: Both = Both()


class Limits(NamedTuple):
    """
    Limits of bulk traffic, bytes/s, None: none. `why`: who needs room (`live`, `on_demand`, `room`), or `congested`, or empty.
    """

    up: float | None = None
    down: float | None = None
    why: str = ""


@dataclass(slots=True)
class Output:
    """
    What to do now: limits in force; a summary to publish by multicast, None: not now; the state, if it changed.
    """

    limits: Limits
    summary: bytes | None = None
    new_state: str | None = None


class Weather:
    """
    The state machine. Not thread safe.
    """

    def __init__(self, now: float, salt: Callable[[int], bytes], *, floor: float = FLOOR, yields: bool = True,
                 room_for_others: bool = True) -> None:
        """
        :param salt: makes so many random bytes.
        :param floor: share of this node's fair share that is always left.
        :param yields: step aside for others at all.
        :param room_for_others: other programs on this machine deserve room too.
        """
        self.salt = salt
        self.yields = yields
        self.room_for_others = room_for_others
        self.sensor = Sensor()
        self.claims = Claims()
        self.history = History()
        self.up, self.down = Share(floor), Share(floor)
        self.capacities = Capacity(), Capacity()
        self.gateways: frozenset[str] = frozenset()
        self.gateway: str | None = None
        self.state = "unknown"
        self.limits = Limits()
        self.kind = "idle"
        self.rates, self.bulk, self.others = Both(), Both(), Both()
        self.counters = {"malformed": 0, "heard": 0, "published": 0}
        self._doing_at: float | None = None
        self._bulks: deque[tuple[float, Both]] = deque(maxlen=BULKS_KEPT)
        self._published_at: float | None = None
        self._said: tuple[object, ...] = ()
        self._said_high = Both()
        self._ended = False
        self._urgent = False
        self._needed_by: set[bytes] = set()

    # What goes in

    def set_gateway(self, gateway: str | None, others: frozenset[str] = frozenset()) -> None:
        """
        This is the gateway of our WAN traffic now, by hardware address or IP address; `others`: further names and gateways that count as ours.
        """
        if gateway != self.gateway:
            self.sensor.reset()
            self.claims.clear()
            self.capacities = Capacity(), Capacity()
            self.up, self.down = Share(self.up.floor_share), Share(self.down.floor_share)
        self.gateway = gateway
        self.gateways = (others | {gateway}) if gateway is not None else frozenset()

    def heard(self, now: float, mid: bytes, host: Hashable, payload: bytes) -> bool:
        """
        Take a summary of a node whose signature was checked; False when it was dropped.

        :param host: its link-layer neighbour: the hardware address, or the IP address where that is not known.
        """
        summary = WeatherSummary.read(payload)
        if summary is None:
            self.counters["malformed"] += 1
            return False
        gateway = find_gateway(summary.gateway, self.gateways)
        if not self.claims.hear(now, Claim(mid, host, summary, gateway, now)):
            return False
        self.counters["heard"] += 1
        if mid in self._needed_by and summary.kind not in HIGH and not summary.needs_room:
            self._ended = True
        return True

    def gone(self, mid: bytes) -> None:
        """
        Take it that a node said goodbye.
        """
        self._ended |= mid in self._needed_by
        self.claims.forget(mid)

    def doing(self, now: float, what: Doing) -> None:
        """
        Take what this node does now.
        """
        self._ended |= what.kind not in HIGH and self.kind in HIGH
        self._urgent |= what.kind != self.kind
        passed = 0.0 if self._doing_at is None else now - self._doing_at
        weight = 1.0 if self._doing_at is None or what.kind != self.kind else min(1.0, passed / SMOOTH)
        self._doing_at = now
        self.kind = what.kind
        self.rates, self.bulk, self.others = (
            Both(*(old + (new - old) * weight for old, new in zip(before, after, strict=True)))
            for before, after in ((self.rates, what.rates), (self.bulk, what.bulk), (self.others, what.others)))
        self._bulks.append((now, what.bulk))

    def _bulk_before(self, now: float, direction: int) -> float:
        """
        Get the mean bulk rate of the time that the slope of the delay is of.
        """
        rates = [bulk[direction] for when, bulk in self._bulks if now - when <= SLOPE_SPAN + WINDOW / 4]
        return sum(rates) / len(rates) if rates else self.bulk[direction]

    @property
    def has_load(self) -> bool:
        """
        Tell whether this node has traffic worth probing for.
        """
        return self.kind != "idle" or max(*self.rates) > CHATTER or self._has_others

    @property
    def _has_others(self) -> bool:
        return self.room_for_others and max(self.others) > CHATTER

    # What comes out

    def run(self, now: float, clock: float | None = None) -> Output:
        """
        Decide. `clock`: Unix seconds, for the history.
        """
        self.claims.expire(now)
        felt = self.sensor.felt(now)
        hosts = list(self.claims.by_host(now, self.gateways))
        new_state = self._follow_state(felt, hosts)
        self._follow_capacity(now, felt, hosts)
        self.limits = self._share(now, felt, hosts)
        output = Output(self.limits, None, new_state)
        if self.gateway is not None and self._is_due(now, felt, hosts):
            output.summary = self._summary(now, felt, hosts)
        if clock is not None:
            together = self.together(hosts)
            self.history.add(Minute(clock, self.state, felt.delay, together.up, together.down, self.limits.up, self.limits.down))
        self._ended = False
        return output

    def _follow_state(self, felt: Felt, hosts: list[list[Claim]]) -> str | None:
        own = None
        if felt.delay is not None:
            summary = felt.summary
            own = Member(None, felt.is_bloated, summary.mean if summary else felt.delay, summary.variability if summary else 0.0,
                         summary.skew if summary else 0.0, felt.loss)
        others = []
        for claims in hosts:
            known = [claim.summary for claim in claims if claim.summary.is_known]
            if known:
                newest = known[-1]
                others.append(Member(claims[0].host, any(each.is_bloated for each in known), newest.mean, newest.variability,
                                     newest.skew, newest.loss))
        new = state(own, others)
        if new == self.state:
            return None
        self.state = new
        return new

    def together(self, hosts: list[list[Claim]]) -> Both:
        """
        Get the rates of all nodes behind the gateway, this one included.
        """
        said = [claim.summary.rates for claims in hosts for claim in claims]
        return Both(self.rates.up + sum(each.up for each in said), self.rates.down + sum(each.down for each in said))

    def _suspects(self, together: Both) -> tuple[bool, bool]:
        """
        Tell whether a queue may be of traffic up, and down: of what is used most of what it passes, or of anything.
        """
        full, some = [], []
        for capacity, rate in zip(self.capacities, together, strict=True):
            known = capacity.value
            some.append(rate > CHATTER)
            full.append(rate > CHATTER and (known is None or rate >= USED * known))
        return (full[0], full[1]) if any(full) else (some[0], some[1])

    def _follow_capacity(self, now: float, felt: Felt, hosts: list[list[Claim]]) -> None:
        together = self.together(hosts)
        suspects = self._suspects(together)
        for direction, capacity in enumerate(self.capacities):
            capacity.update(now, self.rates[direction], together[direction], felt.delay,
                            alone_suspect=suspects[direction])

    def capacity(self, direction: int, hosts: list[list[Claim]] | None = None) -> tuple[float | None, float]:
        """
        Get what the gateway passes, up (0) or down (1), and how sure that is, 0..1: the middle of what this node and those say who are sure.
        """
        own = self.capacities[direction]
        known = [(own.value or 0.0, own.confidence)] if own.confidence >= SURE else []
        for claims in hosts or ():
            sure = [(claim.summary.capacity[direction], claim.summary.confidence[direction]) for claim in claims
                    if claim.summary.confidence[direction] >= SURE and claim.summary.capacity[direction]]
            known += sure[-1:]
        if not known:
            return own.value, own.confidence
        return median(value for value, _ in known), median(confidence for _, confidence in known)

    # Shares

    def _need(self, hosts: list[list[Claim]]) -> tuple[str, Both]:
        """
        Get who needs room, and how much all of them use or say they need.
        """
        kinds, needed_by, up, down = set(), set(), 0.0, 0.0
        for claims in hosts:
            for claim in claims:
                said = claim.summary
                if said.kind in HIGH or said.needs_room:
                    kinds.add(said.kind if said.kind in HIGH else "room")
                    needed_by.add(claim.mid)
                    up += max(0.0, said.rates.up - said.bulk.up)
                    down += max(0.0, said.rates.down - said.bulk.down)
        if self.kind in HIGH:
            kinds.add(self.kind)
        if self._has_others:
            kinds.add("room")
        self._needed_by = needed_by
        need = next((kind for kind in ("live", "on_demand", "room") if kind in kinds), NO_NEED)
        return need, Both(up, down)

    def _share(self, now: float, felt: Felt, hosts: list[list[Claim]]) -> Limits:
        if not self.yields:
            self.up.level = self.down.level = None
            return Limits()
        need, room = self._need(hosts)
        together = self.together(hosts)
        suspects = self._suspects(together)
        limits: list[float | None] = []
        for direction, share in enumerate((self.up, self.down)):
            levels = []
            for claims in hosts:
                said = [claim.summary.level[direction] for claim in claims
                        if (claim.summary.hungry_up, claim.summary.hungry_down)[direction] and claim.summary.level[direction]]
                if said:
                    levels.append(median(said))
            hungry = sum(any((claim.summary.hungry_up, claim.summary.hungry_down)[direction] for claim in claims) for claims in hosts)
            bulk = self.bulk[direction]
            capacity, confidence = self.capacity(direction, hosts)
            situation = Situation(felt.delay, felt.slope, suspects[direction], need, room[direction],
                                  self.state == "congested", bulk, self._bulk_before(now, direction), tuple(levels), hungry + share.is_hungry(bulk),
                                  capacity if confidence >= SURE else None, together[direction],
                                  self.capacities[direction].own_best)
            limits.append(share.run(now, situation, ended=self._ended))
        why = "" if limits == [None, None] else self.up.need if self.up.need != NO_NEED else "congested"
        return Limits(limits[0], limits[1], why)

    # Summaries

    def _loaded(self, hosts: list[list[Claim]]) -> tuple[int, int]:
        """
        Count the neighbours with load, and those with high priority, this node included.
        """
        loaded = sum(any(claim.summary.kind != "idle" for claim in claims) for claims in hosts) + (self.kind != "idle")
        high = sum(any(claim.summary.kind in HIGH for claim in claims) for claims in hosts) + (self.kind in HIGH)
        return loaded, high

    def interval(self, hosts: list[list[Claim]]) -> float:
        """
        Get the seconds between two summaries.
        """
        loaded, high = self._loaded(hosts)
        if self.kind in HIGH:
            return max(SUMMARY_LEAST, high / SUMMARY_SHARE)
        return max(SUMMARY_LEAST, loaded / SUMMARY_SHARE) if self.has_load else SUMMARY_IDLE

    def _is_due(self, now: float, felt: Felt, hosts: list[list[Claim]]) -> bool:
        if self._published_at is None:
            return True
        since = now - self._published_at
        said = (self.kind, felt.is_bloated, self._has_others)
        more = any(rate - bulk > MORE * had + CHATTER
                   for rate, bulk, had in zip(self.rates, self.bulk, self._said_high, strict=True))
        return since >= self.interval(hosts) or (since >= SOON and (self._urgent or more or said != self._said))

    def _summary(self, now: float, felt: Felt, hosts: list[list[Claim]]) -> bytes:
        assert self.gateway is not None
        self._published_at, self._urgent = now, False
        self._said = (self.kind, felt.is_bloated, self._has_others)
        self._said_high = Both(*(rate - bulk for rate, bulk in zip(self.rates, self.bulk, strict=True)))
        self.counters["published"] += 1
        summary = felt.summary
        up, down = self.up, self.down
        values = [self.capacities[direction].value or 0.0 for direction in (0, 1)]
        return WeatherSummary(
            self.kind, make_tag(self.gateway, self.salt(SALT_SIZE)), self.interval(hosts), felt.delay is not None, felt.is_bloated,
            felt.is_own_slow, self._has_others, up.is_hungry(self.bulk.up), down.is_hungry(self.bulk.down),
            summary.mean if summary else felt.delay or 0.0, summary.variability if summary else 0.0,
            summary.skew if summary else 0.0, felt.loss, self.rates, self.bulk, Both(up.level or 0.0, down.level or 0.0),
            Both(*values), Both(*(capacity.confidence for capacity in self.capacities))).pack()
