"""
Summary statistics of a delay, after RFC 8382 (shared bottleneck detection for coupled congestion control), section 3.2.

There packets come in hundreds per second; here there are a few probes per second. So the base interval is what has
enough of them, and of the four statistics we take three: skewness (share of delays above and below the mean of the
long run: a queue that is full most of the time is above, one that is empty most of the time below), variability (mean
distance from the mean), and loss. Its frequency of oscillation needs more samples than there are.
"""
from __future__ import annotations

from collections import deque
from typing import NamedTuple

from .limits import LONG_WINDOW, MOST_SAMPLES

FEWEST = 5
"""Delays that it takes to say something."""
SAME = 0.0005
"""Seconds by which a delay may differ from the mean and be neither above nor below: no clock is better here."""


class Summary(NamedTuple):
    """
    Of a delay over LONG_WINDOW seconds: `mean` and `variability` in seconds, `skew` -1..1.
    """

    mean: float
    skew: float
    variability: float
    samples: int


class Delays:
    """
    The delays of the last seconds.
    """

    def __init__(self, span: float = LONG_WINDOW) -> None:
        """
        Begin with none.
        """
        self.span = span
        self.kept: deque[tuple[float, float]] = deque(maxlen=MOST_SAMPLES)

    def add(self, now: float, delay: float) -> None:
        """
        Take a delay, seconds.
        """
        self.kept.append((now, delay))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self.kept and now - self.kept[0][0] > self.span:
            self.kept.popleft()

    def since(self, start: float) -> list[float]:
        """
        Get those since a time.
        """
        found = []
        for when, delay in reversed(self.kept):
            if when < start:
                break
            found.append(delay)
        return found[::-1]

    def summary(self, now: float) -> Summary | None:
        """
        Get the statistics, None of too few.
        """
        self._forget(now)
        count = len(self.kept)
        if count < FEWEST:
            return None
        mean = sum(delay for _, delay in self.kept) / count
        above = sum(1 for _, delay in self.kept if delay > mean + SAME)
        below = sum(1 for _, delay in self.kept if delay < mean - SAME)
        variability = sum(abs(delay - mean) for _, delay in self.kept) / count
        return Summary(mean, (below - above) / count, variability, count)
