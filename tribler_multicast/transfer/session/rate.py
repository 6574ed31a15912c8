"""
How fast to send: less than best effort, by delay, as the worst receiver feels it.

LEDBAT (RFC 6817, and LEDBAT++ of Balasubramanian and others, 2021) keeps a fixed small queue in front of the narrowest
link and gives way to whoever makes it longer. There it is a window; here it is a rate, because what is sent to many has
no window. Each receiver reports the least one-way delay since its last report. Above the least delay ever (the base) it
is the queue of its path. Over one report, a queue that grew by dq while dt went by at the sender says that the link
passed dt / (dt + dq) of what was sent: so the rate of the link is known without counting packets, and loss alone says
nothing. The rate is set to

    what the link passed x (1 + (target - queue) / TAU)

of the receiver for which that is least, and doubled each round at the start until a queue is seen. An empty queue means
that there is room: the rate grows by a quarter per round.

Loss without delay is what the air does, and repair makes up for it. Only where loss grows as the rate grows, and comes
to its old value when the rate falls, the queue is too short to be felt: then what arrived is the rate of the link.
"""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from .limits import (
    BASE_MEMORY,
    BASE_PARTS,
    LEAST_RATE,
    MAX_RATE,
    ROUND,
    SLOWDOWN_EACH,
    START_RATE,
    TARGET_DELAY,
)
from .packets import CLOCK

if TYPE_CHECKING:
    from collections.abc import Hashable

TAU: Final = 0.1
"""Seconds in which the queue is to come to its target: some rounds, because what is reported is a round old."""
SEEN: Final = 0.0015
"""A queue below this is none: clocks, processors and the air make as much."""
STRONGEST: Final = 0.5
"""No decision cuts the rate by more."""
START_GROWTH: Final = 2.0
GROWTH: Final = 1.25
SLOWEST_GROWTH: Final = 1.03
LOSS_STEP: Final = 0.03
"""A loss that is higher than usual by so much, without delay, may be the rate's fault."""
LOSS_ROUNDS: Final = 40
BUSY: Final = 0.8
"""Who sends less than this share of the rate learns nothing about more."""
PAUSE_ROUNDS: Final = 3


class Path:
    """
    The delay of one path: what is the least lately, and how much the last sample is above it.
    """

    def __init__(self) -> None:
        """
        Know nothing yet.
        """
        self.first: int | None = None
        self.parts: deque[tuple[float, float]] = deque(maxlen=BASE_PARTS)
        self.queue = 0.0
        self.before = 0.0
        self.at: float | None = None
        self.losses: deque[float] = deque(maxlen=LOSS_ROUNDS)
        self.lost = 0.0

    def sample(self, now: float, delay: int) -> None:
        """
        Take a delay in microseconds, modulo 2^32, with any offset.
        """
        if self.first is None:
            self.first = delay
        value = ((delay - self.first + CLOCK // 2) % CLOCK - CLOCK // 2) / 1e6
        if not self.parts or now - self.parts[-1][0] >= BASE_MEMORY / BASE_PARTS:
            self.parts.append((now, value))
        elif value < self.parts[-1][1]:
            self.parts[-1] = (self.parts[-1][0], value)
        self.queue = value - min(least for _, least in self.parts)
        self.at = now

    def loss(self, share: float) -> None:
        """
        Take the share of packets that got lost on it since the last sample.
        """
        self.losses.append(share)
        self.lost = share

    @property
    def usual_loss(self) -> float:
        """
        The share that gets lost whatever the rate.
        """
        ordered = sorted(self.losses)
        return ordered[len(ordered) // 4] if ordered else 0.0


class RateControl:
    """
    The rate of all that one sender sends on one link, in bytes per second with all headers.
    """

    def __init__(self, now: float, *, start: float = START_RATE, cap: float = MAX_RATE,
                 target: float = TARGET_DELAY) -> None:
        """
        :param cap: the rate is never above.
        :param target: seconds of queue to make.
        """
        self.cap = cap
        self.floor = LEAST_RATE
        self.target = target
        self.rate = min(start, cap)
        self.starting = True
        self.paths: dict[Hashable, Path] = {}
        self.next_round = now + ROUND
        self.last_round = now
        self.sent = 0
        self.empty_at = now
        self.pause = 0
        self.growth = GROWTH
        self.resume_at = self.rate

    @property
    def queue(self) -> float:
        """
        The longest queue that was reported last, seconds.
        """
        return max((path.queue for path in self.paths.values()), default=0.0)

    def forget(self, key: Hashable) -> None:
        """
        Follow a path no more.
        """
        self.paths.pop(key, None)

    def on_sent(self, size: int) -> None:
        """
        Count what was sent, with headers.
        """
        self.sent += size

    def feedback(self, now: float, key: Hashable, delay: int | None, loss: float | None = None) -> None:
        """
        Take what a receiver (or the RTT to any neighbour: the canary) says of its path.

        :param delay: microseconds modulo 2^32.
        :param loss: share of the packets since its last report that did not come; None: too few to tell.
        """
        path = self.paths.setdefault(key, Path())
        if delay is not None:
            path.sample(now, delay)
        if loss is not None:
            path.loss(loss)

    def run(self, now: float) -> None:
        """
        Decide, when a round is over. To be called often.
        """
        if now < self.next_round:
            return
        seconds, self.last_round = now - self.last_round, now
        self.next_round = now + ROUND
        sent, self.sent = self.sent, 0
        fresh = [path for path in self.paths.values() if path.at is not None and now - path.at <= 2 * ROUND + seconds]
        if not fresh or self._is_pausing(now):
            return
        worst = max(path.queue for path in fresh)
        if worst < SEEN:
            self.empty_at = now
        factor = min(self._factor(path, seconds) for path in fresh)
        for path in fresh:
            path.before = path.queue
        if factor > 1.0 and sent < BUSY * self.rate * seconds:
            return
        if self.starting and (worst >= SEEN or factor < 1.0):
            self.starting = False
        self.rate = min(max(self.rate * factor, self.floor), self.cap)
        if now - self.empty_at > SLOWDOWN_EACH:
            self.resume_at, self.pause = self.rate, PAUSE_ROUNDS
            self.rate = max(self.rate / 4, self.floor)

    def _is_pausing(self, now: float) -> bool:
        if not self.pause:
            return False
        self.pause -= 1
        if not self.pause:
            self.rate = self.resume_at
            self.empty_at = now
            for path in self.paths.values():
                path.before = path.queue
        return True

    def _factor(self, path: Path, seconds: float) -> float:
        excess = path.lost - path.usual_loss
        if path.queue < SEEN and path.before < SEEN:
            if excess > LOSS_STEP:
                self.growth = SLOWEST_GROWTH
                return max(STRONGEST, (1 - path.lost) / (1 - path.usual_loss))
            return START_GROWTH if self.starting else self.growth
        passed = seconds / max(seconds + path.queue - path.before, 0.5 * seconds)
        return max(STRONGEST, min(passed, 1.5) * (1 + (self.target - path.queue) / TAU))


class Pacer:
    """
    When the next bytes may leave, by a deadline: a socket over a full queue takes everything, so it can't tell.
    """

    def __init__(self, now: float, catch_up: float) -> None:
        """
        :param catch_up: seconds of the pace that may be made up for at once.
        """
        self.due = now
        self.catch_up = catch_up

    def is_due(self, now: float) -> bool:
        """
        Tell whether something may leave.
        """
        return now >= self.due

    def sent(self, now: float, size: int, rate: float) -> None:
        """
        Count what left.
        """
        self.due = max(self.due, now - self.catch_up) + size / rate
