"""
What this node feels itself: the queue at the gateway, and what is not the gateway's.

The way to a WAN target begins with the way to the gateway: own cable, Wi-Fi, powerline. What the gateway's answers
take longer than usual is of that, the rest is the queue behind it. Jitter comes and goes within milliseconds and a
queue does not, so it is the shortest answer of the last half second that counts, to each; and so do bursts, which are
shorter than the time between them. Of routers right behind the gateway the shortest counts, of peers far away the
middle one, because one may be slow itself, and ways are different.
"""
from __future__ import annotations

from collections import deque
from statistics import median, median_low
from typing import TYPE_CHECKING, NamedTuple

from .limits import (
    BLOAT,
    BLOAT_HOLDS,
    FEWEST_FAR,
    MAX_TARGETS,
    NO_BLOAT,
    OWN_BLOAT,
    STALE,
    WINDOW,
    YOUNG,
)
from .path import Path
from .statistics import Delays, Summary

if TYPE_CHECKING:
    from collections.abc import Hashable

JITTER = 0.010
"""Answers of the gateway that mostly take so much longer than the shortest ones are jitter: the air, or a slow
router."""
JITTER_SHARE = 0.15
SLOPE_SPAN = 0.7
"""Seconds over which it is looked how the queue changes."""
DELAYS_KEPT = 64


class Felt(NamedTuple):
    """
    What is felt now. `delay`: seconds of queue behind the gateway; `own`: before it; None when it is not known.

    `slope`: seconds per second that the queue grows.
    """

    delay: float | None
    slope: float
    usual: float | None
    """The same as it mostly is, bursts and all; None when it is not known."""
    own: float | None
    is_bloated: bool
    """For a while now the gateway has had a queue."""
    is_own_slow: bool
    """For a while now the way to the gateway has had one."""
    has_jitter: bool
    """The way to the gateway is unsteady, with no queue."""
    summary: Summary | None
    loss: float | None


class Held:
    """
    Something that counts when it was so for a while, until it is clearly no more.
    """

    def __init__(self, above: float, below: float) -> None:
        """
        It is when the value stays above the one, until it is below the other.
        """
        self.above = above
        self.below = below
        self.holds = False
        self._since: float | None = None

    def update(self, now: float, value: float | None) -> bool:
        """
        Take a value, None when it is not known; get whether it is so.
        """
        if value is None or value < self.below or (not self.holds and value < self.above):
            self.holds, self._since = False, None
        elif self._since is None:
            self._since = now
        elif now - self._since >= BLOAT_HOLDS:
            self.holds = True
        return self.holds


class Target:
    """
    A target, and what its last answers told.
    """

    def __init__(self, *, near: bool, answers_all: bool) -> None:
        """
        :param near: a router right behind the gateway: what is slow is the gateway's uplink, nothing else.
        """
        self.near = near
        self.path = Path(answers_all=answers_all)
        self.queues = Delays(STALE)

    def answer(self, now: float, rtt: float, *, idle: bool) -> None:
        """
        Take a round trip.
        """
        self.queues.add(now, self.path.answer(now, rtt, idle=idle))

    def queue(self, now: float) -> float | None:
        """
        Get the shortest of the last ones; None when there is none.
        """
        recent = self.queues.since(now - WINDOW / 2)
        return min(recent) if recent else self.path.queue(now)


class Sensor:
    """
    Takes answers of the gateway and of WAN targets in, and says what is felt.
    """

    def __init__(self) -> None:
        """
        Feel nothing yet.
        """
        self.gateway = Target(near=True, answers_all=True)
        self.targets: dict[Hashable, Target] = {}
        self.delays = Delays()
        self.trace: deque[tuple[float, float]] = deque(maxlen=DELAYS_KEPT)
        self.bloat = Held(BLOAT, NO_BLOAT)
        self.own = Held(OWN_BLOAT, OWN_BLOAT / 2)
        self._gateway_rtts = Delays()
        self._first_at: float | None = None

    def is_young(self, now: float) -> bool:
        """
        Tell whether the way may never have been seen empty.
        """
        return self._first_at is None or now - self._first_at < YOUNG

    @property
    def base_sum(self) -> float:
        """
        Get the sum of all least round trips: it changes when a shorter one was found.
        """
        return sum(round(target.path.base.value or 0.0, 2) for target in (self.gateway, *self.targets.values()))

    def reset(self) -> None:
        """
        Forget all: it is another network.
        """
        self.__init__()  # type: ignore[misc]

    def gateway_answer(self, now: float, rtt: float, *, idle: bool = False) -> None:
        """
        Take a round trip to the gateway, seconds.
        """
        self.gateway.answer(now, rtt, idle=idle)
        self._gateway_rtts.add(now, rtt)
        self._look(now)

    def wan_answer(self, now: float, key: Hashable, rtt: float, *, near: bool = False, idle: bool = False,
                   answers_all: bool = True) -> None:
        """
        Take a round trip to a WAN target, seconds.
        """
        target = self.targets.get(key)
        if target is None:
            if len(self.targets) >= MAX_TARGETS:
                del self.targets[min(self.targets, key=lambda old: (self.targets[old].path.latest or (0.0, 0.0))[0])]
            target = self.targets[key] = Target(near=near, answers_all=answers_all)
        target.near = near
        target.answer(now, rtt, idle=idle)
        if self._first_at is None:
            self._first_at = now
        self._look(now)

    def no_answer(self, key: Hashable | None) -> None:
        """
        Take it that a target, None: the gateway, did not answer in time.
        """
        target = self.gateway if key is None else self.targets.get(key)
        if target is not None:
            target.path.no_answer()

    def forget(self, key: Hashable) -> None:
        """
        Follow a target no more.
        """
        self.targets.pop(key, None)

    def delay(self, now: float) -> float | None:
        """
        Get the seconds of queue behind the gateway; None when that is not known.
        """
        own, near = self.gateway.queue(now), self._near(now)
        far = [queue for target in self.targets.values()
               if not target.near and (queue := target.queue(now)) is not None]
        if own is None or (near is None and len(far) < FEWEST_FAR):
            return None
        return max(0.0, (median_low(far) if near is None else near) - own)

    def _near(self, now: float) -> float | None:
        """
        Get the queue on the way to routers behind the gateway: the shortest of those that answered just now, all stand
        behind the same queue; else the latest answer, where they are asked seldom.
        """
        targets = [target for target in self.targets.values() if target.near and target.path.latest is not None]
        recent = [min(queues) for target in targets if (queues := target.queues.since(now - WINDOW / 2))]
        if recent:
            return min(recent)
        latest = max((target.path.latest for target in targets if target.path.latest is not None), default=None)
        return None if latest is None or now - latest[0] > STALE else latest[1]

    def usual(self, now: float) -> float | None:
        """
        Get the queue behind the gateway as most answers of the last second felt it, not the shortest.
        """
        near = [queue for target in self.targets.values() if target.near for queue in target.queues.since(now - WINDOW)]
        own = self.gateway.queues.since(now - WINDOW)
        return max(0.0, median(near) - median(own)) if near and own else None

    def _look(self, now: float) -> None:
        delay = self.delay(now)
        if delay is not None:
            self.delays.add(now, delay)
            if not self.trace or now > self.trace[-1][0]:
                self.trace.append((now, delay))
            else:
                self.trace[-1] = now, delay
        self.bloat.update(now, delay)
        self.own.update(now, self.gateway.queue(now))

    def _slope(self, now: float) -> float:
        """
        Get how the queue changes: least squares over the last samples.
        """
        points = [(when - now, delay) for when, delay in self.trace if now - when <= SLOPE_SPAN]
        if len(points) < 3 or points[-1][0] - points[0][0] < SLOPE_SPAN / 3:
            return 0.0
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        square = sum((x - mean_x) ** 2 for x, _ in points)
        return sum((x - mean_x) * (y - mean_y) for x, y in points) / square

    def felt(self, now: float) -> Felt:
        """
        Get what is felt now.
        """
        delay, own = self.delay(now), self.gateway.queue(now)
        if delay is None:
            self.bloat.update(now, None)
        losses = [loss for target in self.targets.values() if (loss := target.path.loss) is not None]
        return Felt(delay, self._slope(now), self.usual(now), own, self.bloat.holds,
                    self.own.update(now, own), self._has_jitter(now),
                    self.delays.summary(now) if delay is not None else None, median_low(losses) if losses else None)

    def _has_jitter(self, now: float) -> bool:
        rtts = self._gateway_rtts.since(now - 10.0)
        if len(rtts) < 10 or self.own.holds:
            return False
        least = min(rtts)
        return sum(rtt > least + JITTER for rtt in rtts) >= JITTER_SHARE * len(rtts)
