"""
What the gateway passes, one way.

While there is a queue, and all whose traffic is in it tell what they send, that is what the link passes. It is the middle one of such sums: one may be
too high or too low, because one node's rate is older than another's.
"""
from __future__ import annotations

from collections import deque
from typing import Final

SATURATED: Final = 0.008
"""A queue from which on a link is full."""
EACH: Final = 1.0
MOST_SUMS: Final = 60
PERCENT: Final = 0.5
"""Of the sums in order, the one that stands so far up: the middle."""
ENOUGH: Final = 10
"""Sums that it takes to be sure."""
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
        self._next = 0.0

    def update(self, now: float, own: float, together: float, delay: float | None, *, suspect: bool) -> None:
        """
        Take what this node sends, and what all together do, bytes/s, and the queue in seconds.

        :param suspect: the queue may be of this direction.
        """
        if not self._best or now - self._best[-1][0] >= BEST_PART:
            self._best.append([now, own])
        else:
            self._best[-1][1] = max(self._best[-1][1], own)
        if now >= self._next and delay is not None and delay >= SATURATED and together > 0 and suspect:
            self._next = now + EACH
            self.sums.append(together)

    @property
    def own_best(self) -> float:
        """
        Get the most that this node reached in the last minutes: nobody can lie about that.
        """
        return max((rate for _, rate in self._best), default=0.0)

    @property
    def value(self) -> float | None:
        """
        Get the estimate, bytes/s; None when there is none.
        """
        if not self.sums:
            return None
        ordered = sorted(self.sums)
        return ordered[int(PERCENT * (len(ordered) - 1))]

    @property
    def confidence(self) -> float:
        """
        Get how sure it is, 0..1: many sums that agree.
        """
        value = self.value
        if not value:
            return 0.0
        apart = sum(abs(each - value) for each in self.sums) / len(self.sums) / value
        return min(1.0, len(self.sums) / ENOUGH) * max(0.0, 1 - 2 * apart)
