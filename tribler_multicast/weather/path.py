"""
The way to one target: its round trips, the least of them, and the queue above that.
"""
from __future__ import annotations

from collections import deque

from .limits import BASE_PART, BASE_PARTS, REBASE, STALE

IDLE_SLACK = 0.005
"""An empty way that takes so much longer than the shortest known has become longer."""
FEWEST_IDLE = 3
MOST_IDLE = 100
"""Round trips that it takes to say so, and that are kept."""


class Base:
    """
    The least round trip of the last while.
    """

    def __init__(self) -> None:
        """
        Know nothing yet.
        """
        self.parts: deque[tuple[float, float]] = deque(maxlen=BASE_PARTS)
        self._idle: deque[float] = deque(maxlen=MOST_IDLE)
        """Round trips while nobody had load, of the last while."""
        self._idle_since = 0.0

    @property
    def value(self) -> float | None:
        """
        Seconds; None when there was none.
        """
        return min((least for _, least in self.parts), default=None)

    def add(self, now: float, rtt: float, *, idle: bool) -> None:
        """
        Take a round trip. When nobody has load (`idle`) there is no queue of ours in it.
        """
        if not self.parts or now - self.parts[-1][0] >= BASE_PART:
            self.parts.append((now, rtt))
        elif rtt < self.parts[-1][1]:
            self.parts[-1] = (self.parts[-1][0], rtt)
        self._look_idle(now, rtt, idle=idle)

    def _look_idle(self, now: float, rtt: float, *, idle: bool) -> None:
        if not idle:
            self._idle.clear()
            return
        self._idle.append(rtt)
        if len(self._idle) == 1:
            self._idle_since = now
        if now - self._idle_since < REBASE or len(self._idle) < FEWEST_IDLE:
            return
        least, known = min(self._idle), self.value
        self._idle.clear()
        if known is not None and least > known + IDLE_SLACK:
            self.parts.clear()
            self.parts.append((now, least))


class Path:
    """
    One target: what its answers say of the queue on the way.

    `answers_all`: it answers whatever it is asked (an echo), so that an answer that does not come was lost. Routers
    that send a limited number of errors are silent for other reasons.
    """

    def __init__(self, *, answers_all: bool = True) -> None:
        """
        Know nothing yet.
        """
        self.answers_all = answers_all
        self.base = Base()
        self.latest: tuple[float, float] | None = None
        """When it answered last, and the queue then."""
        self.asked = 0
        self.answered = 0
        """Of those that are over; halved now and then, so that old ones count less and less."""

    def answer(self, now: float, rtt: float, *, idle: bool = False) -> float:
        """
        Take a round trip in seconds, get the queue in it.
        """
        self.base.add(now, rtt, idle=idle)
        queue = rtt - (self.base.value or 0.0)
        self.latest = now, queue
        self._count(answered=1)
        return queue

    def no_answer(self) -> None:
        """
        Take it that there was no answer in time.
        """
        self._count(answered=0)

    def _count(self, answered: int) -> None:
        self.asked += 1
        self.answered += answered
        if self.asked >= 100:
            self.asked //= 2
            self.answered = min(self.asked, self.answered // 2)

    def queue(self, now: float) -> float | None:
        """
        Get the queue as it was felt last, seconds; None when that is too long ago.
        """
        return None if self.latest is None or now - self.latest[0] > STALE else self.latest[1]

    @property
    def loss(self) -> float | None:
        """
        Get the share of probes that was lost, 0..1; None when that can't be told.
        """
        return None if not self.answers_all or self.asked < 20 else 1 - self.answered / self.asked
