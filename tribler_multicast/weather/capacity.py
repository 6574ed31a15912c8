"""
What the gateway passes, one way.

While there is a queue, and all whose traffic is in it tell what they send, that is what the link passes and what the
queue grows by. It is the middle one of such sums: one may be too high or too low, because one node's rate is older
than another's.
"""
from __future__ import annotations

from collections import deque
from typing import Final

SATURATED: Final = 0.008
"""A queue from which on a link is full."""
FULL: Final = 0.025
"""A shorter queue may be of bursts alone, with room between them: then what goes is the least that the link passes, not
what it passes."""
SATURATED_FOR: Final = 1.0
"""Seconds for which it must have been: what others said of their rates is as old."""
STEADY: Final = 0.35
"""Share by which the sum may differ from what it was lately: when one takes over from another both are counted."""
EACH: Final = 0.3
MOST_SUMS: Final = 60
LATELY_KEPT: Final = 128
SLOW: Final = 1.5
"""Seconds over which is smoothed what this node reached: into a queue goes more for a moment than the link passes."""
KEPT_UP: Final = 3.0
CERTAIN: Final = 0.97
FORGET: Final = 0.05
"""What all together passed for so many seconds without a break does pass, less what rates are rounded by, whatever the
sums say, which come late while rates rise. By the third share it is forgotten with each sum that is less, for lines
become slower too."""
STEEPEST: Final = 0.12
"""Seconds per second by which the queue grows or falls at most: what others said is not of the same moment."""
PERCENT: Final = 0.5
"""Of the sums in order, the one that stands so far up: the middle."""
ENOUGH: Final = 6
"""Sums that it takes to be sure."""
GUESSED: Final = 0.8
BEST_PARTS: Final = 10
BEST_PART: Final = 60.0
"""What this node alone reached, in so many parts of so long."""


class Capacity:
    """
    Estimates it.
    """

    def __init__(self) -> None:
        """
        Know nothing yet.
        """
        self.sums: deque[float] = deque(maxlen=MOST_SUMS)
        self.passed = 0.0
        self._best: deque[list[float]] = deque(maxlen=BEST_PARTS)
        self._reached: deque[list[float]] = deque(maxlen=BEST_PARTS)
        self._seen: deque[list[float]] = deque(maxlen=BEST_PARTS)
        self._together = 0.0
        self._lately: deque[tuple[float, float]] = deque(maxlen=LATELY_KEPT)
        self._kept_up = 0.0
        self._next = 0.0
        self._since: float | None = None
        self._slow = 0.0
        self._ran_at: float | None = None

    def update(self, now: float, own: float, together: float, delay: float | None, slope: float = 0.0, *,
               suspect: bool) -> None:
        """
        Take what this node sends, and what all together do, bytes/s, the queue in seconds, and how it grows.

        :param suspect: the queue may be of this direction.
        """
        passed = 0.0 if self._ran_at is None else max(0.0, now - self._ran_at)
        self._ran_at = now
        self._slow += (own - self._slow) * min(1.0, passed / SLOW)
        if not self._best or now - self._best[-1][0] >= BEST_PART:
            self._best.append([now, self._slow])
            self._reached.append([now, 0.0])
            self._seen.append([now, 0.0])
        else:
            self._best[-1][1] = max(self._best[-1][1], self._slow)
        self._together += (together - self._together) * min(1.0, passed / SLOW)
        self._seen[-1][1] = max(self._seen[-1][1], self._together)
        self._keep_up(now, together)
        if delay is None or delay < SATURATED or not suspect:
            self._since = None
            return
        if self._since is None:
            self._since = now
        self._reached[-1][1] = max(self._reached[-1][1], self._together)
        if now - self._since >= SATURATED_FOR and now >= self._next and together > 0 and abs(slope) <= STEEPEST \
                and abs(together - self._together) <= STEADY * self._together:
            self._next = now + EACH
            value, total = self.value, together / (1 + slope)
            if delay >= FULL or value is None or total > value:
                self.sums.append(total)
            if delay >= FULL:
                self._kept_up -= FORGET * max(0.0, self._kept_up - total)

    def _keep_up(self, now: float, together: float) -> None:
        """
        Note what was passed all the time lately.
        """
        self._lately.append((now, together))
        while len(self._lately) > 1 and now - self._lately[1][0] >= KEPT_UP:
            self._lately.popleft()
        if now - self._lately[0][0] >= KEPT_UP:
            self._kept_up = max(self._kept_up, min(rate for _, rate in self._lately))

    @property
    def own_best(self) -> float:
        """
        Get the most that this node reached in the last minutes: nobody can lie about that.
        """
        return max((rate for _, rate in self._best), default=0.0)

    @property
    def seen(self) -> float:
        """
        Get the most that all together were seen to use in the last minutes.
        """
        return max((rate for _, rate in self._seen), default=0.0)

    @property
    def guess(self) -> float | None:
        """
        Get what it passes at least, before that is known: most of what all reached together while there was a queue.
        """
        return GUESSED * max((rate for _, rate in self._reached), default=0.0) or None

    @property
    def value(self) -> float | None:
        """
        Get the estimate, bytes/s; None when there is none.
        """
        if not self.sums:
            return None
        return max(self._middle(), CERTAIN * self._kept_up)

    def _middle(self) -> float:
        ordered = sorted(self.sums)
        return ordered[int(PERCENT * (len(ordered) - 1))]

    @property
    def confidence(self) -> float:
        """
        Get how sure it is, 0..1: many sums that agree.
        """
        value = self._middle() if self.sums else 0.0
        if not value:
            return 0.0
        apart = sum(abs(each - value) for each in self.sums) / len(self.sums) / value
        return min(1.0, len(self.sums) / ENOUGH) * max(0.0, 1 - 2 * apart)
