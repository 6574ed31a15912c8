"""
The weather of one gateway as one node sees it: answers, claims and its own rates go in; limits, summaries to publish
and news come out.

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
from statistics import median_low
from typing import TYPE_CHECKING, Final, NamedTuple

from .capacity import Capacity
from .claims import Claim, Claims, overheard
from .crowd import HIGH, SURE, Crowd, need_of, own_need
from .gateway_tag import SALT_SIZE, find_gateway, make_tag
from .grouping import Member, state
from .history import History, Minute
from .limits import (
    CLAIM_LEAST,
    FLOOR,
    HIDDEN_MOST,
    NO_BLOAT,
    SUMMARY_IDLE,
    SUMMARY_LEAST,
    SUMMARY_SHARE,
    WINDOW,
)
from .rule import CHATTER, NO_NEED
from .sensor import SLOPE_SPAN, Felt, Sensor
from .share import Share
from .situation import Situation
from .statistics import Summary
from .summary import Both, WeatherSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

USED: Final = 0.6
"""A direction that is used less than to this share of what it passes has no queue."""
BELIEVED: Final = 1.5
"""Nobody is believed that the gateway passes more than so many times what was seen to be used."""
DOWN_OF_UP: Final = 0.5
MOST_UNEVEN: Final = 25.0
"""No home gets less down than this part of what it gets up; and with a full downlink there is as much up as
acknowledgements take."""
MORE: Final = 1.4
"""A stream that needs so much more than was said is told of at once."""
SOON: Final = 0.3
"""Between two summaries, whatever happens."""
AGAIN: Final = 2
AGAIN_EACH: Final = 0.6
"""What this node does, when that is new, is said so many times more, every so many seconds: a multicast may get lost,
and who did not hear that a stream has ended would hold back for seconds more."""
BULKS_KEPT: Final = 64
STEP_MOST: Final = 0.2
SMOOTH: Final = 0.5
"""Seconds over which rates are smoothed: clients send in bursts."""


class Doing(NamedTuple):
    """
    What this node does: one of ACTIVITY_CLASSES; rates in bytes/s of all its traffic that is not anonymous, and of the
    bulk part of it that can be limited; `others`: traffic of other programs on the machine, as far as it is known.
    """

    kind: str = "idle"
    rates: Both = Both()
    bulk: Both = Both()
    others: Both = Both()


class Limits(NamedTuple):
    """
    Limits of bulk traffic, bytes/s, None: none. `why`: who needs room (`live`, `on_demand`, `room`), or `congested`,
    or empty. `ahead`: what bulk traffic that is new begins with, up and down, where there is none yet.
    """

    up: float | None = None
    down: float | None = None
    why: str = ""
    ahead: tuple[float | None, float | None] = (None, None)

    @property
    def in_force(self) -> tuple[float | None, float | None]:
        """
        Get what the client is to be told, up and down.
        """
        up, down = self.ahead
        return up if self.up is None else self.up, down if self.down is None else self.down


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
        self._again = 0
        self._ended = False
        self._urgent = False
        self._needed_by: frozenset[bytes] = frozenset()
        self._more: dict[Hashable, tuple[float, float]] = {}
        """Of neighbours, what they felt more than this node at that time; while the way may never have been seen
        empty."""
        self._base = 0.0
        self._hidden_for, self._hidden_at = 0.0, now
        self._told = 0.0
        """The part of the queue that only others feel."""
        self.is_urgent = False
        """Somebody said something that is worth to run at once."""

    # What goes in

    def set_gateway(self, gateway: str | None, others: frozenset[str] = frozenset(), *, renamed: bool = False) -> None:
        """
        This is the gateway of our WAN traffic now, by hardware address or IP address; `others`: further names and
        gateways that count as ours. `renamed`: it is the one of before.
        """
        if gateway != self.gateway and not renamed:
            self.sensor.reset()
            self.claims.clear()
            self.capacities = Capacity(), Capacity()
            self.up, self.down = Share(self.up.floor_share), Share(self.down.floor_share)
        self.gateway = gateway
        self.gateways = (others | {gateway}) if gateway is not None else frozenset()

    def heard(self, now: float, mid: bytes, host: Hashable, payload: bytes, *, verified: bool = True) -> bool:
        """
        Take a summary of a node whose signature was checked; False when it was dropped.

        :param host: its link-layer neighbour: the hardware address, or the IP address where that is not known.
        :param verified: it is known to be there; else anybody on the link may have said this, and less is believed.
        """
        summary = WeatherSummary.read(payload)
        if summary is not None and not verified:
            summary = overheard(summary)
        if summary is None:
            self.counters["malformed"] += 1
            return False
        gateway = find_gateway(summary.gateway, self.gateways)
        if not self.claims.hear(now, Claim(mid, host, summary, gateway, now), verified=verified):
            return False
        self.counters["heard"] += 1
        if gateway is not None and summary.is_known and self.sensor.is_young(now):
            delay = self.sensor.delay(now)
            if delay is not None:
                self._more[host] = now, summary.queue - delay
        needs = gateway is not None and own_need(summary) != NO_NEED
        self._ended |= mid in self._needed_by and not needs
        self.is_urgent |= needs != (mid in self._needed_by)
        return True

    def gone(self, mid: bytes) -> None:
        """
        Take it that a node said goodbye.
        """
        self._ended |= mid in self._needed_by
        self.is_urgent |= self._ended
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

    def speak(self) -> None:
        """
        Publish soon, though nothing has changed.
        """
        self._urgent = True

    @property
    def has_load(self) -> bool:
        """
        Tell whether this node has traffic worth probing for.
        """
        return self.kind != "idle" or max(*self.rates) > CHATTER or self._has_others

    @property
    def needs(self) -> bool:
        """
        Tell whether this node, or a program beside it, needs room.
        """
        return self.kind in HIGH or self._has_others

    @property
    def _has_others(self) -> bool:
        return self.room_for_others and max(self.others) > CHATTER

    # What comes out

    def run(self, now: float, clock: float | None = None) -> Output:
        """
        Decide. `clock`: Unix seconds, for the history.
        """
        self.is_urgent = False
        crowd = self.claims.crowd(now)
        felt = self._felt(now)
        new_state = self._follow_state(felt, crowd)
        together = self.together(crowd)
        suspects = self._suspects(together)
        own_delay = None if felt.delay is None else felt.delay - self._told
        for way, capacity in enumerate(self.capacities):
            capacity.update(now, self.rates[way], together[way], own_delay, felt.slope, suspect=suspects[way])
        self.limits = self._share(now, felt, crowd, together, suspects)
        self._needed_by, self._ended = crowd.needed_by, False
        output = Output(self.limits, None, new_state)
        if self.gateway is not None and self._is_due(now, felt, crowd):
            output.summary = self._summary(now, felt, crowd)
        if clock is not None:
            self.history.add(Minute(clock, self.state, felt.delay, *together, self.limits.up, self.limits.down))
        return output

    def _felt(self, now: float) -> Felt:
        """
        Get what is felt; of a queue that was there before us the others know more.
        """
        felt = self.sensor.felt(now)
        self._told = 0.0
        if felt.delay is None or not self.sensor.is_young(now):
            return felt
        if self._base != (base := self.sensor.base_sum):
            self._base = base
            self._more.clear()
        more = [each for when, each in self._more.values() if now - when <= CLAIM_LEAST]
        hidden = median_low(more) if more else 0.0
        if hidden <= NO_BLOAT or self._hidden_for >= HIDDEN_MOST:
            return felt
        self._hidden_for += min(STEP_MOST, now - self._hidden_at)
        self._hidden_at = now
        self._told = hidden
        return felt._replace(delay=felt.delay + hidden)

    def _follow_state(self, felt: Felt, crowd: Crowd) -> str | None:
        own = None
        if felt.delay is not None:
            summary = felt.summary or Summary(felt.delay, 0.0, 0.0, 0)
            own = Member(None, felt.is_bloated, summary.mean, summary.variability, summary.skew, felt.loss)
        new = state(own, crowd.members)
        if new == self.state:
            return None
        self.state = new
        return new

    def together(self, crowd: Crowd) -> Both:
        """
        Get the rates of all nodes behind the gateway, this one included.
        """
        return self._believed(crowd)[1]

    def _believed(self, crowd: Crowd) -> tuple[Both, Both]:
        return crowd.believed(self.rates, Both(*(capacity.own_best for capacity in self.capacities)))

    def _suspects(self, together: Both) -> tuple[bool, bool]:
        """
        Tell whether a queue may be of traffic up, and down. A round trip does not tell; so what has little traffic
        beside the other is not it, nor what is known to pass much more, unless that leaves none.
        """
        up, down = together
        may = [up > CHATTER and up * MOST_UNEVEN >= down, down > CHATTER and down >= up * DOWN_OF_UP]
        full = [some and not (capacity.confidence >= SURE and rate < USED * (capacity.value or 0.0))
                for some, capacity, rate in zip(may, self.capacities, together, strict=True)]
        return (full[0], full[1]) if any(full) else (may[0], may[1])

    def capacity(self, way: int, crowd: Crowd) -> tuple[float | None, float]:
        """
        Get what the gateway passes, up (0) or down (1), and how sure that is, 0..1: as this node measured it, or,
        while it is not sure, the middle of what those say who are: unless it was seen otherwise, as this node alone
        reached more, or all together never as much.
        """
        own = self.capacities[way]
        if own.confidence >= SURE or not crowd.capacity[way]:
            return own.value, own.confidence
        value = median_low(value for value, _ in crowd.capacity[way])
        if not own.own_best <= value <= BELIEVED * own.seen:
            return own.value, own.confidence
        return value, median_low(confidence for _, confidence in crowd.capacity[way])

    def _share(self, now: float, felt: Felt, crowd: Crowd, together: Both, suspects: tuple[bool, bool]) -> Limits:
        if not self.yields:
            self.up.level = self.down.level = self.up.ahead = self.down.ahead = None
            return Limits()
        need = need_of((crowd.need, self.kind, "room" if self._has_others else NO_NEED))
        limits: list[float | None] = []
        rooms, _ = self._believed(crowd)
        for way, share in enumerate((self.up, self.down)):
            bulk = self.bulk[way]
            room = rooms[way] + (max(0.0, self.rates[way] - bulk) if self.kind in HIGH else 0.0)
            capacity, confidence = self.capacity(way, crowd)
            limits.append(share.run(now, Situation(
                felt.delay, self._told > 0, felt.slope, felt.usual, suspects[way], need, room,
                self.state == "congested", bulk, self._bulk_before(now, way), crowd.levels[way],
                crowd.hungry[way] + share.is_hungry(bulk), capacity if confidence >= SURE else None,
                capacity if confidence >= SURE else self.capacities[way].guess, together[way],
                self.capacities[way].own_best, self._told), ended=self._ended))
        why = "" if limits == [None, None] else self.up.need if self.up.need != NO_NEED else "congested"
        return Limits(limits[0], limits[1], why, (self.up.ahead, self.down.ahead))

    # Summaries

    def interval(self, crowd: Crowd) -> float:
        """
        Get the seconds between two summaries.
        """
        if self.kind in HIGH:
            return max(SUMMARY_LEAST, (crowd.high + 1) / SUMMARY_SHARE)
        return max(SUMMARY_LEAST, (crowd.loaded + 1) / SUMMARY_SHARE) if self.has_load else SUMMARY_IDLE

    def _is_due(self, now: float, felt: Felt, crowd: Crowd) -> bool:
        if self._published_at is None:
            return True
        since = now - self._published_at
        said = (self.kind, felt.is_bloated, self._has_others)
        more = any(rate - bulk > MORE * had + CHATTER
                   for rate, bulk, had in zip(self.rates, self.bulk, self._said_high, strict=True))
        return since >= self.interval(crowd) or (since >= SOON and (self._urgent or more or said != self._said)) \
            or (since >= AGAIN_EACH and self._again > 0)

    def _summary(self, now: float, felt: Felt, crowd: Crowd) -> bytes:
        assert self.gateway is not None
        self._published_at, self._urgent = now, False
        said = (self.kind, felt.is_bloated, self._has_others)
        is_news = bool(self._said) and said[::2] != self._said[::2]
        self._again = AGAIN if is_news else max(0, self._again - 1)
        self._said = said
        self._said_high = Both(*(rate - bulk for rate, bulk in zip(self.rates, self.bulk, strict=True)))
        self.counters["published"] += 1
        summary = felt.summary or Summary(felt.delay or 0.0, 0.0, 0.0, 0)
        up, down = self.up, self.down
        return WeatherSummary(
            self.kind, make_tag(self.gateway, self.salt(SALT_SIZE)), self.interval(crowd),
            is_known=felt.delay is not None, is_bloated=felt.is_bloated, is_own_slow=felt.is_own_slow,
            needs_room=self._has_others, hungry=(up.is_hungry(self.bulk.up), down.is_hungry(self.bulk.down)),
            queue=self.sensor.delay(now) or 0.0, mean=summary.mean, variability=summary.variability,
            skew=summary.skew, loss=felt.loss, rates=self.rates, bulk=self.bulk,
            level=Both(up.level or 0.0, down.level or 0.0),
            capacity=Both(*(capacity.value or 0.0 for capacity in self.capacities)),
            confidence=Both(*(capacity.confidence for capacity in self.capacities))).pack()
